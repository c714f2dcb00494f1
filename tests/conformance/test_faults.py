"""What Azure cannot be asked to do: to fail on request. Needs the emulator."""

import time
from typing import Literal

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ServiceRequestError, ServiceResponseError

from deployment.emulator.faults import ControlFault, DataFault, Delay, Drop, EndOperation, Refuse, When
from tests.conformance.cloud import MARKS, Cloud, refusal
from tests.lib.emulator import wait_until
from tests.lib.emulator_control import EmulatorControl

pytestmark = MARKS
PUT = "endpoints.put"


def retag(cloud: Cloud, endpoint: str, value: str) -> None:
    found = cloud.endpoints.get(endpoint)
    found.tags = {"value": value}
    cloud.endpoints.begin_create_or_update(found).result()


def tag(cloud: Cloud, endpoint: str) -> str | None:
    value = cloud.endpoints.get(endpoint).tags.get("value")
    return None if value is None else str(value)


def test_a_conflict_surfaces_once(cloud: Cloud, control: EmulatorControl) -> None:
    with cloud.endpoint() as name, control.fault(ControlFault(call=PUT, resource=name, effect=Refuse(status=409))):
        with pytest.raises(ResourceExistsError):
            retag(cloud, name, "1")
        retag(cloud, name, "2")
        assert tag(cloud, name) == "2"


def test_the_sdk_waits_as_long_as_429_says_and_tries_again(cloud: Cloud, control: EmulatorControl) -> None:
    fault = ControlFault(call=PUT, effect=Refuse(status=429, retry_after_s=1))
    with cloud.endpoint() as name, control.fault(fault):
        started_s = time.monotonic()
        retag(cloud, name, "1")
        assert time.monotonic() - started_s >= 1
        assert tag(cloud, name) == "1"
        tried = [(each.status, each.is_struck) for each in control.calls() if (each.call, each.resource) == (PUT, name)]
        assert tried[-2:] == [(429, True), (200, False)]


@pytest.mark.parametrize("status", [500, 503])
def test_the_sdk_gives_up_on_a_server_that_keeps_failing(
    cloud: Cloud, control: EmulatorControl, status: Literal[500, 503]
) -> None:
    effect = Refuse(status=status, retry_after_s=0)
    with cloud.endpoint() as name, control.fault(ControlFault(call=PUT, effect=effect, times=None)) as placed:
        assert refusal(lambda: retag(cloud, name, "1")).status_code == status
        assert tag(cloud, name) is None
        (now,) = [each for each in control.faults() if each.id == placed.id]
        assert now.struck == 4


@pytest.mark.parametrize(("when", "took_effect"), [(When.BEFORE, False), (When.AFTER, True)])
def test_a_connection_is_dropped_before_or_after_the_call_took_effect(
    cloud: Cloud, control: EmulatorControl, *, when: When, took_effect: bool
) -> None:
    with cloud.endpoint() as name:
        keys = cloud.endpoints.get_keys(name)
        fault = ControlFault(call="endpoints.regenerateKeys", effect=Drop(), when=when, times=None)
        with control.fault(fault), pytest.raises((ServiceRequestError, ServiceResponseError)):
            cloud.endpoints.begin_regenerate_keys(name, key_type="primary").result()
        assert (cloud.endpoints.get_keys(name).primary_key != keys.primary_key) is took_effect
        assert [each.status for each in control.calls() if each.call == "endpoints.regenerateKeys"][-1] == 0


def test_a_slow_answer_is_an_answer(cloud: Cloud, control: EmulatorControl) -> None:
    with cloud.endpoint() as name, control.fault(ControlFault(call="endpoints.listKeys", effect=Delay(delay_ms=700))):
        started_s = time.monotonic()
        assert cloud.endpoints.get_keys(name).primary_key
        assert time.monotonic() - started_s >= 0.7


@pytest.mark.parametrize("ends", ["Failed", "Canceled"])
def test_a_change_whose_operation_ends_badly_has_not_happened(
    cloud: Cloud, control: EmulatorControl, ends: Literal["Failed", "Canceled"]
) -> None:
    with cloud.endpoint() as name:
        cloud.deploy(name, "blue")
        fault = ControlFault(call=PUT, effect=EndOperation(ends=ends, message="asked for"))
        with control.fault(fault):
            error = refusal(lambda: cloud.set_traffic(name, blue=100))
        assert error.status_code == 200
        assert error.error is not None
        assert error.error.message == "asked for"
        assert cloud.endpoints.get(name).traffic == {"blue": 0}
        assert cloud.endpoints.get(name).provisioning_state == "Failed"
        assert cloud.set_traffic(name, blue=100).traffic == {"blue": 100}


def test_a_change_may_happen_though_its_operation_says_that_it_failed(cloud: Cloud, control: EmulatorControl) -> None:
    with cloud.endpoint() as name:
        cloud.deploy(name, "blue")
        with control.fault(ControlFault(call=PUT, effect=EndOperation(ends="Failed"), when=When.AFTER)):
            refusal(lambda: cloud.set_traffic(name, blue=100))
        assert cloud.endpoints.get(name).traffic == {"blue": 100}


def test_an_operation_that_never_ends_keeps_others_out_until_the_fault_is_lifted(
    cloud: Cloud, control: EmulatorControl
) -> None:
    with cloud.endpoint() as name:
        with control.fault(ControlFault(call="deployments.put", effect=EndOperation(ends="Never"))):
            poller = cloud.deployments.begin_create_or_update(cloud.deployment(name, "blue"))
            poller.wait(0.5)
            assert not poller.done()
            assert cloud.deployments.get("blue", name).provisioning_state == "Creating"
            with pytest.raises(ResourceExistsError):
                cloud.deploy(name, "blue")
        assert poller.result().provisioning_state == "Succeeded"


def test_a_deployment_whose_deletion_failed_still_serves(cloud: Cloud, control: EmulatorControl) -> None:
    with cloud.endpoint() as name:
        cloud.deploy(name, "blue")
        fault = ControlFault(call="deployments.delete", effect=EndOperation(ends="Failed"))
        with control.fault(fault), pytest.raises(HttpResponseError):
            cloud.deployments.begin_delete("blue", name).result()
        key = cloud.endpoints.get_keys(name).primary_key
        assert cloud.score(name, key, {}, "blue").status_code == 200
        cloud.deployments.begin_delete("blue", name).result()


def test_the_calls_of_a_release_are_told_in_order(cloud: Cloud, control: EmulatorControl) -> None:
    with cloud.endpoint() as name:
        before = control.calls()[-1].number
        cloud.deploy(name, "blue")
        cloud.set_traffic(name, blue=100)
        told = [(each.call, each.resource) for each in control.calls(after=before)]
        calls = [each for each in told if each[0] in {"deployments.put", "endpoints.put"}]
        assert calls == [("deployments.put", f"{name}/blue"), ("endpoints.put", name)]
        assert ("operations.status", f"{name}/blue") in told
        assert {call for call, _ in told} <= set(control.call_names())


def test_scored_requests_are_delayed_and_fail_at_a_ratio(cloud: Cloud, control: EmulatorControl) -> None:
    with cloud.endpoint() as name:
        cloud.deploy(name, "blue")
        cloud.set_traffic(name, blue=100)
        key = cloud.endpoints.get_keys(name).primary_key
        with control.fault(DataFault(endpoint=name, status=503, ratio=0.5)):
            statuses = {cloud.score(name, key, {}).status_code for _ in range(30)}
        assert statuses == {200, 503}
        with control.fault(DataFault(endpoint=name, deployment="blue", delay_ms=300)):
            assert cloud.score(name, key, {}).elapsed.total_seconds() >= 0.3


def test_an_instance_that_is_killed_is_started_again(cloud: Cloud, control: EmulatorControl) -> None:
    with cloud.endpoint() as name:
        cloud.deploy(name, "blue")
        key = cloud.endpoints.get_keys(name).primary_key
        control.kill_instance(name, "blue")

        def restarted() -> bool:
            is_told = "BackOff" in cloud.deployments.get_logs("blue", name, lines=10)
            return is_told and cloud.score(name, key, {}, "blue").status_code == 200

        wait_until(restarted, 60)


def test_the_twenty_first_deployment_is_refused(cloud: Cloud, control: EmulatorControl) -> None:
    del control
    with cloud.endpoint() as name:
        small = {"instance_type": "Standard_DS1_v2"}
        for number in range(20):
            cloud.deploy(name, f"colour-{number}", **small)
        error = refusal(lambda: cloud.deploy(name, "one-more", **small))
        assert error.error is not None
        assert (error.status_code, error.error.code) == (400, "OutOfQuota")

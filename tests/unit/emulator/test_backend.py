from dataclasses import replace

import pytest

from deployment.emulator.entities import OperationStatus, RequestSettings
from deployment.emulator.errors import BadRequestError, ConflictError, NotFoundError
from deployment.emulator.provisioning import State
from tests.lib.emulator_fakes import (
    FAILED_PROBE,
    PROBE,
    WANTED_DEPLOYMENT,
    WANTED_ENDPOINT,
    Bench,
    an_environment,
    run,
)

pytestmark = pytest.mark.unit


def test_an_operation_is_in_progress_first_and_succeeded_at_the_end() -> None:
    async def test() -> None:
        bench = Bench()
        endpoint, operation, is_new = bench.endpoints.put(WANTED_ENDPOINT)
        assert (endpoint.state, is_new) == (State.CREATING, True)
        assert bench.operations.get(operation.id).status is OperationStatus.IN_PROGRESS
        await bench.operations.settle()
        assert bench.operations.get(operation.id).status is OperationStatus.SUCCEEDED
        assert bench.endpoints.get("diabetes").state is State.SUCCEEDED

    run(test())


def test_one_operation_at_a_time_for_each_resource() -> None:
    async def test() -> None:
        bench = Bench()
        await bench.with_colours()
        bench.deployments.put(WANTED_DEPLOYMENT)
        with pytest.raises(ConflictError):
            bench.deployments.put(WANTED_DEPLOYMENT)
        with pytest.raises(ConflictError):
            bench.deployments.delete("diabetes", "blue")
        with pytest.raises(ConflictError):
            bench.endpoints.delete("diabetes")
        bench.deployments.put(replace(WANTED_DEPLOYMENT, name="green"))
        await bench.operations.settle()
        assert [each.name for each in bench.deployments.all("diabetes")] == ["blue", "green"]
        await bench.close()

    run(test())


def test_a_put_replaces_the_traffic_and_keeps_the_keys() -> None:
    async def test() -> None:
        bench = Bench()
        await bench.with_colours(blue=90, green=10)
        keys = bench.endpoints.keys("diabetes")
        await bench.set_traffic()
        assert bench.endpoints.get("diabetes").traffic == {}
        assert bench.endpoints.keys("diabetes") == keys
        await bench.close()

    run(test())


def test_a_regenerated_key_is_new_and_the_other_stays() -> None:
    async def test() -> None:
        bench = Bench()
        await bench.with_colours()
        before = bench.endpoints.keys("diabetes")
        bench.endpoints.regenerate_key("diabetes", primary=True)
        await bench.operations.settle()
        after = bench.endpoints.keys("diabetes")
        assert before.primary != after.primary
        assert before.secondary == after.secondary
        assert len({before.primary, before.secondary, after.primary}) == 3
        await bench.operations.settle()

    run(test())


def test_a_key_is_regenerated_while_nothing_else_changes_the_endpoint() -> None:
    async def test() -> None:
        bench = Bench()
        await bench.with_colours(blue=0)
        bench.endpoints.regenerate_key("diabetes", primary=True)
        with pytest.raises(ConflictError):
            bench.endpoints.regenerate_key("diabetes", primary=False)
        with pytest.raises(ConflictError):
            bench.endpoints.put(WANTED_ENDPOINT)
        with pytest.raises(ConflictError):
            bench.deployments.delete("diabetes", "blue")
        await bench.operations.settle()
        assert bench.endpoints.get("diabetes").state is State.SUCCEEDED
        bench.endpoints.delete("diabetes")
        with pytest.raises(ConflictError):
            bench.endpoints.regenerate_key("diabetes", primary=True)
        with pytest.raises(ConflictError):
            bench.deployments.delete("diabetes", "blue")
        await bench.operations.settle()

    run(test())


def test_a_deletion_that_the_engine_fails_can_be_asked_for_again() -> None:
    async def test() -> None:
        bench = Bench()
        await bench.with_colours(blue=0, green=0)
        bench.runtime.stop_faults = 1
        operation = bench.endpoints.delete("diabetes")
        assert operation is not None
        await bench.operations.settle()
        assert bench.operations.get(operation.id).status is OperationStatus.FAILED
        assert bench.endpoints.get("diabetes").state is State.SUCCEEDED
        bench.endpoints.delete("diabetes")
        await bench.operations.settle()
        assert bench.endpoints.all() == []
        assert not bench.runtime.running

    run(test())


def test_an_update_works_and_the_emulator_ends_though_what_ran_before_cannot_be_ended() -> None:
    async def test() -> None:
        bench = Bench()
        await bench.with_colours(blue=100, green=0)
        bench.runtime.stop_faults = 1
        bench.deployments.put(replace(WANTED_DEPLOYMENT, environment_variables={"NEW": "1"}))
        await bench.operations.settle()
        assert bench.deployments.get("diabetes", "blue").state is State.SUCCEEDED
        bench.runtime.stop_faults = 1
        await bench.close()
        # What is left of both is for remove_all().
        assert len(bench.runtime.running) == 2

    run(test())


def test_a_deployment_with_traffic_is_not_deleted() -> None:
    async def test() -> None:
        bench = Bench()
        await bench.with_colours(blue=90, green=10)
        with pytest.raises(BadRequestError, match="it has 10% traffic"):
            bench.deployments.delete("diabetes", "green")
        await bench.set_traffic(blue=100)
        bench.deployments.delete("diabetes", "green")
        await bench.operations.settle()
        assert [each.name for each in bench.deployments.all("diabetes")] == ["blue"]
        assert len(bench.runtime.running) == 1
        await bench.close()

    run(test())


def test_deleting_an_endpoint_ends_its_colours() -> None:
    async def test() -> None:
        bench = Bench()
        await bench.with_colours(blue=100)
        bench.endpoints.delete("diabetes")
        await bench.operations.settle()
        assert not bench.runtime.running
        assert bench.endpoints.all() == []
        with pytest.raises(NotFoundError):
            bench.deployments.all("diabetes")

    run(test())


def test_deleting_what_is_absent_is_no_operation() -> None:
    bench = Bench()
    assert bench.endpoints.delete("absent") is None
    assert bench.deployments.delete("absent", "blue") is None


def test_a_deployment_of_an_unknown_environment_or_endpoint_is_refused() -> None:
    async def test() -> None:
        bench = Bench()
        with pytest.raises(NotFoundError, match="endpoint"):
            bench.deployments.put(WANTED_DEPLOYMENT)
        await bench.with_colours()
        with pytest.raises(NotFoundError, match="Environment"):
            bench.deployments.put(replace(WANTED_DEPLOYMENT, environment_version="9"))

    run(test())


def test_an_image_that_cannot_be_had_fails_the_deployment_which_must_then_be_deleted() -> None:
    async def test() -> None:
        bench = Bench()
        await bench.with_colours()
        wanted = replace(WANTED_DEPLOYMENT, environment_version="2")
        _, operation, _ = bench.deployments.put(wanted)
        await bench.operations.settle()
        failed = bench.operations.get(operation.id)
        assert (failed.status, failed.error_code) == (OperationStatus.FAILED, "BadArgument")
        assert "Unable to download user container image" in failed.error_message
        with pytest.raises(BadRequestError, match="Delete and re-create"):
            bench.deployments.put(WANTED_DEPLOYMENT)
        log = await bench.deployments.logs("diabetes", "blue", inference_server=True, tail=10)
        assert "UserContainerImagePull: Failed" in log
        bench.deployments.delete("diabetes", "blue")
        await bench.operations.settle()
        bench.deployments.put(WANTED_DEPLOYMENT)
        await bench.operations.settle()
        assert bench.deployments.get("diabetes", "blue").state is State.SUCCEEDED
        await bench.close()

    run(test())


def test_a_change_that_the_container_cannot_see_starts_nothing_anew() -> None:
    async def test() -> None:
        bench = Bench()
        await bench.with_colours(blue=100)
        settings = RequestSettings(request_timeout_s=1)
        bench.deployments.put(replace(WANTED_DEPLOYMENT, tags={"a": "b"}, request_settings=settings))
        await bench.operations.settle()
        assert len(bench.runtime.started) == 1
        colour = bench.colours.serving("diabetes", "blue")
        assert colour is not None
        assert colour.deployment.request_settings == settings
        await bench.close()

    run(test())


def test_an_update_that_fails_leaves_what_ran_before_serving() -> None:
    async def test() -> None:
        bench = Bench()
        await bench.with_colours(blue=100)
        before = bench.colours.serving("diabetes", "blue")
        assert before is not None
        bench.prober.results["/ready"] = FAILED_PROBE
        quick = replace(PROBE, initial_delay_s=0, period_s=1, failure_threshold=1)
        wanted = replace(WANTED_DEPLOYMENT, environment_variables={"A": "1"}, readiness_probe=quick)
        _, operation, _ = bench.deployments.put(wanted)
        await bench.clock.wind(2)
        await bench.operations.settle()
        assert bench.operations.get(operation.id).error_code == "ResourceNotReady"
        assert bench.deployments.get("diabetes", "blue").state is State.UPDATE_FAILED
        assert bench.colours.serving("diabetes", "blue") is before
        assert before.ready
        assert len(bench.runtime.running) == 1
        await bench.close()

    run(test())


def test_an_update_that_works_ends_what_ran_before() -> None:
    async def test() -> None:
        bench = Bench()
        await bench.with_colours(blue=100)
        bench.deployments.put(replace(WANTED_DEPLOYMENT, environment_variables={"A": "1"}))
        await bench.operations.settle()
        assert [spec.instance_id for spec in bench.runtime.started][:1] == bench.runtime.stopped
        assert len(bench.runtime.running) == 1
        await bench.close()

    run(test())


def test_the_twenty_first_deployment_is_refused() -> None:
    async def test() -> None:
        bench = Bench()
        await bench.with_colours(**{f"colour-{number}": 0 for number in range(20)})
        with pytest.raises(BadRequestError, match="20 vs 20"):
            bench.deployments.put(replace(WANTED_DEPLOYMENT, name="one-more"))
        await bench.close()

    run(test())


def test_a_fault_of_the_emulator_itself_ends_the_operation() -> None:
    async def test() -> None:
        bench = Bench()

        async def work() -> None:
            raise RuntimeError("boom")

        operation = bench.operations.start("op", work)
        await bench.operations.settle()
        ended = bench.operations.get(operation.id)
        assert (ended.status, ended.error_code) == (OperationStatus.FAILED, "InternalServerError")

    run(test())


def test_an_environments_version_never_changes_but_may_be_put_again() -> None:
    bench = Bench()
    again, is_new = bench.environments.put(replace(an_environment(), tags={"a": "b"}))
    assert not is_new
    assert again.tags == {"a": "b"}
    with pytest.raises(ConflictError, match="another version"):
        bench.environments.put(an_environment("other"))
    with pytest.raises(NotFoundError):
        bench.environments.known_versions("absent")


def test_the_log_has_the_documented_parts_and_no_more_lines_than_asked_for() -> None:
    async def test() -> None:
        bench = Bench()
        await bench.with_colours(blue=100)
        log = await bench.deployments.logs("diabetes", "blue", inference_server=True, tail=1)
        assert log.startswith("Instance status:\nSystemSetup: Succeeded\nUserContainerImagePull: Succeeded\n")
        assert "\n\nContainer events:\nKind: Pod, Name: Pulling, Type: Normal, Time: 2026-01-01T" in log
        assert log.endswith("\n\nContainer logs:\ntwo\n")
        initializer = await bench.deployments.logs("diabetes", "blue", inference_server=False, tail=1)
        assert initializer.endswith("\n\nContainer logs:\n")
        await bench.close()

    run(test())

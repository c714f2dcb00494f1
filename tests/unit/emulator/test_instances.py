import asyncio
from dataclasses import replace

import pytest

from deployment.emulator.entities import ProbeSettings
from deployment.emulator.errors import ProvisioningError, ResourceNotReadyError
from deployment.emulator.instances import WatchedInstance
from deployment.emulator.probes import Pace, ProbeResult, ProbeTally
from deployment.emulator.runtime import metrics_port_of
from tests.lib.emulator_fakes import FAILED_PROBE, Bench, a_deployment, run, settle

pytestmark = pytest.mark.unit
PASSED = ProbeResult(passed=True)


def is_ready(instance: WatchedInstance) -> bool:
    """Ask anew: the type checker takes an attribute for unchanged across an await."""
    return instance.ready


def test_a_container_is_told_its_variables_but_no_reference_to_a_secret() -> None:
    async def test() -> None:
        bench = Bench()
        given = {"A": "1", "KEY": "${{keyvault:https://v.example/secrets/s/1}}", "METRICS_PORT": "9000"}
        instance = bench.instance(replace(a_deployment(), environment_variables=given))
        await instance.bring_up()
        (spec,) = bench.runtime.started
        assert spec.environment_variables == {"A": "1", "METRICS_PORT": "9000"}
        assert spec.metrics_port == 9000
        await instance.shut_down()

    run(test())


@pytest.mark.parametrize(
    ("variables", "port"),
    [({}, 8004), ({"METRICS_PORT": "8010"}, 8010), ({"METRICS_PORT": ""}, None), ({"METRICS_PORT": "x"}, None)],
)
def test_the_metrics_port_is_the_variables_or_that_of_the_image(variables: dict[str, str], port: int | None) -> None:
    assert metrics_port_of(variables) == port


def test_thresholds_count_results_in_a_row() -> None:
    tally = ProbeTally(ProbeSettings(success_threshold=2, failure_threshold=3))
    seen = []
    for result in (PASSED, FAILED_PROBE, PASSED, PASSED, FAILED_PROBE, FAILED_PROBE, FAILED_PROBE):
        tally.record(result)
        seen.append((tally.has_succeeded, tally.has_failed))
    assert [succeeded for succeeded, _ in seen] == [False, False, False, True, False, False, False]
    assert [failed for _, failed in seen] == [False] * 6 + [True]


def test_restarts_back_off_up_to_five_minutes() -> None:
    assert [Pace().restart_delay_s(count) for count in range(8)] == [0, 10, 20, 40, 80, 160, 300, 300]


def test_an_instance_is_ready_as_soon_as_its_readiness_probe_passes() -> None:
    async def test() -> None:
        bench = Bench()
        bench.prober.results["/ready"] = FAILED_PROBE
        instance = bench.instance(a_deployment())
        starting = asyncio.ensure_future(instance.bring_up())
        await bench.clock.wind(3)
        assert not is_ready(instance)
        bench.prober.results.clear()
        await bench.clock.wind(0.1)
        await starting
        assert is_ready(instance)
        assert instance.scoring_port == 40001
        await instance.shut_down()
        assert not bench.runtime.running

    run(test())


def test_with_real_delays_the_first_probe_waits_the_initial_delay() -> None:
    async def test() -> None:
        bench = Bench(Pace(real_delays=True))
        instance = bench.instance(a_deployment())
        starting = asyncio.ensure_future(instance.bring_up())
        await bench.clock.wind(9.9)
        assert bench.prober.sent == []
        await bench.clock.wind(0.2)
        await starting
        await instance.shut_down()

    run(test())


@pytest.mark.parametrize(
    ("pace", "probe", "budget_s"),
    [
        (Pace(real_delays=True), ProbeSettings(), 310),
        (Pace(), ProbeSettings(), 31),
        (Pace(), ProbeSettings(initial_delay_s=600, period_s=10, failure_threshold=60), 120),
        (Pace(), ProbeSettings(initial_delay_s=10, period_s=5, failure_threshold=10), 30),
        (Pace(), ProbeSettings(initial_delay_s=1, period_s=1, failure_threshold=2), 3),
    ],
)
def test_a_container_that_never_becomes_ready_fails_after_its_budget(
    pace: Pace, probe: ProbeSettings, budget_s: float
) -> None:
    async def test() -> None:
        bench = Bench(pace)
        bench.prober.results["/ready"] = FAILED_PROBE
        instance = bench.instance(replace(a_deployment(), readiness_probe=probe))
        starting = asyncio.ensure_future(instance.bring_up())
        await bench.clock.wind(budget_s - 0.2)
        assert not starting.done()
        await bench.clock.wind(0.4)
        with pytest.raises(
            ResourceNotReadyError, match=f"Readiness probe failed.*statuscode: 503.*{budget_s}"
        ) as refused:
            await starting
        assert refused.value.code == "ResourceNotReady"
        assert refused.value.message.startswith("User container has crashed or terminated: ")
        assert not bench.runtime.running
        assert instance.status.container_start == "Failed"

    run(test())


def test_one_that_is_not_live_either_fails_with_the_platforms_words() -> None:
    async def test() -> None:
        bench = Bench()
        bench.prober.results = {"/ready": FAILED_PROBE, "/live": FAILED_PROBE}
        instance = bench.instance(replace(a_deployment(), liveness_probe=ProbeSettings()))
        starting = asyncio.ensure_future(instance.bring_up())
        await bench.clock.wind(31)
        with pytest.raises(ResourceNotReadyError) as refused:
            await starting
        assert refused.value.message.startswith(
            "User container has crashed or terminated: Liveness probe failed: HTTP probe failed with statuscode: 503"
        )

    run(test())


def test_a_container_that_dies_before_it_is_ready_is_restarted_as_long_as_the_platform_would() -> None:
    async def test() -> None:
        bench = Bench(Pace(real_delays=True))
        bench.prober.results["/ready"] = FAILED_PROBE
        instance = bench.instance(a_deployment())
        starting = asyncio.ensure_future(instance.bring_up())
        await bench.clock.wind(3)
        bench.runtime.exit_codes[instance.id] = 1
        await bench.clock.wind(3)
        assert len(bench.runtime.started) == 2
        bench.prober.results.clear()
        await bench.clock.wind(12)
        await starting
        assert is_ready(instance)
        await instance.shut_down()

    run(test())


def test_a_container_that_dies_again_and_again_fails_when_its_time_is_over() -> None:
    async def test() -> None:
        bench = Bench(Pace(real_delays=True))
        bench.prober.results["/ready"] = FAILED_PROBE
        instance = bench.instance(a_deployment())
        starting = asyncio.ensure_future(instance.bring_up())
        for _ in range(40):
            await bench.clock.wind(1)
            bench.runtime.exit_codes[instance.id] = 1
        with pytest.raises(ResourceNotReadyError, match="exited with code 1"):
            await starting
        # At once, at once again, and 10 and 20 s apart: the last ends after the 30 s.
        assert len(bench.runtime.started) == 4

    run(test())


def test_a_start_that_is_given_up_half_way_leaves_nothing_running() -> None:
    async def test() -> None:
        bench = Bench()
        bench.runtime.start_gate = asyncio.Event()
        instance = bench.instance(a_deployment())
        instance.resume()
        await settle()
        ending = asyncio.ensure_future(instance.shut_down())
        await settle()
        bench.runtime.start_gate.set()
        await ending
        assert bench.runtime.started
        assert not bench.runtime.running

    run(test())


def test_a_container_that_exits_before_it_is_ready_fails_at_once_with_its_exit_code() -> None:
    async def test() -> None:
        bench = Bench()
        bench.prober.results["/ready"] = FAILED_PROBE
        instance = bench.instance(a_deployment())
        starting = asyncio.ensure_future(instance.bring_up())
        await settle()
        bench.runtime.exit_codes[bench.runtime.started[0].instance_id] = 3
        await bench.clock.wind(0.2)
        with pytest.raises(ProvisioningError, match="exited with code 3"):
            await starting

    run(test())


def test_a_start_has_failed_only_once_its_container_is_stopped_and_its_output_kept() -> None:
    async def test() -> None:
        bench = Bench()
        bench.prober.results["/ready"] = FAILED_PROBE
        bench.runtime.stop_gate = asyncio.Event()
        instance = bench.instance(a_deployment())
        starting = asyncio.ensure_future(instance.bring_up())
        await settle()
        bench.runtime.exit_codes[instance.id] = 3
        await bench.clock.wind(0.2)
        assert not starting.done()
        bench.runtime.stop_gate.set()
        with pytest.raises(ProvisioningError):
            await starting
        assert not bench.runtime.running

    run(test())


def test_a_container_that_fails_its_liveness_probe_is_restarted_and_the_event_is_kept() -> None:
    async def test() -> None:
        bench = Bench()
        instance = bench.instance(a_deployment())
        await instance.bring_up()
        bench.prober.results["/live"] = FAILED_PROBE
        # The first probe after the initial delay of 10 s, the fourth three periods of 5 s later.
        await bench.clock.wind(24.9)
        assert len(bench.runtime.started) == 1
        bench.prober.sent.clear()
        await bench.clock.wind(0.2)
        assert len(bench.runtime.started) == 2
        assert is_ready(instance)
        killing = [event.message for event in instance.events if event.name == "Killing"]
        assert killing == ["Container inference-server failed liveness probe, will be restarted"]
        await instance.shut_down()

    run(test())


def test_a_container_that_exits_later_is_restarted() -> None:
    async def test() -> None:
        bench = Bench()
        instance = bench.instance(a_deployment())
        await instance.bring_up()
        bench.runtime.exit_codes[bench.runtime.started[0].instance_id] = 137
        await bench.clock.wind(1)
        assert len(bench.runtime.started) == 2
        assert is_ready(instance)
        assert any("exit code 137" in event.message for event in instance.events)
        await instance.shut_down()

    run(test())


def test_a_container_is_restarted_though_the_engine_fails_to_stop_it_at_first() -> None:
    async def test() -> None:
        bench = Bench()
        instance = bench.instance(a_deployment())
        starting = asyncio.ensure_future(instance.bring_up())
        await bench.clock.wind(0.1)
        await starting
        bench.runtime.stop_faults = 2
        await instance.kill()
        await bench.clock.wind(60)
        assert is_ready(instance)
        assert len(bench.runtime.started) == 2
        await instance.shut_down()
        assert not bench.runtime.running

    run(test())


def test_an_end_that_fails_can_be_asked_for_again() -> None:
    async def test() -> None:
        bench = Bench()
        instance = bench.instance(a_deployment())
        starting = asyncio.ensure_future(instance.bring_up())
        await bench.clock.wind(0.1)
        await starting
        bench.runtime.stop_faults = 1
        with pytest.raises(ConnectionError):
            await instance.shut_down()
        await instance.shut_down()
        assert not bench.runtime.running

    run(test())


def test_readiness_is_lost_and_found_without_a_restart() -> None:
    async def test() -> None:
        bench = Bench()
        instance = bench.instance(a_deployment())
        await instance.bring_up()
        bench.prober.results["/ready"] = FAILED_PROBE
        await bench.clock.wind(19)
        assert is_ready(instance)
        await bench.clock.wind(2)
        assert not is_ready(instance)
        bench.prober.results.clear()
        await bench.clock.wind(5)
        assert is_ready(instance)
        assert len(bench.runtime.started) == 1
        await instance.shut_down()

    run(test())


def test_shutting_down_waits_for_pending_requests_but_no_longer_than_one_may_take() -> None:
    async def test() -> None:
        bench = Bench()
        instance = bench.instance(a_deployment())
        await instance.bring_up()
        instance.pending_requests = 1
        ending = asyncio.ensure_future(instance.shut_down())
        await bench.clock.wind(4.9)
        assert bench.runtime.running
        instance.pending_requests = 0
        await bench.clock.wind(0.1)
        await ending
        assert not bench.runtime.running

    run(test())

import asyncio

import pytest

from deployment.emulator.colour import Colour
from deployment.emulator.entities import ProbeSettings
from deployment.emulator.errors import ProvisioningError, ResourceNotReadyError
from deployment.emulator.probes import Pace, ProbeResult, ProbeTally
from tests.lib.emulator_fakes import FAILED_PROBE, Bench, a_deployment, run, settle

pytestmark = pytest.mark.unit
PASSED = ProbeResult(passed=True)


def is_ready(colour: Colour) -> bool:
    """Ask anew: the type checker takes an attribute for unchanged across an await."""
    return colour.ready


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


def test_a_colour_is_ready_as_soon_as_its_readiness_probe_passes() -> None:
    async def test() -> None:
        bench = Bench()
        bench.prober.results["/ready"] = FAILED_PROBE
        colour = bench.colour(a_deployment())
        starting = asyncio.ensure_future(colour.bring_up())
        await bench.clock.wind(3)
        assert not is_ready(colour)
        bench.prober.results.clear()
        await bench.clock.wind(0.1)
        await starting
        assert is_ready(colour)
        assert colour.scoring_port == 40001
        await colour.shut_down()
        assert not bench.runtime.running

    run(test())


def test_with_real_delays_the_first_probe_waits_the_initial_delay() -> None:
    async def test() -> None:
        bench = Bench(Pace(real_delays=True))
        colour = bench.colour(a_deployment())
        starting = asyncio.ensure_future(colour.bring_up())
        await bench.clock.wind(9.9)
        assert bench.prober.sent == []
        await bench.clock.wind(0.2)
        await starting
        await colour.shut_down()

    run(test())


@pytest.mark.parametrize("real_delays", [True, False])
def test_a_container_that_never_becomes_ready_fails_after_the_documented_budget(real_delays: bool) -> None:  # noqa: FBT001 - pytest passes it by name
    async def test() -> None:
        bench = Bench(Pace(real_delays=real_delays))
        bench.prober.results["/ready"] = FAILED_PROBE
        colour = bench.colour(a_deployment())
        starting = asyncio.ensure_future(colour.bring_up())
        await bench.clock.wind(29)
        assert not starting.done()
        await bench.clock.wind(2)
        with pytest.raises(ResourceNotReadyError, match="statuscode: 503") as refused:
            await starting
        assert refused.value.code == "ResourceNotReady"
        assert refused.value.message.startswith("User container has crashed or terminated: ")
        assert not bench.runtime.running
        assert colour.status.container_start == "Failed"

    run(test())


def test_a_container_that_exits_before_it_is_ready_fails_at_once_with_its_exit_code() -> None:
    async def test() -> None:
        bench = Bench()
        bench.prober.results["/ready"] = FAILED_PROBE
        colour = bench.colour(a_deployment())
        starting = asyncio.ensure_future(colour.bring_up())
        await settle()
        bench.runtime.exit_codes[bench.runtime.started[0].instance_id] = 3
        await bench.clock.wind(0.2)
        with pytest.raises(ProvisioningError, match="exited with code 3"):
            await starting

    run(test())


def test_a_container_that_fails_its_liveness_probe_is_restarted_and_the_event_is_kept() -> None:
    async def test() -> None:
        bench = Bench()
        colour = bench.colour(a_deployment())
        await colour.bring_up()
        bench.prober.results["/live"] = FAILED_PROBE
        await bench.clock.wind(19.9)
        assert len(bench.runtime.started) == 1
        bench.prober.sent.clear()
        await bench.clock.wind(0.2)
        assert len(bench.runtime.started) == 2
        assert is_ready(colour)
        killing = [event.message for event in colour.events if event.name == "Killing"]
        assert killing == ["Container inference-server failed liveness probe, will be restarted"]
        await colour.shut_down()

    run(test())


def test_a_container_that_exits_later_is_restarted() -> None:
    async def test() -> None:
        bench = Bench()
        colour = bench.colour(a_deployment())
        await colour.bring_up()
        bench.runtime.exit_codes[bench.runtime.started[0].instance_id] = 137
        await bench.clock.wind(1)
        assert len(bench.runtime.started) == 2
        assert is_ready(colour)
        assert any("exit code 137" in event.message for event in colour.events)
        await colour.shut_down()

    run(test())


def test_readiness_is_lost_and_found_without_a_restart() -> None:
    async def test() -> None:
        bench = Bench()
        colour = bench.colour(a_deployment())
        await colour.bring_up()
        bench.prober.results["/ready"] = FAILED_PROBE
        await bench.clock.wind(19)
        assert is_ready(colour)
        await bench.clock.wind(2)
        assert not is_ready(colour)
        bench.prober.results.clear()
        await bench.clock.wind(5)
        assert is_ready(colour)
        assert len(bench.runtime.started) == 1
        await colour.shut_down()

    run(test())


def test_shutting_down_waits_for_pending_requests_but_no_longer_than_one_may_take() -> None:
    async def test() -> None:
        bench = Bench()
        colour = bench.colour(a_deployment())
        await colour.bring_up()
        colour.pending_requests = 1
        ending = asyncio.ensure_future(colour.shut_down())
        await bench.clock.wind(4.9)
        assert bench.runtime.running
        colour.pending_requests = 0
        await bench.clock.wind(0.1)
        await ending
        assert not bench.runtime.running

    run(test())

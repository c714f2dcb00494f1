import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from deployment.emulator.colour import Colour
from deployment.emulator.entities import OperationStatus, RequestSettings
from deployment.emulator.errors import BadRequestError, ResourceNotReadyError
from deployment.emulator.provisioning import State
from tests.lib.emulator_fakes import FAILED_PROBE, WANTED_DEPLOYMENT, Bench, a_deployment, run, settle

pytestmark = pytest.mark.unit


def serving(bench: Bench) -> Colour:
    colour = bench.colours.serving("diabetes", "blue")
    assert colour is not None
    return colour


async def brought_up(bench: Bench, instance_count: int) -> Colour:
    colour = bench.colour(a_deployment(instance_count=instance_count))
    await colour.bring_up()
    return colour


def chosen_ports(colour: Colour, requests: int) -> Counter[int]:
    """The scoring ports of the instances that would get the next requests, none of which ends."""
    ports: Counter[int] = Counter()
    for _ in range(requests):
        instance = colour.choose()
        assert instance is not None
        instance.pending_requests += 1
        ports[instance.scoring_port] += 1
    return ports


def test_as_many_instances_run_as_are_asked_for_and_all_must_be_ready() -> None:
    async def test() -> None:
        bench = Bench()
        bench.prober.ports_failing.add(40002)
        colour = bench.colour(a_deployment(instance_count=3))
        starting = asyncio.ensure_future(colour.bring_up())
        await bench.clock.wind(5)
        assert len(bench.runtime.running) == 3
        assert colour.ready
        assert not starting.done()
        bench.prober.ports_failing.clear()
        await bench.clock.wind(0.1)
        await starting
        await colour.shut_down()
        assert not bench.runtime.running

    run(test())


def test_one_instance_that_does_not_start_fails_them_all_and_is_the_one_in_the_log() -> None:
    async def test() -> None:
        bench = Bench()
        bench.prober.ports_failing.add(40002)
        colour = bench.colour(a_deployment(instance_count=3))
        starting = asyncio.ensure_future(colour.bring_up())
        await bench.clock.wind(31)
        with pytest.raises(ResourceNotReadyError):
            await starting
        assert not bench.runtime.running
        assert colour.status.container_start == "Failed"

    run(test())


def test_requests_are_spread_evenly_and_a_busy_instance_gets_none() -> None:
    async def test() -> None:
        bench = Bench()
        colour = await brought_up(bench, 3)
        assert chosen_ports(colour, 30) == {40001: 10, 40002: 10, 40003: 10}
        colour.instances[0].pending_requests += 5
        assert chosen_ports(colour, 10) == {40002: 5, 40003: 5}
        for each in colour.instances:
            each.pending_requests = 0
        await colour.shut_down()

    run(test())


def test_idle_instances_take_turns() -> None:
    async def test() -> None:
        bench = Bench()
        colour = await brought_up(bench, 3)
        chosen = [colour.choose() for _ in range(9)]
        assert Counter(each.scoring_port for each in chosen if each) == {40001: 3, 40002: 3, 40003: 3}
        await colour.shut_down()

    run(test())


def test_when_one_instance_is_killed_the_others_serve_and_it_is_restarted() -> None:
    async def test() -> None:
        bench = Bench()
        colour = await brought_up(bench, 2)
        bench.prober.ports_failing.add(40003)
        await colour.kill_instance(0)
        await bench.clock.wind(0.5)
        assert chosen_ports(colour, 4) == {40002: 4}
        assert any("exit code 137" in event.message for event in colour.events)
        bench.prober.ports_failing.clear()
        await bench.clock.wind(0.1)
        assert set(chosen_ports(colour, 5)) == {40002, 40003}
        for each in colour.instances:
            each.pending_requests = 0
        with pytest.raises(BadRequestError, match="no such instance"):
            await colour.kill_instance(2)
        await colour.shut_down()

    run(test())


def test_the_limit_of_pending_requests_grows_with_the_instances() -> None:
    settings = RequestSettings(max_concurrent_requests_per_instance=3)
    assert a_deployment(settings=settings).max_pending_requests == 6
    assert a_deployment(settings=settings, instance_count=4).max_pending_requests == 24


def test_an_update_of_the_instance_count_scales_up_and_down_without_restarting_the_rest() -> None:
    async def test() -> None:
        bench = Bench()
        await bench.with_colours(blue=100)
        for count, started in ((3, 3), (1, 3), (2, 4)):
            bench.deployments.put(replace(WANTED_DEPLOYMENT, instance_count=count))
            await bench.operations.settle()
            assert len(bench.runtime.running) == len(serving(bench).instances) == count
            assert len(bench.runtime.started) == started
            assert bench.deployments.get("diabetes", "blue").instance_count == count
        await bench.close()

    run(test())


def test_an_instance_that_is_scaled_away_finishes_its_requests() -> None:
    async def test() -> None:
        bench = Bench()
        await bench.with_colours(blue=100)
        bench.deployments.put(replace(WANTED_DEPLOYMENT, instance_count=2))
        await bench.operations.settle()
        colour = serving(bench)
        leaving = colour.instances[1]
        leaving.pending_requests = 1
        bench.deployments.put(WANTED_DEPLOYMENT)
        await bench.clock.wind(1)
        assert len(bench.runtime.running) == 2
        assert chosen_ports(colour, 3) == {40001: 3}
        leaving.pending_requests = 0
        await bench.clock.wind(0.1)
        await bench.operations.settle()
        assert len(bench.runtime.running) == 1
        colour.instances[0].pending_requests = 0
        await bench.close()

    run(test())


def test_scaling_up_that_fails_leaves_as_many_as_before() -> None:
    async def test() -> None:
        bench = Bench()
        await bench.with_colours(blue=100)
        bench.prober.ports_failing.add(40003)
        _, operation, _ = bench.deployments.put(replace(WANTED_DEPLOYMENT, instance_count=3))
        await settle()
        await bench.clock.wind(31)
        await bench.operations.settle()
        assert bench.operations.get(operation.id).status is OperationStatus.FAILED
        assert bench.deployments.get("diabetes", "blue").state is State.UPDATE_FAILED
        assert len(bench.runtime.running) == 1
        assert serving(bench).ready
        log = await bench.deployments.logs("diabetes", "blue", inference_server=True, tail=10)
        assert "UserContainerStart: Failed" in log
        await bench.close()

    run(test())


def test_an_unknown_instance_type_is_refused_by_its_name() -> None:
    async def test() -> None:
        bench = Bench()
        await bench.with_colours()
        with pytest.raises(BadRequestError, match="instance type 'Standard_X1' is not supported"):
            bench.deployments.put(replace(WANTED_DEPLOYMENT, instance_type="Standard_X1"))
        bench.deployments.put(replace(WANTED_DEPLOYMENT, instance_type="STANDARD_DS3_V2"))
        await bench.operations.settle()
        assert bench.runtime.started[0].sku is not None
        assert bench.runtime.started[0].sku.memory_gib == 14
        await bench.close()

    run(test())


def test_a_fault_of_the_emulator_itself_ends_as_failed_and_not_for_ever_under_way() -> None:
    async def test() -> None:
        bench = Bench()
        await bench.with_colours()
        bench.runtime.fault = RuntimeError("broken")
        _, operation, _ = bench.deployments.put(WANTED_DEPLOYMENT)
        await bench.operations.settle()
        assert bench.operations.get(operation.id).error_code == "InternalServerError"
        assert bench.deployments.get("diabetes", "blue").state is State.CREATION_FAILED
        await bench.close()

    run(test())


@pytest.mark.parametrize("is_failing", [True, False])
def test_a_colour_is_not_ready_while_none_of_its_instances_is(*, is_failing: bool) -> None:
    async def test() -> None:
        bench = Bench()
        colour = bench.colour(a_deployment(instance_count=2))
        if is_failing:
            bench.prober.results["/ready"] = FAILED_PROBE
        colour.resume()
        await bench.clock.wind(1)
        assert colour.ready is not is_failing
        assert (colour.choose() is None) is is_failing
        await colour.shut_down()

    run(test())

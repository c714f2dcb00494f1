import asyncio
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from deployment.emulator.colour import Colour
from deployment.emulator.entities import OperationStatus
from deployment.emulator.errors import BadRequestError
from deployment.emulator.provisioning import State, wire_state
from deployment.emulator.recovery import INTERRUPTED, recover
from deployment.emulator.store import FILE_NAME
from tests.lib.emulator_fakes import FAILED_PROBE, WANTED_DEPLOYMENT, Bench, run, settle

pytestmark = pytest.mark.unit


async def killed(bench: Bench, folder: Path) -> Path:
    """End a bench and answer a folder with what was on the disk before it ended: what a SIGKILL leaves."""
    left = copy_of_state(folder)
    await bench.close()
    return left


def copy_of_state(folder: Path) -> Path:
    left = folder / "killed"
    left.mkdir()
    for path in folder.glob(f"{FILE_NAME}*"):
        shutil.copy(path, left)
    return left


def restarted(folder: Path) -> Bench:
    """A new emulator on the folder."""
    bench = Bench(folder=folder)
    recover(bench.store, bench.colours, bench.clock)
    return bench


def serving(bench: Bench, name: str) -> Colour:
    colour = bench.colours.serving("diabetes", name)
    assert colour is not None
    return colour


def test_everything_is_there_again_and_the_colours_run(tmp_path: Path) -> None:
    async def test() -> None:
        bench = Bench(folder=tmp_path)
        await bench.with_colours(blue=90, green=10)
        endpoint, deployments = bench.endpoints.get("diabetes"), bench.deployments.all("diabetes")
        await bench.close()

        again = restarted(tmp_path)
        assert again.endpoints.get("diabetes") == endpoint
        assert again.deployments.all("diabetes") == deployments
        assert not serving(again, "blue").ready
        await again.clock.wind(0.1)
        assert serving(again, "blue").ready
        assert serving(again, "green").ready
        assert [spec.image for spec in again.runtime.started] == ["image", "image"]
        await again.close()

    run(test())


def test_a_creation_under_way_at_a_kill_is_failed_and_says_so(tmp_path: Path) -> None:
    async def test() -> None:
        bench = Bench(folder=tmp_path)
        await bench.with_colours()
        bench.prober.results["/ready"] = FAILED_PROBE
        _, operation, _ = bench.deployments.put(WANTED_DEPLOYMENT)
        await settle()
        again = restarted(await killed(bench, tmp_path))
        ended = again.operations.get(operation.id)
        assert (ended.status, ended.error_message) == (OperationStatus.FAILED, INTERRUPTED)
        assert wire_state(again.deployments.get("diabetes", "blue").state) == "Failed"
        await settle()
        assert again.runtime.started == []
        with pytest.raises(BadRequestError, match="Delete and re-create"):
            again.deployments.put(WANTED_DEPLOYMENT)
        again.deployments.delete("diabetes", "blue")
        await again.operations.settle()
        assert again.deployments.all("diabetes") == []
        await again.close()

    run(test())


def test_after_an_update_under_way_at_a_kill_what_ran_before_runs(tmp_path: Path) -> None:
    async def test() -> None:
        bench = Bench(folder=tmp_path)
        await bench.with_colours(blue=100)
        bench.prober.results["/ready"] = FAILED_PROBE
        bench.deployments.put(replace(WANTED_DEPLOYMENT, environment_variables={"NEW": "1"}))
        await settle()
        again = restarted(await killed(bench, tmp_path))
        assert again.deployments.get("diabetes", "blue").state is State.UPDATE_FAILED
        await again.clock.wind(0.1)
        assert serving(again, "blue").ready
        assert [dict(spec.environment_variables) for spec in again.runtime.started] == [{}]
        await again.close()

    run(test())


def test_an_update_is_not_over_at_a_kill_while_what_ran_before_has_not_ended(tmp_path: Path) -> None:
    async def test() -> None:
        bench = Bench(folder=tmp_path)
        await bench.with_colours(blue=100)
        bench.runtime.stop_gate = asyncio.Event()
        bench.deployments.put(replace(WANTED_DEPLOYMENT, environment_variables={"NEW": "1"}))
        await settle()
        assert [dict(spec.environment_variables) for spec in bench.runtime.started] == [{}, {"NEW": "1"}]
        left = copy_of_state(tmp_path)
        bench.runtime.stop_gate.set()
        await bench.close()
        again = restarted(left)
        assert again.deployments.get("diabetes", "blue").state is State.UPDATE_FAILED
        await again.clock.wind(0.1)
        assert [dict(spec.environment_variables) for spec in again.runtime.started] == [{}]
        await again.close()

    run(test())


def test_a_deletion_under_way_at_a_kill_is_finished(tmp_path: Path) -> None:
    async def test() -> None:
        bench = Bench(folder=tmp_path)
        await bench.with_colours(blue=0, green=0)
        bench.deployments.delete("diabetes", "blue")
        left = await killed(bench, tmp_path)
        again = restarted(left)
        assert [each.name for each in again.deployments.all("diabetes")] == ["green"]
        again.endpoints.delete("diabetes")
        last = restarted(await killed(again, left))
        assert last.endpoints.all() == []
        assert last.colours.serving("diabetes", "green") is None
        await last.close()

    run(test())


def test_a_deleted_deployment_does_not_run_again(tmp_path: Path) -> None:
    async def test() -> None:
        bench = Bench(folder=tmp_path)
        await bench.with_colours(blue=0)
        bench.deployments.delete("diabetes", "blue")
        await bench.operations.settle()
        await bench.close()
        again = restarted(tmp_path)
        await settle()
        assert again.runtime.started == []
        await again.close()

    run(test())


def test_a_colour_whose_image_is_gone_is_tried_again_until_it_is_back(tmp_path: Path) -> None:
    async def test() -> None:
        bench = Bench(folder=tmp_path)
        await bench.with_colours(blue=100)
        await bench.close()
        again = Bench(folder=tmp_path)
        again.runtime.unknown_images.add("image")
        recover(again.store, again.colours, again.clock)
        await again.clock.wind(5)
        assert not serving(again, "blue").ready
        assert again.deployments.get("diabetes", "blue").state is State.SUCCEEDED
        again.runtime.unknown_images.clear()
        await again.clock.wind(20)
        assert serving(again, "blue").ready
        await again.close()

    run(test())

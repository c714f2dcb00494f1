"""What every runtime must do: the same tests for containers and for processes."""

import asyncio
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import pytest

from deployment.emulator.errors import ImagePullError
from deployment.emulator.runtime import InstanceSpec, Runtime
from deployment.emulator.skus import sku_named
from tests.lib.emulator import ask_tiny_server
from tests.lib.emulator_fakes import run

KILLED = 137


@dataclass(frozen=True)
class Rig:
    """A way to make runtimes of one id, the tiny server as an image of theirs, and how many instances there are."""

    new_runtime: Callable[[], Runtime]
    image: str
    count_left: Callable[[], int]


def spec(image: str, instance_id: str = "one", **variables: str) -> InstanceSpec:
    return InstanceSpec(instance_id, image, variables, 8003, frozenset({8003}), sku=sku_named("Standard_DS1_v2"))


async def exit_of(runtime: Runtime, instance_id: str = "one") -> int:
    """Answer how the instance ended, once it has."""
    for _ in range(1000):
        code = await runtime.exit_code(instance_id)
        if code is not None:
            return code
        await asyncio.sleep(0.02)
    raise AssertionError("it still runs")


class RuntimeContract:
    """Collected through a subclass whose module has the fixture rig."""

    def test_an_instance_answers_sees_its_variables_and_its_output_outlives_it(self, rig: Rig) -> None:
        async def test() -> None:
            runtime = rig.new_runtime()
            image = await runtime.pull(rig.image)
            instance = await runtime.start(spec(image, NAME="blue"))
            assert ask_tiny_server(instance.host_ports[8003])["name"] == "blue"
            assert await runtime.exit_code("one") is None
            assert "tiny server starts" in await runtime.logs("one", 50)
            await runtime.stop("one", 5)
            await runtime.stop("one", 5)
            assert rig.count_left() == 0
            assert "tiny server starts" in await runtime.logs("one", 50)
            assert await runtime.logs("one", 0) == ""

        run(test())

    def test_the_metrics_port_has_a_host_port_of_its_own(self, rig: Rig) -> None:
        async def test() -> None:
            runtime = rig.new_runtime()
            image = await runtime.pull(rig.image)
            instance = await runtime.start(replace(spec(image), metrics_port=8004))
            assert instance.host_ports[8004] > 0
            assert instance.host_ports[8004] != instance.host_ports[8003]
            await runtime.stop("one", 5)

        run(test())

    def test_instances_of_one_image_are_apart(self, rig: Rig) -> None:
        async def test() -> None:
            runtime = rig.new_runtime()
            image = await runtime.pull(rig.image)
            names = ("one", "two")
            started = await asyncio.gather(*(runtime.start(spec(image, name, NAME=name)) for name in names))
            seen = [ask_tiny_server(instance.host_ports[8003])["name"] for instance in started]
            assert seen == ["one", "two"]
            await runtime.stop("one", 5)
            assert ask_tiny_server(started[1].host_ports[8003])["name"] == "two"
            assert rig.count_left() == 1
            await runtime.stop("two", 5)

        run(test())

    def test_one_that_exits_tells_how_and_is_started_again_with_its_output_kept(self, rig: Rig) -> None:
        async def test() -> None:
            runtime = rig.new_runtime()
            image = await runtime.pull(rig.image)
            instance = await runtime.start(spec(image))
            ask_tiny_server(instance.host_ports[8003])
            with pytest.raises(OSError, match=r"closed|reset|Remote end"):
                await asyncio.to_thread(
                    urllib.request.urlopen, f"http://127.0.0.1:{instance.host_ports[8003]}/exit/", timeout=5
                )
            assert await exit_of(runtime) == 7
            await runtime.stop("one", 5)
            again = await runtime.start(spec(image))
            ask_tiny_server(again.host_ports[8003])
            assert await runtime.exit_code("one") is None
            assert (await runtime.logs("one", 50)).count("tiny server starts") == 2
            await runtime.stop("one", 5)

        run(test())

    def test_one_that_is_killed_has_exited_and_is_there_until_it_is_stopped(self, rig: Rig) -> None:
        async def test() -> None:
            runtime = rig.new_runtime()
            instance = await runtime.start(spec(await runtime.pull(rig.image)))
            ask_tiny_server(instance.host_ports[8003])
            await runtime.kill("one")
            assert await exit_of(runtime) == KILLED
            await runtime.kill("one")
            await runtime.kill("never started")
            await runtime.stop("one", 5)
            await runtime.kill("one")
            assert rig.count_left() == 0

        run(test())

    def test_model_and_code_are_where_the_platforms_variables_say(self, rig: Rig, tmp_path: Path) -> None:
        model, code = tmp_path / "diabetes", tmp_path / "src"
        model.mkdir()
        (code / "online").mkdir(parents=True)
        (model / "model.joblib").touch()
        (code / "online" / "score.py").touch()

        async def test() -> None:
            runtime = rig.new_runtime()
            wanted = replace(
                spec(await runtime.pull(rig.image)),
                model_dir=model,
                model_mount=PurePosixPath("/var/azureml-app/azureml-models/diabetes/3"),
                code_dir=code,
                entry_script="online/score.py",
            )
            instance = await runtime.start(wanted)
            port = instance.host_ports[8003]
            assert ask_tiny_server(port, "/list/AZUREML_MODEL_DIR")["seen"] == ["model.joblib"]
            assert ask_tiny_server(port, "/list/AML_APP_ROOT")["seen"] == ["score.py"]
            assert "AZUREML_ENTRY_SCRIPT" in ask_tiny_server(port)["variables"]
            await runtime.stop("one", 5)

        run(test())

    def test_an_image_that_cannot_be_had_is_refused(self, rig: Rig) -> None:
        async def test() -> None:
            for absent in (f"tiny@sha256:{'0' * 64}", "absent/tiny:1"):
                with pytest.raises(ImagePullError, match="Unable to download user container image"):
                    await rig.new_runtime().pull(absent)

        run(test())

    def test_what_an_earlier_runtime_left_is_removed_by_the_next(self, rig: Rig) -> None:
        async def test() -> None:
            runtime = rig.new_runtime()
            await runtime.start(spec(await runtime.pull(rig.image)))
            assert rig.count_left() == 1
            await rig.new_runtime().remove_all()
            assert rig.count_left() == 0
            await exit_of(runtime)
            await runtime.remove_all()

        run(test())

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployment.emulator.errors import ImagePullError, ResourceNotReadyError
from deployment.emulator.process_tree import marked_processes
from deployment.emulator.processes import MARK, ProcessRuntime, free_loopback_ports
from deployment.emulator.runtime import InstanceSpec
from tests.lib.emulator import ask_tiny_server, wait_until, write_bundle
from tests.lib.emulator_fakes import run

pytestmark = pytest.mark.unit
TINY_SERVER = Path(__file__).parents[2] / "lib" / "tiny_server.py"
PORTS = frozenset({8003})
# Its child leaves the process group and the session, as a careless server's may.
WITH_A_CHILD = """
import subprocess, sys
subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], start_new_session=True)
"""


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[ProcessRuntime]:
    emulator_id = f"test-{os.getpid()}"
    yield ProcessRuntime(tmp_path / "bundles", tmp_path / "logs", emulator_id)
    assert marked_processes(f"{MARK}={emulator_id}/") == []


def spec(image: str, **variables: str) -> InstanceSpec:
    return InstanceSpec("one", image.rpartition(":")[2], variables, 8003, PORTS)


def test_an_image_without_a_bundle_cannot_be_pulled(runtime: ProcessRuntime, tmp_path: Path) -> None:
    async def test() -> None:
        for image in ("app:1", "registry/app@sha256:12", f"app@sha256:{'0' * 64}", f"app@sha256:{'../' * 21}x"):
            with pytest.raises(ImagePullError):
                await runtime.pull(image)
        image = write_bundle(tmp_path / "bundles", "")
        assert await runtime.pull(image) == image.rpartition(":")[2]

    run(test())


def test_an_instance_sees_its_variables_and_nothing_of_the_emulators(
    runtime: ProcessRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDENTITY_HEADER", "secret")
    image = write_bundle(
        tmp_path / "bundles", TINY_SERVER.read_text(), variables={"API_SERVER_PORT": "{scoring_port}", "OTHER": "1"}
    )

    async def test() -> None:
        instance = await runtime.start(spec(image, NAME="blue", OTHER="2"))
        answer = ask_tiny_server(instance.host_ports[8003])
        assert answer["name"] == "blue"
        expected = {"API_SERVER_PORT", "HOME", "LANG", MARK, "NAME", "OTHER", "PATH", "PYTHONPATH", "TMPDIR"}
        # LC_CTYPE is Python's own doing.
        assert set(answer["variables"]) - {"LC_CTYPE"} == expected
        await runtime.stop("one", 5)
        assert "tiny server starts" in await runtime.logs("one", 10)

    run(test())


def test_stopping_ends_children_that_left_the_group_too(runtime: ProcessRuntime, tmp_path: Path) -> None:
    script = WITH_A_CHILD + TINY_SERVER.read_text()
    image = write_bundle(tmp_path / "bundles", script)

    async def test() -> None:
        instance = await runtime.start(spec(image))
        ask_tiny_server(instance.host_ports[8003])
        assert len(marked_processes(f"{MARK}=test-{os.getpid()}/one")) == 2
        await runtime.stop("one", 5)
        await runtime.stop("one", 5)

    run(test())


def test_another_runtime_with_the_same_id_removes_what_was_left(runtime: ProcessRuntime) -> None:
    mark = f"test-{os.getpid()}/old"
    left = subprocess.Popen(
        [sys.executable, "-c", "import signal; signal.pause()"], env={MARK: mark}, start_new_session=True
    )
    wait_until(lambda: marked_processes(f"{MARK}={mark}") == [left.pid], 10)
    run(runtime.remove_all())
    assert left.wait(10) == -9


def test_homes_that_were_left_are_removed_with_the_rest(runtime: ProcessRuntime, tmp_path: Path) -> None:
    image = write_bundle(tmp_path / "bundles", "import signal; signal.pause()")

    def homes() -> list[Path]:
        return list(Path(tempfile.gettempdir()).glob(f"local-azureml-test-{os.getpid()}-*"))

    async def test() -> None:
        await runtime.start(spec(image))
        assert len(homes()) == 1
        # As another emulator on the same folder, after this one was killed.
        await ProcessRuntime(tmp_path / "bundles", tmp_path / "logs", f"test-{os.getpid()}").remove_all()
        assert homes() == []
        await runtime.remove_all()

    run(test())


def test_an_instance_that_exits_tells_how(runtime: ProcessRuntime, tmp_path: Path) -> None:
    image = write_bundle(tmp_path / "bundles", "import sys; print('bye'); sys.exit(3)")

    async def test() -> None:
        await runtime.start(spec(image))
        (running,) = runtime._running.values()  # noqa: SLF001 - the exit is awaited without polling
        running.process.wait(20)
        assert await runtime.exit_code("one") == 3
        assert await runtime.logs("one", 10) == "bye\n"
        await runtime.stop("one", 1)

    run(test())


def test_a_command_that_does_not_exist_or_a_bad_manifest_is_not_ready(runtime: ProcessRuntime, tmp_path: Path) -> None:
    image = write_bundle(tmp_path / "bundles", "")
    manifest = tmp_path / "bundles" / image.rpartition(":")[2] / "bundle.json"

    async def test() -> None:
        for content in ('{"command": ["no-such-command"]}', '{"command": []}', "{"):
            manifest.write_text(content)
            with pytest.raises(ResourceNotReadyError):
                await runtime.start(spec(image))

    run(test())


def test_free_ports_are_different() -> None:
    assert len(set(free_loopback_ports(20))) == 20

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployment.emulator.process_tree import marked_processes
from deployment.emulator.processes import MARK, ProcessRuntime
from tests.lib.emulator import write_bundle
from tests.lib.emulator_fakes import run
from tests.lib.runtime_contract import Rig, RuntimeContract, spec

pytestmark = pytest.mark.release
TINY_SERVER = Path(__file__).parents[1] / "lib" / "tiny_server.py"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    emulator_id = f"contract-{os.getpid()}"
    image = write_bundle(tmp_path / "bundles", TINY_SERVER.read_text())

    def new_runtime() -> ProcessRuntime:
        return ProcessRuntime(tmp_path / "bundles", tmp_path / "logs", emulator_id)

    yield Rig(new_runtime, image, lambda: len(marked_processes(f"{MARK}={emulator_id}/")))
    run(new_runtime().remove_all())
    assert marked_processes(f"{MARK}={emulator_id}/") == []


class TestProcesses(RuntimeContract):
    """The contract, held by processes."""


# Ends once as many as it is told have been asked to end.
MEETING = """
import os, pathlib, signal, sys, time
def meet(*_):
    folder = pathlib.Path(os.environ["MEETING"])
    (folder / str(os.getpid())).touch()
    while len(list(folder.iterdir())) < int(os.environ["EXPECTED"]):
        time.sleep(0.01)
    print("all met", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, meet)
print("here", flush=True)
while True:
    time.sleep(0.01)  # not pause(), which misses a signal that comes just before it
"""


def test_instances_end_side_by_side_however_long_each_takes(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "meeting").mkdir()
    names = [str(number) for number in range(12)]
    image = write_bundle(tmp_path / "bundles", MEETING)

    async def test() -> None:
        runtime = rig.new_runtime()
        digest = await runtime.pull(image)
        variables = {"MEETING": str(tmp_path / "meeting"), "EXPECTED": str(len(names))}
        await asyncio.gather(*(runtime.start(spec(digest, name, **variables)) for name in names))
        for name in names:
            while "here" not in await runtime.logs(name, 10):  # noqa: ASYNC110 - another process writes it
                await asyncio.sleep(0.02)
        await asyncio.gather(*(runtime.stop(name, 15) for name in names))
        for name in names:
            assert "all met" in await runtime.logs(name, 10)

    run(test())

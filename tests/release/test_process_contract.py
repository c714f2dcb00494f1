import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployment.emulator.process_tree import marked_processes
from deployment.emulator.processes import MARK, ProcessRuntime
from tests.lib.emulator import write_bundle
from tests.lib.emulator_fakes import run
from tests.lib.runtime_contract import Rig, RuntimeContract

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

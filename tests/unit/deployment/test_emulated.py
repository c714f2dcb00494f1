"""The emulator as a process beside a command: started, or told why not."""

import subprocess
from pathlib import Path

import pytest

from deployment import emulated
from deployment.emulated import wait_for_file
from deployment.outcomes import PlatformError

pytestmark = pytest.mark.unit


def test_an_emulator_that_ends_early_is_told_with_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "emulator.log"
    log.write_text("containers: no Docker Engine answers\n")
    with subprocess.Popen(["sh", "-c", "exit 3"]) as process:
        process.wait()
        with pytest.raises(
            PlatformError, match=r"did not start \(exit code 3\); its last lines:\ncontainers: no Docker"
        ):
            wait_for_file(tmp_path / "emulator.env", process, log)


def test_one_that_takes_too_long_is_not_waited_for_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulated, "START_TIMEOUT_S", 0)
    monkeypatch.setattr(emulated, "LOOK_S", 0.001)
    (tmp_path / "emulator.log").touch()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        with pytest.raises(PlatformError, match=r"did not start \(exit code None\)"):
            wait_for_file(tmp_path / "emulator.env", process, tmp_path / "emulator.log")
        (tmp_path / "emulator.env").touch()
        wait_for_file(tmp_path / "emulator.env", process, tmp_path / "emulator.log")

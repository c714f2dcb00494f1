"""The emulator of Azure ML as a process beside this one, for commands that need no cloud."""

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from time import monotonic

from deployment.outcomes import PlatformError
from deployment.signals import undisturbed

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 60
LOOK_S = 0.05
LAST_LINES = 10


@contextmanager
def emulator(folder: Path, bundles: Path, runtime: str) -> Iterator[Mapping[str, str]]:
    """Run the emulator and yield the environment that leads the SDK to it, which has to be set before that is imported.

    Whatever ends the block, the emulator is told to end and waited for, and with it go the containers or processes.
    """
    env_file, log = folder / "emulator.env", folder / "emulator.log"
    bundles.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "deployment.emulator", "--state-dir", str(folder / "emulator")]
    command += ["--runtime", runtime, "--bundles", str(bundles), "--env-file", str(env_file)]
    with log.open("w") as output:
        # A session of its own: ^C in the terminal ends it through this process, and in order.
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        wait_for_file(env_file, process, log)
        yield dict(line.split("=", 1) for line in env_file.read_text(encoding="utf-8").splitlines())
    finally:
        with undisturbed(lambda _: None):
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_TIMEOUT_S)


def wait_for_file(path: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return once the file is there; raises PlatformError where the process ends or takes too long."""
    deadline_s = monotonic() + START_TIMEOUT_S
    while not path.exists():
        if process.poll() is not None or monotonic() > deadline_s:
            tail = "\n".join(log.read_text(encoding="utf-8").splitlines()[-LAST_LINES:])
            raise PlatformError(f"emulator: it did not start (exit code {process.poll()}); its last lines:\n{tail}")
        Event().wait(LOOK_S)

"""azmlinfsrv with the service as processes of this machine, started as the emulator's process runtime does."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from deployment.emulator.processes import free_loopback_ports
from deployment.image import BUNDLE
from service.probe import probe
from tests.lib.emulator import wait_until

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class RunningService:
    """A started azmlinfsrv; `probed` is the process id that the scoring port answers with."""

    process: subprocess.Popen[bytes]
    port: int
    azmlinfsrv_port: int
    log_path: Path

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    @property
    def workers(self) -> list[int]:
        return children_of(self.process.pid)

    @property
    def scorers(self) -> list[int]:
        return [child for worker in self.workers for child in children_of(worker)]

    def probed(self) -> int | None:
        return probe("127.0.0.1", self.port)

    def wait_until_ready(self) -> None:
        wait_until(lambda: self.probed() is not None or self.has_ended(), START_TIMEOUT_S, self.log_path)
        assert not self.has_ended(), self.log
        # The port answers a moment before azmlinfsrv has noticed, and a preloaded one forks its workers after that.
        for line in ("ready for serving traffic", "Booting worker with pid"):
            wait_until(partial(self.has_logged, line), START_TIMEOUT_S, self.log_path)

    def has_logged(self, text: str) -> bool:
        return text in self.log

    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def exit_code(self) -> int:
        return self.process.wait(STOP_TIMEOUT_S)


@contextmanager
def started_service(bundle: Path, log_path: Path, **variables: str) -> Iterator[RunningService]:
    """Start the bundle's command; whatever is left of it at the end is killed."""
    port, azmlinfsrv_port = free_loopback_ports(2)

    def fill(text: str) -> str:
        return text.replace("{scoring_port}", str(port)).replace("{azmlinfsrv_port}", str(azmlinfsrv_port))

    environ = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"]),
        "PYTHONPATH": str(bundle),
        "TMPDIR": str(log_path.parent),
        **{name: fill(value) for name, value in BUNDLE["env"].items()},
        **variables,
    }
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [fill(part) for part in BUNDLE["command"]],
            cwd=bundle,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    service = RunningService(process, port, azmlinfsrv_port, log_path)
    try:
        yield service
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        finally:
            process.kill()
            process.wait()


def children_of(pid: int) -> list[int]:
    """Return the process ids of a process's children; none where it has ended."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def is_running(pid: int) -> bool:
    """Say whether there is such a process, and not just what is left of it for its parent to read."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def kill(pid: int, signal_number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to one process of a test."""
    os.kill(pid, signal_number)

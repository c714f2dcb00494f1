"""A server under measurement: started on its core, asked until it answers, ended with all that it started."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.machine import pinned

START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 10.0
POLL_S = 0.01
LAST_CHARACTERS = 600
# What of this shell's environment a server gets.
KEPT = ("LANG", "LC_ALL", "LD_LIBRARY_PATH")


@dataclass(frozen=True)
class Launch:
    """A command, what its environment has besides PATH and HOME, and where it answers GET with 200 once it is ready."""

    command: list[str]
    port: int
    programs: Path
    environ: dict[str, str] = field(default_factory=dict)
    ready_path: str = "/"
    cwd: Path | None = None


class Server:
    """A process of its own session, on one core unless that is None.

    Its output goes to a file in `folder`, which is its home and working folder.
    """

    def __init__(self, launch: Launch, folder: Path, core: int | None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.launch = launch
        self.port = launch.port
        self._folder = folder
        self._core = core
        self._process: subprocess.Popen[bytes] | None = None
        self._started_s = 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the command; returns at once."""
        launch = self.launch
        environ = {name: os.environ[name] for name in KEPT if name in os.environ}
        environ |= {
            "PATH": os.pathsep.join([str(launch.programs), "/usr/local/bin", "/usr/bin", "/bin"]),
            "HOME": str(self._folder),
            "TMPDIR": str(self._folder),
        }
        with self._log_path.open("wb") as log:
            self._started_s = time.monotonic()
            self._process = subprocess.Popen(
                launch.command if self._core is None else pinned(self._core, launch.command),
                cwd=launch.cwd or self._folder,
                env=environ | launch.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_ready(self) -> float:
        """Return the seconds from the start of the command to its first 200; raises BenchmarkError where none comes."""
        while time.monotonic() < self._started_s + START_TIMEOUT_S:
            if self.answers():
                return time.monotonic() - self._started_s
            if self._process is None or self._process.poll() is not None:
                raise BenchmarkError(f"it ended before it answered: {self._last_lines()}")
            time.sleep(POLL_S)
        raise BenchmarkError(f"it did not answer within {START_TIMEOUT_S:g} s: {self._last_lines()}")

    def answers(self) -> bool:
        """Say whether GET of the ready path is 200 now."""
        with suppress(OSError, HTTPException):
            return self.ask("GET", self.launch.ready_path)[0] == HTTPStatus.OK
        return False

    def ask(self, method: str, path: str, body: str | None = None) -> tuple[int, bytes]:
        """Return status and body of one request on a connection of its own."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def stop(self) -> None:
        """End the command, and what is left of its session."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        finally:
            for pid in _session(self._process.pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    @property
    def _log_path(self) -> Path:
        return self._folder / "output.log"

    def _last_lines(self) -> str:
        return self._log_path.read_text(encoding="utf-8", errors="replace").strip()[-LAST_CHARACTERS:]


def stop_all(servers: list[Server]) -> None:
    """End them at the same time's expense of the slowest."""
    for server in servers:
        server.stop()


def started_s(pid: int) -> float:
    """Return when a process was started, on time.CLOCK_BOOTTIME's clock; to 10 ms."""
    ticks = int(_stat(pid)[19])
    return ticks / os.sysconf("SC_CLK_TCK")


def _session(leader: int) -> list[int]:
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            with suppress(OSError, IndexError):
                if int(_stat(int(path.name))[3]) == leader:
                    found.append(int(path.name))
    return found


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on (proc(5) numbers it 3)."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()

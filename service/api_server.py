"""The scoring server as azmlinfsrv's workers see it: one uvicorn child, however many of them there are."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from service.line_forwarder import LineForwarder
from service.port_lock import PortLock
from service.probe import probe

START_TIMEOUT_S = 120.0
# Below gunicorn's 30 s for a worker's end; requests end after 5 s where deployment.yml does not say otherwise.
DRAIN_TIMEOUT_S = 20.0
KILL_AFTER_DRAIN_S = 3.0
PROBE_INTERVAL_S = 0.02
LAST_LINES_TIMEOUT_S = 1.0
MODEL_REFUSED = 4  # the engine's exit code

logger = logging.getLogger(__name__)


class ApiServerError(Exception):
    """The scoring server could not be started."""


class ApiServer:
    """service.uvicorn_server in a child process.

    Of several instances for one port on one machine, a single one starts the child; the others wait until it answers.
    The child ends with the process that started it. `on_unexpected_end` is called, in a thread, with the exit code of a
    child that was ready and ended without terminate(); minus the signal's number where a signal ended it.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        app_root: Path,
        on_unexpected_end: Callable[[int], None],
        start_timeout_s: float = START_TIMEOUT_S,
        drain_timeout_s: float = DRAIN_TIMEOUT_S,
    ) -> None:
        self._host = host
        self._port = port
        self._app_root = app_root
        self._on_unexpected_end = on_unexpected_end
        self._start_timeout_s = start_timeout_s
        self._drain_timeout_s = drain_timeout_s
        self._lock = PortLock(port)
        self._owner_pid: int | None = None
        self._child: subprocess.Popen[str] | None = None
        self._watcher: threading.Thread | None = None
        self._forwarder: LineForwarder | None = None
        self._ready = threading.Event()
        self._ended = threading.Event()
        self._terminating = threading.Event()

    @property
    def pid(self) -> int | None:
        """The child's process id; None in an instance that started none."""
        return self._child.pid if self._child else None

    def start(self) -> None:
        """Return when the scoring server answers.

        To be called in a thread that lives on: the kernel takes its end for the end of the child's parent. Raises
        ApiServerError, with the child's last log lines, where it ends or does not answer in time.
        """
        deadline = time.monotonic() + self._start_timeout_s
        while time.monotonic() < deadline:
            if self._lock.acquire():
                self._start_child()
                self._wait_until_ready(deadline)
                return
            if probe(self._host, self._port) is not None:
                logger.info("another worker's scoring server answers on %d", self._port)
                return
            time.sleep(PROBE_INTERVAL_S)
        raise ApiServerError(
            f"api server: another worker holds port {self._port}, and nothing answers on it "
            f"(waited {self._start_timeout_s:g} s); see its log lines"
        )

    def is_alive(self) -> bool:
        """Say whether the child of this instance runs."""
        return self._child is not None and not self._ended.is_set()

    def terminate(self) -> None:
        """End the child after its requests in flight; does nothing where this process started none."""
        if self._child is None or self._owner_pid != os.getpid() or self._watcher is None:
            return
        self._terminating.set()
        if not self._ended.is_set():
            logger.info("ending uvicorn on PID %d when its requests are answered", self._child.pid)
            self._child.terminate()
        if not self._ended.wait(self._drain_timeout_s + KILL_AFTER_DRAIN_S):
            logger.error("uvicorn on PID %d did not end in time; killing it", self._child.pid)
            self._child.kill()
        self._watcher.join()
        self._lock.release()

    def _start_child(self) -> None:
        self._owner_pid = os.getpid()
        self._child = subprocess.Popen(
            [
                *(sys.executable, "-m", "service.uvicorn_server"),
                *("--host", self._host, "--port", str(self._port), "--parent-pid", str(os.getpid())),
                *("--drain-timeout-s", str(round(self._drain_timeout_s))),
            ],
            cwd=self._app_root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            # The lock lives as long as the child does, even where this process is killed before it.
            pass_fds=(self._lock.fileno(),),
            # Ctrl-C and a signal to the whole group reach this process alone, which then drains the child.
            process_group=0,
        )
        logger.info("uvicorn started as a child on PID %d for port %d", self._child.pid, self._port)
        if self._child.stdout is not None:
            self._forwarder = LineForwarder(self._child.stdout, self._child.pid)
            self._forwarder.start()
        self._watcher = threading.Thread(target=self._watch, args=(self._child,), name="uvicorn-watcher", daemon=True)
        self._watcher.start()

    def _watch(self, child: subprocess.Popen[str]) -> None:
        exit_code = child.wait()
        # What a model started, such as joblib's processes, would live on, and hold the end of the pipe.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        if self._forwarder:
            self._forwarder.join(LAST_LINES_TIMEOUT_S)
        self._ended.set()
        if self._ready.is_set() and not self._terminating.is_set():
            self._on_unexpected_end(exit_code)

    def _wait_until_ready(self, deadline: float) -> None:
        while probe(self._host, self._port) != self.pid:
            if self._ended.is_set() or time.monotonic() >= deadline:
                self._give_up()
            self._ended.wait(PROBE_INTERVAL_S)
        self._ready.set()
        if self._ended.is_set():
            self._give_up()
        logger.info("ready on %d (PID %d)", self._port, self.pid)

    def _give_up(self) -> None:
        ended = self._ended.is_set()
        self.terminate()
        exit_code = self._child.returncode if self._child else None
        last_lines = self._forwarder.last_lines() if self._forwarder else ""
        why = " (the model was refused)" if exit_code == MODEL_REFUSED else ""
        what = f"ended with exit code {exit_code}{why} before it was ready" if ended else "did not answer in time"
        raise ApiServerError(
            f"api server: uvicorn for port {self._port} {what} (limit {self._start_timeout_s:g} s); "
            f"its last lines:\n{last_lines}"
        )

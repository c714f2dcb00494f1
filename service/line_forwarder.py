"""Carries the child's log lines to this process's stdout."""

import json
import logging
import queue
import sys
import threading
from collections import deque
from typing import IO

LAST_LINES = 20
QUEUED_LINES = 10_000

logger = logging.getLogger(__name__)


class LineForwarder:
    """Reads lines as they come, so that their writer never waits for this process's stdout, and writes them there.

    JSON lines go on as they are, other lines as the message of one. Where stdout is stuck, QUEUED_LINES wait for it; of
    those beyond, a warning tells the number.
    """

    def __init__(self, lines: IO[str], pid: int) -> None:
        self._lines = lines
        self._pid = pid
        self._queue: queue.Queue[str | None] = queue.Queue(QUEUED_LINES)
        self._last_lines: deque[str] = deque(maxlen=LAST_LINES)
        self._lost_lines = 0
        self._threads = [
            threading.Thread(target=target, name=f"uvicorn-{target.__name__}", daemon=True)
            for target in (self._read, self._write)
        ]

    def start(self) -> None:
        """Forward until all who can write have closed their end."""
        for thread in self._threads:
            thread.start()

    def join(self, timeout_s: float) -> None:
        """Wait for the last line to be written; no longer than the time-out, as another process may hold the end."""
        for thread in self._threads:
            thread.join(timeout_s)

    def last_lines(self) -> str:
        """Return the last LAST_LINES lines as they came."""
        return "".join(self._last_lines)

    def _read(self) -> None:
        with self._lines:
            for line in self._lines:
                self._last_lines.append(line)
                try:
                    self._queue.put_nowait(line)
                except queue.Full:
                    self._lost_lines += 1
        self._queue.put(None)

    def _write(self) -> None:
        while (line := self._queue.get()) is not None:
            if is_json_object(line):
                sys.__stdout__.write(line)  # type: ignore[union-attr]  # None only where there is no console
                sys.__stdout__.flush()  # type: ignore[union-attr]  # as above
            elif line.strip():
                logger.info("%s", line.rstrip(), extra={"fields": {"pid": self._pid}})
            if self._lost_lines:
                lost, self._lost_lines = self._lost_lines, 0
                logger.warning("%d log lines of uvicorn were lost; nobody read this process's stdout", lost)


def is_json_object(line: str) -> bool:
    """Say whether a line is a log line already."""
    if not line.startswith("{"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False

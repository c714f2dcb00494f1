"""JSON lines, one format for azmlinfsrv, its workers and uvicorn; logging.json applies it to all of them."""

import json
import logging
import os
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from io import TextIOBase
from types import TracebackType
from typing import TextIO

DEFAULT_LEVEL = "INFO"
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, pid, logger, message, and the record's `fields` where it has them."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; a traceback follows the message inside it."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "pid": record.process,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["message"] += "\n" + self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class WithoutProbes(logging.Filter):
    """Drops azmlinfsrv's access lines of `GET /`."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether the line is worth keeping."""
        return '"GET / HTTP' not in record.getMessage()


class LogLines(TextIOBase):
    """A text stream that logs each line written to it; those that are log lines already go to `stdout` as they are."""

    def __init__(self, name: str, level: int, stdout: TextIO) -> None:
        super().__init__()
        self._logger = logging.getLogger(name)
        self._level = level
        self._stdout = stdout
        self._of_thread = threading.local()

    def write(self, text: str) -> int:
        """Keep what has no end of line yet; each thread has lines of its own."""
        *lines, self._of_thread.rest = (getattr(self._of_thread, "rest", "") + text).split("\n")
        for line in lines:
            self._log(line.rstrip())
        return len(text)

    def fileno(self) -> int:
        """Return stdout's own descriptor, for those who write past Python, as faulthandler does."""
        return self._stdout.fileno()

    def writable(self) -> bool:
        return True

    def _log(self, line: str) -> None:
        if line.startswith("{"):
            self._stdout.write(line + "\n")
            self._stdout.flush()
        elif line.strip("- "):
            self._logger.log(self._level, "%s", line)


def level_from(environ: Mapping[str, str]) -> str:
    """Return LOG_LEVEL in capitals; INFO where it is none of LEVELS, which ServiceSettings refuses with a message."""
    level = environ.get("LOG_LEVEL", DEFAULT_LEVEL).upper()
    return level if level in LEVELS else DEFAULT_LEVEL


def stdout_handler() -> logging.Handler:
    """Return logging.json's one handler, and have warnings and what nobody catches become log lines too."""
    logging.captureWarnings(True)  # noqa: FBT003 - its one parameter
    sys.excepthook = log_uncaught
    handler = logging.StreamHandler(sys.__stdout__)
    handler.setFormatter(JsonFormatter())
    return handler


def log_uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Log what ends the process."""
    logging.getLogger("service").critical("ended by %s", kind.__name__, exc_info=(kind, error, traceback))


def capture_output() -> None:
    """Turn what this process and those it forks print into log lines."""
    if sys.__stdout__ is not None:
        sys.stdout = LogLines("stdout", logging.INFO, sys.__stdout__)
        sys.stderr = LogLines("stderr", logging.WARNING, sys.__stdout__)


# logging.json can refer to a name, and not call for a value.
LEVEL = level_from(os.environ)

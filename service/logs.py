"""JSON lines, one format for azmlinfsrv's workers and for uvicorn; logging.json applies it to both."""

import json
import logging
from datetime import UTC, datetime


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

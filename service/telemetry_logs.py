"""Which log records telemetry sends, and what becomes of those that its own libraries write."""

import logging
import time
import traceback

# Their records quote what they failed to send, with the key in it, and one for each batch while nobody takes any.
LIBRARIES = ("azure", "opentelemetry", "urllib3")
INTERVAL_S = 60.0

logger = logging.getLogger(__name__)


class LibraryWarnings(logging.Handler):
    """Makes of the warnings of LIBRARIES one line of ours in INTERVAL_S at most, which quotes nothing of them."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._unlogged = 0
        self._due_s = 0.0
        for each in map(logging.getLogger, LIBRARIES):
            each.addHandler(self)
            each.propagate = False

    def emit(self, record: logging.LogRecord) -> None:
        """Count the record, and say so if it is time."""
        self._unlogged += 1
        if time.monotonic() < self._due_s:
            return
        logger.warning(
            "telemetry: its libraries have warned %d times since the last such line, last in %s, line %d; "
            "what could not be sent is dropped",
            *(self._unlogged, record.name, record.lineno),
        )
        self._unlogged, self._due_s = 0, time.monotonic() + INTERVAL_S

    def close(self) -> None:
        """Let them log again as they did."""
        for each in map(logging.getLogger, LIBRARIES):
            each.removeHandler(self)
            each.propagate = True
        super().close()


def is_own(record: logging.LogRecord) -> bool:
    """Say whether a record may be sent: not where it is about sending, which would go on for ever."""
    return record.name != __name__ and record.name.partition(".")[0] not in LIBRARIES


def exception_of(record: logging.LogRecord) -> dict[str, str]:
    """Return the record's exception by OpenTelemetry's names; empty where it has none."""
    if not record.exc_info or record.exc_info[0] is None:
        return {}
    kind, error, _ = record.exc_info
    return {
        "exception.type": kind.__name__,
        "exception.message": str(error),
        "exception.stacktrace": "".join(traceback.format_exception(*record.exc_info)),
    }

"""Where a request that is refused leaves its trace."""

import logging
import time
import traceback

from service.engine.metrics import Metrics
from service.engine.request_head import RequestHead
from service.errors import PASSING, RequestRefusedError, error_body, to_json

# Under load a line for each refusal would cost more than the refusal.
SUMMARY_INTERVAL_S = 1.0

logger = logging.getLogger(__name__)


class Refusals:
    """Counts refusals and logs them: the caller's faults each, those of load at most once a second together."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._unlogged = 0
        self._summary_due_s = 0.0

    def note(self, error: RequestRefusedError, head: RequestHead) -> bytes:
        """Return the body of the answer."""
        self._metrics.refusals[error.code] += 1
        if error.code in PASSING:
            self._summarise(error.code)
        else:
            logger.info("request refused: %d %s", error.status, error.code, extra=head.log_fields())
        return to_json(error_body(error.code, error.message, error.location))

    def _summarise(self, code: str) -> None:
        self._unlogged += 1
        now_s = time.monotonic()
        if now_s >= self._summary_due_s:
            logger.warning("requests refused: %d since the last such line, the last with %s", self._unlogged, code)
            self._unlogged = 0
            self._summary_due_s = now_s + SUMMARY_INTERVAL_S


def note_fault(error: Exception, head: RequestHead) -> bytes:
    """Log an error that nobody expected, and return the body of the answer to it: 503 service_fault."""
    # Not the exception's text, which may quote the request.
    logger.error("request failed: %s in %s", type(error).__name__, _place(error), extra=head.log_fields())
    return to_json(
        error_body("service_fault", "The service failed on this request; its log line names the error.", "service")
    )


def _place(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].name}, line {frames[-1].lineno}" if frames else "an unknown place"

"""What came of one request: its status, its class of error, and what the headers of its answer say."""

import logging
from collections.abc import Mapping
from typing import Any

from load.rows import TIMEOUT

DEPLOYMENT_HEADER = "azureml-model-deployment"
MODEL_HEADER = "x-model-version"
REQUEST_ID_HEADER = "x-request-id"
# Azure's names; it sends them as trailers, behind the body, and says how many milliseconds each transfer took.
THROTTLED_HEADERS = ("ms-azureml-bandwidth-request-delay-ms", "ms-azureml-bandwidth-response-delay-ms")
OK = 200

Headers = Mapping[str, Any]

log = logging.getLogger(__name__)


def classify(status: int, exception: BaseException | None, *, timed_out: bool) -> tuple[int, str]:
    """Return the status (0 without a whole answer) and the error class of a request that ended so."""
    if exception is None and status == OK:
        return status, ""
    if status not in {0, OK}:
        return status, f"http_{status}"
    return 0, TIMEOUT if timed_out else "connection"


def header(headers: Headers, name: str) -> str:
    """Return what a header says, empty where there is none; where it was sent twice, what both say."""
    value = headers.get(name, "")
    return value if isinstance(value, str) else ", ".join(dict.fromkeys(value))


def throttled_ms(headers: Headers) -> float:
    """Return how long the endpoint says that it held a request or its answer back."""
    return sum(milliseconds(headers, name) for name in THROTTLED_HEADERS if name in headers)


def milliseconds(headers: Headers, name: str) -> float:
    value = headers[name]
    try:
        return sum(float(each) for each in ([value] if isinstance(value, str) else value))
    except ValueError:
        log.warning("load: %s is %r, which is no number", name, value)
        return 0.0


def finish_trailers(response: Any) -> None:
    """Let the trailers of a chunked answer count as its headers.

    geventhttpclient takes each over when the next one begins, and so leaves the last one lying.
    """
    parsed = getattr(response, "_response", None)
    if parsed is not None:
        parsed._flush_header()  # noqa: SLF001 - it has no public name for it

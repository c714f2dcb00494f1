"""The one error body: {"error": {"code": ..., "message": ..., "location": ...}}.

4xx is the caller's fault and not worth a retry. 503 is the service's: no model yet, too much work, or a model that
failed on rows that were in order; with Retry-After where a retry is worth while. There is no 500; the platform hands
the caller 424 with this body for either.
"""

import json
from http import HTTPStatus
from typing import Any

MAX_LOCATION_CHARACTERS = 80
RETRY_AFTER_S = 1
# Codes of 503 that a moment's wait may mend.
PASSING = frozenset({"model_loading", "overloaded", "deadline_exceeded"})


class RequestRefusedError(Exception):
    """A request is answered with an error; `location` names the place of the fault, as data[3][7]."""

    def __init__(self, status: int, code: str, message: str, location: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.location = location


class DeadlineExceededError(RequestRefusedError):
    """The request's time was over before its turn came."""

    def __init__(self, deadline_s: float) -> None:
        super().__init__(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "deadline_exceeded",
            f"The request could not be answered within {deadline_s:g} s; send it again, or fewer at a time.",
            "service",
        )


class ClientLeftError(RequestRefusedError):
    """The sender has closed its side of the connection, and the request's turn had not come."""

    def __init__(self) -> None:
        super().__init__(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "client_left",
            "The connection was closed for sending before the request's turn came; keep it open until the answer.",
            "request",
        )


class DrainingError(RequestRefusedError):
    """The service ends, and takes no more work."""

    def __init__(self) -> None:
        super().__init__(
            HTTPStatus.SERVICE_UNAVAILABLE, "draining", "The service is ending; ask another instance.", "service"
        )


class OverloadedError(RequestRefusedError):
    """More requests wait than may."""

    def __init__(self, waiting: int, limit: int) -> None:
        super().__init__(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "overloaded",
            f"{waiting} requests wait already, and {limit} may; send it again in a moment.",
            "service",
        )


def error_body(code: str, message: str, location: str) -> dict[str, Any]:
    """Return the body of every answer that is not 200."""
    return {"error": {"code": code, "message": message, "location": location[:MAX_LOCATION_CHARACTERS]}}


def error_headers(code: str) -> dict[str, str]:
    """Return the headers that an error of this code has beside those of every answer."""
    if code == "request_timeout":
        return {"connection": "close"}  # the rest of the body may be on its way
    return {"retry-after": str(RETRY_AFTER_S)} if code in PASSING else {}


def to_json(document: Any) -> bytes:
    """Encode strictly: ASCII only, so that a lone surrogate of a request can be echoed; NaN is an error."""
    return json.dumps(document, allow_nan=False, separators=(",", ":")).encode("ascii")

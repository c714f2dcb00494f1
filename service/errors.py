"""The one error body: {"error": {"code": ..., "message": ..., "location": ...}}.

4xx is the caller's fault and not worth a retry. 503 is the service's: no model yet, or one that failed on rows that
were in order. There is no 500; the platform hands the caller 424 with this body for either.
"""

import json
from typing import Any

MAX_LOCATION_CHARACTERS = 80


class RequestRefusedError(Exception):
    """A request is answered with an error; `location` names the place of the fault, as data[3][7]."""

    def __init__(self, status: int, code: str, message: str, location: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.location = location


def error_body(code: str, message: str, location: str) -> dict[str, Any]:
    """Return the body of every answer that is not 200."""
    return {"error": {"code": code, "message": message, "location": location[:MAX_LOCATION_CHARACTERS]}}


def to_json(document: Any) -> bytes:
    """Encode strictly: ASCII only, so that a lone surrogate of a request can be echoed; NaN is an error."""
    return json.dumps(document, allow_nan=False, separators=(",", ":")).encode("ascii")

"""Around every request: its id, the headers of every answer, and an answer for what nobody else caught."""

import logging
import re
import time
import uuid
from collections.abc import Callable
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import error_body, to_json

REQUEST_ID = re.compile(r"[\x21-\x7e]{1,100}")
ECHOED_HEADERS = ("x-ms-client-request-id",)

logger = logging.getLogger(__name__)


class Frame:
    """Puts x-request-id, `extra_headers()` and Server-Timing on each answer, and turns what is raised into 503.

    An x-request-id of the caller is kept if it is 1 to 100 visible ASCII characters, else a new one is made.
    """

    def __init__(self, app: ASGIApp, extra_headers: Callable[[], dict[str, str]]) -> None:
        self._app = app
        self._extra_headers = extra_headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on everything but HTTP as it is."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started_s = time.perf_counter()
        headers = self._answer_headers(Headers(scope=scope))
        scope.setdefault("state", {})["request_id"] = headers["x-request-id"]
        answered = False

        async def send_with_headers(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                answer_headers = MutableHeaders(scope=message)
                answer_headers.update(headers)
                answer_headers["server-timing"] = server_timing(scope, started_s)
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except ClientDisconnect:
            logger.info("the client left before its request was complete", extra=request_fields(scope))
        except Exception as error:
            # Not the exception's text, which may quote the request.
            logger.error(  # noqa: TRY400 - for the same reason
                "request failed: %s", type(error).__name__, extra=request_fields(scope)
            )
            if answered:
                raise
            message = "The service failed on this request; its log line names the error."
            await Response(
                to_json(error_body("service_fault", message, "service")),
                HTTPStatus.SERVICE_UNAVAILABLE,
                media_type="application/json",
            )(scope, receive, send_with_headers)

    def _answer_headers(self, request_headers: Headers) -> dict[str, str]:
        request_id = request_headers.get("x-request-id", "")
        echoed = {name: request_headers[name] for name in ECHOED_HEADERS if name in request_headers}
        return {
            **{name: value for name, value in echoed.items() if REQUEST_ID.fullmatch(value)},
            **self._extra_headers(),
            "x-request-id": request_id if REQUEST_ID.fullmatch(request_id) else str(uuid.uuid4()),
        }


def server_timing(scope: Scope, started_s: float) -> str:
    """Return the Server-Timing value: the time in this process, and the part of it in the model, in milliseconds."""
    entries = [f"total;dur={(time.perf_counter() - started_s) * 1000:.3f}"]
    predict_ms = scope["state"].get("predict_ms")
    if predict_ms is not None:
        entries.append(f"predict;dur={predict_ms:.3f}")
    return ", ".join(entries)


def request_fields(scope: Scope) -> dict[str, dict[str, str]]:
    """Return the `extra` of a log line about this request."""
    return {"fields": {"request_id": scope["state"]["request_id"]}}

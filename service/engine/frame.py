"""Around every request that FastAPI answers: ids, the headers of every answer, and an answer for what nobody caught."""

import asyncio
import logging
import time
from http import HTTPStatus

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.engine.metrics import Metrics
from service.engine.refusals import note_fault
from service.engine.request_head import AnswerHeaders, RequestHead
from service.errors import DrainingError, error_body, to_json

logger = logging.getLogger(__name__)


class Frame:
    """Puts AnswerHeaders on each answer, counts it, and turns what is raised into 503 service_fault."""

    def __init__(self, app: ASGIApp, answer_headers: AnswerHeaders, metrics: Metrics) -> None:
        self._app = app
        self._answer_headers = answer_headers
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on everything but HTTP as it is."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started_s = time.perf_counter()
        head = RequestHead(scope["headers"])
        state = scope.setdefault("state", {})
        state.update(head=head, predict_ms=None)
        status = None

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                of_all = self._answer_headers.make(head, started_s, state["predict_ms"])
                message = {**message, "headers": [*message["headers"], *of_all]}
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except asyncio.CancelledError:  # by uvicorn, when the time for its end is over
            if status is None:
                error = DrainingError()
                body = to_json(error_body(error.code, error.message, error.location))
                await Response(body, error.status, media_type="application/json")(scope, receive, send_with_headers)
        except ClientDisconnect:
            logger.info("the client left before its answer", extra=head.log_fields())
        except Exception as error:
            body = note_fault(error, head)
            if status is not None:
                raise
            response = Response(body, HTTPStatus.SERVICE_UNAVAILABLE, media_type="application/json")
            await response(scope, receive, send_with_headers)
        finally:
            if status is not None:
                route = getattr(scope.get("route"), "path", "other")
                self._metrics.note_request(route, status, time.perf_counter() - started_s)

"""POST /score before FastAPI's routing, which costs more than a prediction; everything else is FastAPI's."""

import asyncio
import logging
import time
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from service.engine.body_reader import BodyReader, OverdueWatch, body_too_slow
from service.engine.http_protocol import CHECKED_HEADERS
from service.engine.metrics import Metrics
from service.engine.refusals import Refusals, note_fault
from service.engine.request_head import JSON_CONTENT, AnswerHeaders, RequestHead
from service.engine.scoring import Scoring
from service.errors import DrainingError, RequestRefusedError, error_headers

SCORE = "/score"
OK = 200
SERVICE_UNAVAILABLE = 503

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class ScoreFront:
    """The ASGI app of this process: answers POST /score as the route of the same path does, and hands on the rest.

    `timeout_s` is what a request has until its body begins to come.
    """

    app: ASGIApp
    scoring: Scoring
    reader: BodyReader
    answer_headers: AnswerHeaders
    metrics: Metrics
    refusals: Refusals
    timeout_s: float
    _overdue: OverdueWatch = field(init=False)

    def __post_init__(self) -> None:
        self._overdue = OverdueWatch(self.timeout_s, self._answer_overdue)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or whatever else the server asks."""
        if scope["type"] != "http" or scope["path"] != SCORE or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        started_s = time.perf_counter()
        head = RequestHead(scope["headers"])
        try:
            arrived_s = self.scoring.admit(head)
            number = self._overdue.begin(arrived_s, head, send)
            message = await receive()
            self._overdue.end(number)
            body = self.reader.whole(message)
            if body is not None:
                job = await self.scoring.answered(body, arrived_s, receive, scope)
            else:
                async with self.reader.read(receive, arrived_s, message) as body:
                    job = await self.scoring.answered(body, arrived_s, receive, scope)
            answer = orjson.dumps(job.answer.result())
        except RequestRefusedError as error:
            await self._refuse(error, head, send, started_s)
        except asyncio.CancelledError:  # by uvicorn, when the time for its end is over
            await self._refuse(DrainingError(), head, send, started_s)
        except ClientDisconnect:
            logger.info("the client left before its answer", extra=head.log_fields())
        except Exception as error:  # noqa: BLE001 - there is no 500
            start = self._start(SERVICE_UNAVAILABLE, body := note_fault(error, head), head, started_s)
            await send(start)
            await send({"type": "http.response.body", "body": body})
        else:
            await send(self._start(OK, answer, head, started_s, job.predict_ms))
            await send({"type": "http.response.body", "body": answer})

    async def _answer_overdue(self, head: RequestHead, send: Send) -> None:
        await self._refuse(body_too_slow(self.timeout_s), head, send, time.perf_counter() - self.timeout_s)

    async def _refuse(self, error: RequestRefusedError, head: RequestHead, send: Send, started_s: float) -> None:
        body = self.refusals.note(error, head)
        start = self._start(error.status, body, head, started_s)
        more = error_headers(error.code).items()
        start["headers"] += [(name.encode("ascii"), value.encode("ascii")) for name, value in more]
        await send(start)
        await send({"type": "http.response.body", "body": body})

    def _start(
        self, status: int, body: bytes, head: RequestHead, started_s: float, predict_ms: float | None = None
    ) -> dict[str, Any]:
        """Return the message that begins an answer, and count the answer."""
        headers = self.answer_headers.make(head, started_s, predict_ms)
        headers += (JSON_CONTENT, (b"content-length", b"%d" % len(body)))
        self.metrics.note_request(SCORE, status, time.perf_counter() - started_s)
        return {"type": "http.response.start", "status": status, "headers": headers, CHECKED_HEADERS: True}

"""A request's body from the network: not too much of it, and not for too long."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from http import HTTPStatus
from itertools import count, takewhile

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Send

from service.engine.request_head import RequestHead
from service.errors import RequestRefusedError
from service.request_body import BodyLimits

SWEEPS_IN_TIMEOUT = 10
# Their rows take five times as much memory; they have it from a body's first byte to its answer.
MAX_HELD_BYTES = 32 * 1024 * 1024


class BodyReader:
    """Reads bodies up to a length, within a time; those of several messages up to `max_held_bytes` of all together."""

    def __init__(self, limits: BodyLimits, timeout_s: float, max_held_bytes: int = MAX_HELD_BYTES) -> None:
        self._limits = limits
        self._timeout_s = timeout_s
        self._max_held_bytes = max_held_bytes
        self._held_bytes = 0

    @asynccontextmanager
    async def read(self, receive: Receive, arrived_s: float, first: Message | None = None) -> AsyncIterator[bytes]:
        """Yield the whole body, to be left when it is answered; `first` is its first message where that is here.

        `arrived_s`, when the request arrived, is on the event loop's clock.
        Raises RequestRefusedError, 413 at the first byte too many, whatever Content-Length said, 408 where the body
        takes longer than the time for a request, and 503 where too much is held already; ClientDisconnect where the
        client leaves.
        """
        body = bytearray()
        try:
            try:
                async with asyncio.timeout_at(arrived_s + self._timeout_s):
                    message = first or await receive()
                    while self._add(body, message):
                        message = await receive()
            except TimeoutError:
                raise body_too_slow(self._timeout_s) from None
            yield bytes(body)
        finally:
            self._held_bytes -= len(body)

    def whole(self, first: Message) -> bytes | None:
        """Return the body where the first message is all of it, else None; raises as read() does."""
        if first.get("more_body", False):
            return None
        body: bytes = first.get("body", b"")
        self._check(first, len(body))
        return body

    def _add(self, body: bytearray, message: Message) -> bool:
        """Add the message's part of the body and say whether there is more."""
        piece = message.get("body", b"")
        body += piece
        self._held_bytes += len(piece)
        self._check(message, len(body))
        if self._held_bytes > self._max_held_bytes:
            raise RequestRefusedError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "overloaded",
                f"Bodies of {self._held_bytes} bytes are in hand, and {self._max_held_bytes} may; "
                "send it again in a moment.",
                "service",
            )
        more_body: bool = message.get("more_body", False)
        return more_body

    def _check(self, message: Message, body_bytes: int) -> None:
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        if body_bytes > self._limits.body_bytes:
            raise RequestRefusedError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "body_too_large",
                f"The body has more than {self._limits.body_bytes} bytes; send fewer rows at a time.",
                "body",
            )


class OverdueWatch:
    """Notices bodies that do not begin to come.

    One timer for all of them, since one for each costs more than many a prediction.
    `on_overdue` answers the request in the place of who waits for its body, who then hears that the client is gone.
    """

    def __init__(
        self, timeout_s: float, on_overdue: Callable[[RequestHead, Send], Coroutine[None, None, None]]
    ) -> None:
        self._timeout_s = timeout_s
        self._on_overdue = on_overdue
        self._waiting: dict[int, tuple[float, RequestHead, Send]] = {}
        self._numbers = count()
        self._sweep_is_due = False
        self._answers: set[asyncio.Task[None]] = set()

    def begin(self, started_s: float, head: RequestHead, send: Send) -> int:
        """Watch a request that arrived at `started_s` on the event loop's clock; returns what end() takes."""
        number = next(self._numbers)
        self._waiting[number] = (started_s, head, send)
        if not self._sweep_is_due:
            self._sweep_is_due = True
            loop = asyncio.get_running_loop()
            loop.call_later(self._timeout_s / SWEEPS_IN_TIMEOUT, self._sweep, loop)
        return number

    def end(self, number: int) -> None:
        """Watch the request no longer."""
        self._waiting.pop(number, None)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        latest_start_s = loop.time() - self._timeout_s
        # They stand in the order of their starts.
        overdue = list(takewhile(lambda item: item[1][0] <= latest_start_s, self._waiting.items()))
        for number, (_, head, send) in overdue:
            del self._waiting[number]
            answer = loop.create_task(self._on_overdue(head, send))
            self._answers.add(answer)
            answer.add_done_callback(self._answers.discard)
        self._sweep_is_due = bool(self._waiting)
        if self._sweep_is_due:
            loop.call_later(self._timeout_s / SWEEPS_IN_TIMEOUT, self._sweep, loop)


def body_too_slow(timeout_s: float) -> RequestRefusedError:
    """Return the refusal (408) of a request whose body is not there in time."""
    return RequestRefusedError(
        HTTPStatus.REQUEST_TIMEOUT, "request_timeout", f"The body was not complete after {timeout_s:g} s.", "body"
    )

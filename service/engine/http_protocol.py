"""uvicorn's HTTP protocol, with an answer's head and body in one write."""

import asyncio
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Protocol

from uvicorn.protocols.http import httptools_impl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from service.engine.request_head import new_request_id
from service.errors import error_body, to_json

# Ignored, as RFC 9110 allows: uvicorn drops the body of a request that has one.
UPGRADE = re.compile(rb"\nupgrade:", re.IGNORECASE)
UPGRADE_BYTES = len(b"\nupgrade")
CLOSE = (b"connection", b"close")
# In a message that starts an answer: its headers need no check, have Content-Length, and the whole body comes next.
CHECKED_HEADERS = "service.checked_headers"
# In a request's scope: whether its client has closed its side, and what is to be called when it does.
HALF_CLOSED = "service.half_closed"
ON_HALF_CLOSE = "service.on_half_close"
# As nginx has it by default: four buffers of 8 KiB.
MAX_HEAD_BYTES = 32 * 1024
REFUSAL = b"content-type: application/json\r\nx-request-id: %b\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"


class TimedApp(Protocol):
    """What the protocol asks of the app beside answers."""

    timeout_s: float


class Exchange(RequestResponseCycle):
    """uvicorn's exchange of a request for an answer, with an answer of two checked messages written at once.

    What comes after a whole answer is not sent.
    """

    _start: dict[str, Any] | None = None

    async def send(self, message: Any) -> None:
        """Hold a start message with CHECKED_HEADERS back until the body, which must be whole; pass on all else."""
        if CHECKED_HEADERS in message:
            self._start = message
        elif self._start is None:
            await super().send(message)
        else:
            if self.flow.write_paused and not self.disconnected:
                await self.flow.drain()
            if not self.disconnected and not self.response_complete:
                self._write(self._start, message["body"])

    def _write(self, start: dict[str, Any], body: bytes) -> None:
        headers = [*self.default_headers, *start["headers"]]
        if CLOSE in headers:
            self.keep_alive = False
        elif not self.keep_alive:
            headers.append(CLOSE)
        lines = [b"%b: %b\r\n" % header for header in headers]
        self.transport.write(b"".join((STATUS_LINE[start["status"]], *lines, b"\r\n", body)))
        self.response_started = self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's, with an answer's head and body in one write, and errors of HTTP itself in the service's own form.

    uvicorn writes head and body apart, and uvloop makes a system call of each; and it looks for forbidden characters in
    each header. The two are the larger part of answering a small request. It also waits for ever, and takes what comes
    whatever its size; here a request's head has MAX_HEAD_BYTES at most and comes within the app's `timeout_s`, so does
    what is left of a body whose answer has been sent, and nothing else keeps a connection on which no request comes.
    """

    app: TimedApp
    cycle: Exchange
    # The scope of the last request that has come whole.
    _whole: Any = None
    # How many bytes have come of the reads that a head under way is in, and of those since anything has got on.
    _head_bytes = 0
    _silent_bytes = 0
    _last_bytes = b""
    _is_head_too_large = False
    # For what is still to come of a message that nobody waits for: its head, or a body that has been answered.
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Close a connection on which no request comes, as one on which no other comes."""
        super().connection_made(transport)
        self._keep_alive_for_a_while()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what has come, and see to it that the rest comes in time, or that the connection ends."""
        scope, cycle, whole = self.scope, self.cycle, self._whole
        if whole is scope:
            self._head_bytes = len(data)
        elif self._is_in_head:
            data = self._without_split_upgrade(data)
            self._head_bytes += len(data)
        if b"pgrade:" in data:
            # Of the same length: in a body, where only text that is not JSON has it, lengths have to stay.
            data = UPGRADE.sub(b"\nxpgrade:", data)
        super().data_received(data)
        if self._whole is self.scope is not scope and self._timer is None:
            return  # a whole request and no more, as nearly always
        is_where_it_was = self.scope is scope and self.cycle is cycle and self._whole is whole
        has_got_on = not is_where_it_was or self._has_body_come()
        self._silent_bytes = 0 if has_got_on else self._silent_bytes + len(data)
        if self._silent_bytes > MAX_HEAD_BYTES:
            self._refuse_large_head()
        elif not self.transport.is_closing():
            self._see_to_the_rest(data)

    def on_headers_complete(self) -> None:
        """Refuse a head that is too large, however it came."""
        if self._head_bytes > MAX_HEAD_BYTES:  # the body may be in the same read
            head_bytes = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
            if head_bytes > MAX_HEAD_BYTES:
                self._is_head_too_large = True
                raise ValueError("ends the parsing")
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._whole = self.scope
        super().on_message_complete()

    @property
    def _is_in_head(self) -> bool:
        return self.scope is not None and (self.cycle is None or self.cycle.scope is not self.scope)

    def _has_body_come(self) -> bool:
        """Say whether the last read, in which no message began or ended, had a part of a body."""
        if self._is_in_head or self._whole is self.scope:
            return False
        # Around the parts of a chunked body stands what is no body. What is left of a refused one counts as such too.
        is_chunked = any(name == b"transfer-encoding" for name, _ in self.headers)
        return bool(self.cycle.body) if is_chunked else True

    def _see_to_the_rest(self, data: bytes) -> None:
        if self._is_in_head:
            self._last_bytes = (self._last_bytes + data[-UPGRADE_BYTES:])[-UPGRADE_BYTES:]
            self._start_timer(self._head_too_slow)
            return
        self._last_bytes = b""
        is_answered = self.cycle is None or self.cycle.response_complete
        if is_answered and self._whole is not self.scope:
            self._start_timer(self.transport.close)
            return
        self._stop_timer()
        if is_answered and self.timeout_keep_alive_task is None:
            self._keep_alive_for_a_while()

    def eof_received(self) -> bool:  # type: ignore[override]  # as asyncio has it
        """Answer a request whose sender has closed its side, unless it has to wait for its turn; then close."""
        if self.cycle is not None and not self.cycle.response_complete:
            scope: Any = self.cycle.scope
            scope[HALF_CLOSED] = True
            if ON_HALF_CLOSE in scope:
                scope[ON_HALF_CLOSE]()
        self.shutdown()
        return not self.transport.is_closing()

    def announce_end(self) -> None:
        """Let the answer under way be this connection's last, and say so."""
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            cycle.keep_alive = False
            if CLOSE not in cycle.default_headers:
                cycle.default_headers = [*cycle.default_headers, CLOSE]

    def _without_split_upgrade(self, data: bytes) -> bytes:
        """Have an Upgrade header ignored whose name has come in several reads; only the last can still be changed."""
        before = len(self._last_bytes)
        match = UPGRADE.search(self._last_bytes + data[:UPGRADE_BYTES])
        if match is None or match.start() >= before:
            return data
        colon = match.end() - 1 - before
        return data[:colon] + b"-ignored" + data[colon:]

    def _keep_alive_for_a_while(self) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def _start_timer(self, on_timeout: Callable[[], None]) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.app.timeout_s, on_timeout)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _head_too_slow(self) -> None:
        message = f"The request's head was not complete after {self.app.timeout_s:g} s."
        self._refuse(HTTPStatus.REQUEST_TIMEOUT, "request_timeout", message)

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP; uvicorn's text is its only message."""
        if self._is_head_too_large:
            self._refuse_large_head()
        else:
            self._refuse(HTTPStatus.BAD_REQUEST, "malformed_http", msg)

    def _refuse_large_head(self) -> None:
        message = f"The request's head, or what stands in its body's place, has more than {MAX_HEAD_BYTES} bytes."
        self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large", message)

    def _refuse(self, status: HTTPStatus, code: str, message: str) -> None:
        """Answer and close; where a whole request is still to be answered, that is this connection's last answer."""
        if self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body:
            self.announce_end()
            return
        body = to_json(error_body(code, message, "request"))
        self.transport.write(STATUS_LINE[status] + REFUSAL % (new_request_id(), len(body), body))
        self.transport.close()


# HttpToolsProtocol makes its exchanges by this name, and has no other place to say of which class.
httptools_impl.RequestResponseCycle = Exchange  # type: ignore[misc]  # a class where a class was

"""uvicorn's HTTP protocol, with an answer's head and body in one write."""

import asyncio
import re
from http import HTTPStatus
from typing import Any, Protocol

from uvicorn.protocols.http import httptools_impl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from service.engine.request_head import new_request_id
from service.errors import error_body, to_json

UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)
CLOSE = (b"connection", b"close")
# In a message that starts an answer: its headers need no check, have Content-Length, and the whole body comes next.
CHECKED_HEADERS = "service.checked_headers"
# As nginx has it by default: four buffers of 8 KiB.
MAX_HEAD_BYTES = 32 * 1024
REFUSAL = b"content-type: application/json\r\nx-request-id: %b\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"


class TimedApp(Protocol):
    """What the protocol asks of the app beside answers."""

    timeout_s: float


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's, with an answer's head and body in one write, and errors of HTTP itself in the service's own form.

    uvicorn writes head and body apart, and uvloop makes a system call of each; and it looks for forbidden characters in
    each header. The two are the larger part of answering a small request. It also waits for a request's head for ever,
    and takes one of any size; this one has a head of MAX_HEAD_BYTES come within the app's `timeout_s`.
    """

    app: TimedApp
    _head_bytes = 0
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Close a connection on which no request comes, as one on which no other comes."""
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._end_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Have an Upgrade header ignored, as RFC 9110 allows: uvicorn drops the body of a request that has one."""
        if b"pgrade:" in data:
            head, separator, rest = data.partition(b"\r\n\r\n")
            data = UPGRADE.sub(b"\r\nx-upgrade:", head) + separator + rest
        super().data_received(data)
        cycle = self.cycle
        if cycle is not None and cycle.scope is self.scope:
            if self._head_timer is not None:
                self._end_head()
        else:
            self._wait_for_head(len(data))

    def _wait_for_head(self, more_bytes: int) -> None:
        self._head_bytes += more_bytes
        if self._head_bytes > MAX_HEAD_BYTES:
            message = f"The request's head has more than {MAX_HEAD_BYTES} bytes."
            self._refuse_head(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large", message)
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(self.app.timeout_s, self._head_too_slow)

    def _end_head(self) -> None:
        self._head_bytes = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_too_slow(self) -> None:
        message = f"The request's head was not complete after {self.app.timeout_s:g} s."
        self._refuse_head(HTTPStatus.REQUEST_TIMEOUT, "request_timeout", message)

    def _refuse_head(self, status: HTTPStatus, code: str, message: str) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False  # the answer under way is this connection's last
        else:
            self._refuse(status, code, message)

    def eof_received(self) -> bool:  # type: ignore[override]  # as asyncio has it
        """Answer a request whose sender has closed its side, then close."""
        self.shutdown()
        return not self.transport.is_closing()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP; uvicorn's text is its only message."""
        self._refuse(HTTPStatus.BAD_REQUEST, "malformed_http", msg)

    def _refuse(self, status: HTTPStatus, code: str, message: str) -> None:
        if self.transport.is_closing():
            return
        body = to_json(error_body(code, message, "request"))
        self.transport.write(STATUS_LINE[status] + REFUSAL % (new_request_id(), len(body), body))
        self.transport.close()


class Exchange(RequestResponseCycle):
    """uvicorn's exchange of a request for an answer, with an answer of two checked messages written at once."""

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
            if not self.disconnected:
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


# HttpToolsProtocol makes its exchanges by this name, and has no other place to say of which class.
httptools_impl.RequestResponseCycle = Exchange  # type: ignore[misc]  # a class where a class was

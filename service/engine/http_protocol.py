"""uvicorn's HTTP protocol, with an answer's head and body in one write."""

import re
from typing import Any

from uvicorn.protocols.http import httptools_impl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from service.engine.request_head import new_request_id
from service.errors import error_body, to_json

UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)
CLOSE = (b"connection", b"close")
# In a message that starts an answer: its headers need no check, have Content-Length, and the whole body comes next.
CHECKED_HEADERS = "service.checked_headers"
MALFORMED_HTTP = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nx-request-id: %b\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%b"
)


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's, with an answer's head and body in one write, and errors of HTTP itself in the service's own form.

    uvicorn writes head and body apart, and uvloop makes a system call of each; and it looks for forbidden characters in
    each header. The two are the larger part of answering a small request.
    """

    def data_received(self, data: bytes) -> None:
        """Have an Upgrade header ignored, as RFC 9110 allows: uvicorn drops the body of a request that has one."""
        if b"pgrade:" in data:
            head, separator, rest = data.partition(b"\r\n\r\n")
            data = UPGRADE.sub(b"\r\nx-upgrade:", head) + separator + rest
        super().data_received(data)

    def eof_received(self) -> bool:  # type: ignore[override]  # as asyncio has it
        """Answer a request whose sender has closed its side, then close."""
        self.shutdown()
        return not self.transport.is_closing()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP; uvicorn's text is its only message."""
        body = to_json(error_body("malformed_http", msg, "request"))
        self.transport.write(MALFORMED_HTTP % (new_request_id(), len(body), body))
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

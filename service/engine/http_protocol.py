"""uvicorn's HTTP protocol, with an answer's head and body in one write."""

import asyncio
import re
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.engine.request_head import new_request_id
from service.errors import error_body, to_json

UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)
CONTINUE = b"HTTP/1.1 100 "
MALFORMED_HTTP = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nx-request-id: %b\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%b"
)


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's, with an answer's head and body in one write, and errors of HTTP itself in the service's own form.

    uvicorn writes head and body apart, and uvloop makes a system call of each. Those calls are the larger part of
    answering a small request; one instead of two gives a quarter more requests.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Put JoinedWrites between uvicorn and the transport."""
        self._writes = JoinedWrites(transport)
        super().connection_made(cast("asyncio.Transport", self._writes))

    def on_response_complete(self) -> None:
        """Write an answer that has no body, as that to HEAD."""
        self._writes.flush()
        super().on_response_complete()

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


class JoinedWrites:
    """A transport that holds an answer's first write back until its second, or the answer's end."""

    __slots__ = ("_held", "_transport", "is_closing")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.is_closing = transport.is_closing  # asked for each answer
        self._held: bytes | None = None

    def write(self, data: bytes) -> None:
        """Write the data, or hold it back."""
        if self._held is not None:
            self._transport.write(self._held + data)
            self._held = None
        elif data.startswith(CONTINUE):
            self._transport.write(data)
        else:
            self._held = data

    def flush(self) -> None:
        """Write what is held back."""
        if self._held is not None:
            self._transport.write(self._held)
            self._held = None

    def close(self) -> None:
        """Close the transport after what is still to be written."""
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

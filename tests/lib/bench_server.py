"""Servers for the tests of the benchmarks: one that is none, and one that answers what it was told to."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.server import Launch, Server


class AnsweringServer(Server):
    """Answers every question the same, without a process."""

    def __init__(self, status: int, answer: bytes) -> None:
        super().__init__(Launch([], 0, Path()), Path(), 0)
        self._answer = status, answer

    def ask(self, method: str, path: str, body: str | None = None) -> tuple[int, bytes]:
        del method, path, body
        return self._answer


@asynccontextmanager
async def http_server(answer: Callable[[], tuple[bytes, bytes]]) -> AsyncIterator[int]:
    """Serve on the port that is yielded; `answer` returns the status line's end and the body."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            status, body = answer()
            # In two pieces, as a server may send them.
            writer.write(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n" % (status, len(body)))
            await asyncio.sleep(0)
            writer.write(body)

    async def serve_until_closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve_until_closed, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()

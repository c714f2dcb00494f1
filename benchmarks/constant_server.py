"""A container that costs next to nothing: every request gets the same 200, whose body tells the port it came from."""

import asyncio
import sys

END_OF_HEAD = b"\r\n\r\n"
LENGTH = b"content-length:"


class ConstantAnswer(asyncio.Protocol):
    """Reads whole requests, with or without a body of a given length, and answers each."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete."""
        self._received += data
        while (end := request_length(self._received)) is not None and self._transport is not None:
            self._received = self._received[end:]
            self._transport.write(self._answer)


def request_length(received: bytes) -> int | None:
    """Answer how many bytes the first request has; None while it is not complete."""
    head, separator, _ = received.partition(END_OF_HEAD)
    if not separator:
        return None
    _, found, after = head.lower().partition(LENGTH)
    length = len(head) + len(END_OF_HEAD) + (int(after.split(b"\r\n", 1)[0]) if found else 0)
    return length if len(received) >= length else None


async def serve(port: int) -> None:
    """Serve on loopback until the process is ended."""
    body = f'{{"port": {port}}}'.encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    server = await asyncio.get_running_loop().create_server(lambda: ConstantAnswer(head + body), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))

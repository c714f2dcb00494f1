"""What a connection may send beside requests, and for how long it is kept."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn

from service.engine.http_protocol import HALF_CLOSED, MAX_HEAD_BYTES, ON_HALF_CLOSE, HttpProtocol
from service.uvicorn_server import DrainingServer

pytestmark = pytest.mark.unit

TIMEOUT_S = 2.0
PATIENCE_S = 20.0
HEAD = b"POST /echo HTTP/1.1\r\nHost: localhost\r\n"
WHOLE = HEAD + b"Content-Length: 2\r\n\r\nhi"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n"


@dataclass
class App:
    """Echoes bodies; refuses unread what is sent to /refuse, and answers /wait when it is let go."""

    timeout_s: float = TIMEOUT_S

    def __post_init__(self) -> None:
        self.let_go = asyncio.Event()
        self.waiting = asyncio.Event()
        self.scope: dict[str, Any] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body, status = b"", 415
        if scope["path"] != "/refuse":
            more, status = True, 200
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return
                body += message["body"]
                more = message["more_body"]
        if scope["path"] == "/wait":
            self.scope = scope
            self.waiting.set()
            await self.let_go.wait()
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def with_server(test: Callable[[Client, App, DrainingServer], Awaitable[None]]) -> None:
    """Run a test with a client's connection to a server of HttpProtocol."""

    async def main() -> None:
        app = App()
        config = uvicorn.Config(
            app,
            http=HttpProtocol,
            interface="asgi3",
            lifespan="off",
            proxy_headers=False,
            ws="none",
            port=0,
            log_level="critical",
            timeout_keep_alive=1,
            timeout_graceful_shutdown=5,
        )
        server = DrainingServer(config)
        config.load()
        server.lifespan = config.lifespan_class(config)
        await server.startup()
        port = server.servers[0].sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await test((reader, writer), app, server)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            app.let_go.set()
            await server.shutdown()

    asyncio.run(main())


async def answer_of(reader: asyncio.StreamReader) -> tuple[int, str]:
    """Return the status and the head of the next answer, its body read."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
    await reader.readexactly(length)
    return int(head.split()[1]), head


@pytest.mark.parametrize("beside", [b"\r\n", b""], ids=["a blank line behind it", "nothing behind it"])
def test_a_connection_on_which_no_other_request_comes_is_closed(beside: bytes) -> None:
    async def test(client: Client, _: App, __: DrainingServer) -> None:
        reader, writer = client
        writer.write(WHOLE)
        assert (await answer_of(reader))[0] == 200
        writer.write(beside)
        assert await reader.read() == b""

    with_server(test)


def test_a_body_that_has_been_answered_already_has_to_end_soon() -> None:
    async def test(client: Client, _: App, __: DrainingServer) -> None:
        reader, writer = client
        writer.write(HEAD.replace(b"/echo", b"/refuse") + b"Content-Length: 1000000000\r\n\r\n")
        assert (await answer_of(reader))[0] == 415

        async def dribble() -> None:
            with contextlib.suppress(ConnectionError):
                while True:
                    writer.write(b"a")
                    await writer.drain()
                    await asyncio.sleep(TIMEOUT_S / 10)

        dribbling = asyncio.create_task(dribble())
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        dribbling.cancel()

    with_server(test)


@pytest.mark.parametrize(
    "sent",
    [
        HEAD + b"X-Long: " + b"a" * (MAX_HEAD_BYTES + 1) + b"\r\n\r\n",
        HEAD + b"X: 1\r\n" * MAX_HEAD_BYTES + b"\r\n",
        CHUNKED + b"x: y\r\n" * MAX_HEAD_BYTES,
        CHUNKED + b"x: " + b"y" * (6 * MAX_HEAD_BYTES),
        b"\r\n" * MAX_HEAD_BYTES,
    ],
    ids=["a long header", "many headers", "many trailers", "a trailer without an end", "blank lines"],
)
@pytest.mark.parametrize("piece_bytes", [1000, 1_000_000])
def test_what_is_no_body_has_a_limit_wherever_it_stands_and_however_it_comes(sent: bytes, piece_bytes: int) -> None:
    async def test(client: Client, _: App, __: DrainingServer) -> None:
        reader, writer = client
        with contextlib.suppress(ConnectionError):
            for start in range(0, len(sent), piece_bytes):
                writer.write(sent[start : start + piece_bytes])
                await writer.drain()
            assert (await answer_of(reader))[0] == 431

    with_server(test)


def test_a_body_is_not_counted_as_the_head_of_the_request_behind_it() -> None:
    async def test(client: Client, _: App, __: DrainingServer) -> None:
        reader, writer = client
        body = b"a" * (2 * MAX_HEAD_BYTES)
        writer.write(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body + WHOLE[:20])
        status, head = await answer_of(reader)
        assert (status, "connection: close" in head) == (200, False)
        writer.write(WHOLE[20:])
        assert (await answer_of(reader))[0] == 200

    with_server(test)


UPGRADING = HEAD + b"Connection: Upgrade\r\nuPGRADE: h2c\r\nContent-Length: 2\r\n\r\nhi"


@pytest.mark.parametrize(
    "pieces",
    [
        [UPGRADING],
        [WHOLE + UPGRADING],
        *[[UPGRADING[:cut], UPGRADING[cut:]] for cut in range(UPGRADING.index(b"uP") - 3, UPGRADING.index(b"h2c") + 1)],
        [bytes([byte]) for byte in UPGRADING],
    ],
    ids=lambda pieces: f"{len(pieces)} pieces, the first of {len(pieces[0])}",
)
def test_an_offer_to_speak_another_protocol_is_ignored_however_it_comes(pieces: list[bytes]) -> None:
    async def test(client: Client, _app: App, _server: DrainingServer) -> None:
        reader, writer = client
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0.001)  # so that it is read by itself
        for _ in range(b"".join(pieces).count(b"POST")):
            assert (await answer_of(reader))[0] == 200
        writer.write(WHOLE)
        assert (await answer_of(reader))[0] == 200

    with_server(test)


def test_a_request_under_way_is_answered_though_nonsense_comes_behind_it() -> None:
    async def test(client: Client, app: App, server: DrainingServer) -> None:
        reader, writer = client
        writer.write(WHOLE.replace(b"/echo", b"/wait"))
        await app.waiting.wait()
        writer.write(b"nonsense\r\n\r\n")
        (connection,) = server.server_state.connections
        assert isinstance(connection, HttpProtocol)
        while connection.cycle.keep_alive:  # noqa: ASYNC110 - until the server has read it; there is no event
            await asyncio.sleep(0.001)
        app.let_go.set()
        status, head = await answer_of(reader)
        assert (status, "connection: close" in head) == (200, True)
        assert await reader.read() == b""

    with_server(test)


def test_a_client_that_closes_its_side_is_noted_and_still_answered() -> None:
    async def test(client: Client, app: App, _: DrainingServer) -> None:
        reader, writer = client
        noted = asyncio.Event()
        writer.write(WHOLE.replace(b"/echo", b"/wait"))
        await app.waiting.wait()
        assert HALF_CLOSED not in app.scope
        app.scope[ON_HALF_CLOSE] = noted.set
        writer.write_eof()
        await noted.wait()
        assert app.scope[HALF_CLOSED] is True
        app.let_go.set()
        assert (await answer_of(reader))[0] == 200
        assert await reader.read() == b""

    with_server(test)


def test_an_answer_under_way_says_that_it_is_the_last_from_the_first_moment_of_the_end() -> None:
    async def test(client: Client, app: App, server: DrainingServer) -> None:
        reader, writer = client
        writer.write(WHOLE.replace(b"/echo", b"/wait"))
        await app.waiting.wait()
        # As uvicorn does each second: the answer under way has its headers from the list of before.
        server.server_state.default_headers = [(b"date", b"later")]
        ending = asyncio.create_task(server.shutdown())
        await asyncio.sleep(0)
        app.let_go.set()
        _, head = await answer_of(reader)
        assert head.count("connection: close") == 1
        await ending

    with_server(test)

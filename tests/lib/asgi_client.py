"""A client that calls an ASGI app in this process, from any thread."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, TypeVar

import httpx
from starlette.types import ASGIApp

TIMEOUT_S = 30.0
POLL_INTERVAL_S = 0.01
Result = TypeVar("Result")


class AsgiClient:
    """Runs the app in an event loop of its own thread."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self.run(self._request(method, path, **options))

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.request("POST", path, **options)

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(TIMEOUT_S)

    def close(self) -> None:
        self.run(self._loop.shutdown_asyncgens())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def start_up(self) -> None:
        """Begin the ASGI lifespan, as a server does."""
        self._lifespan_in: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._lifespan_out: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        self._lifespan = asyncio.ensure_future(
            self.app(scope, self._lifespan_in.get, self._lifespan_out.put)  # type: ignore[arg-type]  # plain dicts
        )
        await self._tell_lifespan("startup")

    async def shut_down(self) -> None:
        """End the ASGI lifespan."""
        await self._tell_lifespan("shutdown")
        await self._lifespan

    async def wait_until_ready(self) -> None:
        """Ask the probe until it answers 200."""
        while (await self._request("GET", "/")).status_code != HTTPStatus.OK:  # noqa: ASYNC110 - there is no event
            await asyncio.sleep(POLL_INTERVAL_S)  # the probe is all that a client can ask

    async def _tell_lifespan(self, event: str) -> None:
        await self._lifespan_in.put({"type": f"lifespan.{event}"})
        answer = await self._lifespan_out.get()
        if answer["type"] != f"lifespan.{event}.complete":
            raise RuntimeError(f"lifespan: {answer}")

    async def _request(self, method: str, path: str, *, app: ASGIApp | None = None, **options: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app or self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.request(method, path, **options)


@contextmanager
def asgi_client(app: ASGIApp, *, with_lifespan: bool = True, until_ready: bool = True) -> Iterator[AsgiClient]:
    """Yield a client of the app, started and stopped around it unless told otherwise."""
    client = AsgiClient(app)
    try:
        if with_lifespan:
            client.run(client.start_up())
            if until_ready:
                client.run(client.wait_until_ready())
        yield client
    finally:
        if with_lifespan:
            client.run(client.shut_down())
        client.close()

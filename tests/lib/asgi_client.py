"""A client that calls an ASGI app in this process, from any thread."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx
from fastapi import FastAPI

TIMEOUT_S = 30.0
Result = TypeVar("Result")


class AsgiClient:
    """Runs the app in an event loop of its own thread."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
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

    async def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self._app), base_url="http://service") as client:
            return await client.request(method, path, **options)


@contextmanager
def asgi_client(app: FastAPI, *, with_lifespan: bool = True) -> Iterator[AsgiClient]:
    """Yield a client of the app, started and stopped around it unless told otherwise."""
    client = AsgiClient(app)
    try:
        if with_lifespan:
            lifespan = app.router.lifespan_context(app)
            client.run(lifespan.__aenter__())
        yield client
        if with_lifespan:
            client.run(lifespan.__aexit__(None, None, None))
    finally:
        client.close()

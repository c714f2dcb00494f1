"""Requests that end before their answer: their client leaves, their time is over, or the service ends."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp

from model.faulty import Variant
from service.engine.api_engine import create_app
from service.engine.http_protocol import HALF_CLOSED, ON_HALF_CLOSE
from service.settings import EngineSettings
from tests.lib.asgi_client import asgi_client
from tests.lib.model_artefacts import rows, write_artefacts

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def slow_model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_artefacts(tmp_path_factory.mktemp("slow"), variant=Variant.SLOW)


def settings_of(folder: Path, **more: Any) -> EngineSettings:
    return EngineSettings(model_path=folder / "model.joblib", **more)


class Asked:
    """A request whose body comes in these parts, each after a pause, and never ends where it `is_open`."""

    def __init__(self, app: ASGIApp, path: str, parts: list[tuple[float, bytes]], *, is_open: bool = False) -> None:
        self.scope = asgi_scope(path)
        self.messages: list[Any] = []
        self._unsent = list(parts)
        self._is_open = is_open
        self.task = asyncio.ensure_future(app(self.scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        if not self._unsent:
            await asyncio.Event().wait()
        pause_s, part = self._unsent.pop(0)
        await asyncio.sleep(pause_s)
        return {"type": "http.request", "body": part, "more_body": self._is_open or bool(self._unsent)}

    async def _send(self, message: Any) -> None:
        self.messages.append(message)

    async def answer(self) -> tuple[int, str]:
        """Return the status and the code of the error."""
        await self.task
        start, *rest = self.messages
        document = json.loads(b"".join(message["body"] for message in rest))
        return start["status"], document["error"]["code"]


def asgi_scope(path: str) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
        "state": {},
    }


SLOW_BODY = json.dumps(rows(60)).encode()  # 20 ms a row


@pytest.mark.parametrize("path", ["/score", "/predict"])
def test_a_request_that_waits_is_not_predicted_once_its_client_has_closed_its_side(
    slow_model_dir: Path, path: str
) -> None:
    async def ask(app: ASGIApp) -> None:
        busy = Asked(app, path, [(0.0, SLOW_BODY)])
        waiting = Asked(app, path, [(0.05, SLOW_BODY)])
        for asked in (waiting, busy):
            while ON_HALF_CLOSE not in asked.scope:  # noqa: ASYNC110 - there is no event
                await asyncio.sleep(0.01)
            asked.scope[HALF_CLOSED] = True
            asked.scope[ON_HALF_CLOSE]()
        assert await waiting.answer() == (503, "client_left")
        await busy.task
        assert busy.messages[0]["status"] == 200  # the model had it

    with asgi_client(create_app(settings_of(slow_model_dir))) as client:
        client.run(ask(client.app))


@pytest.mark.parametrize("path", ["/score", "/predict"])
def test_a_request_whose_time_at_the_end_is_over_is_told_so(slow_model_dir: Path, path: str) -> None:
    async def ask(app: ASGIApp) -> None:
        asked = Asked(app, path, [(0.0, SLOW_BODY)])
        while ON_HALF_CLOSE not in asked.scope:  # noqa: ASYNC110 - as above: it is being predicted
            await asyncio.sleep(0.01)
        asked.task.cancel()
        assert await asked.answer() == (503, "draining")

    with asgi_client(create_app(settings_of(slow_model_dir))) as client:
        client.run(ask(client.app))


@pytest.mark.parametrize("path", ["/score", "/predict"])
def test_the_time_for_a_body_counts_from_the_requests_arrival(slow_model_dir: Path, path: str) -> None:
    async def ask(app: ASGIApp) -> float:
        started_s = time.monotonic()
        asked = Asked(app, path, [(1.5, b'{"data": '), (5.0, b"[")], is_open=True)
        assert await asked.answer() == (408, "request_timeout")
        return time.monotonic() - started_s

    with asgi_client(create_app(settings_of(slow_model_dir, deadline_s=2.0))) as client:
        assert client.run(ask(client.app)) < 3.0

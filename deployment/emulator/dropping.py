"""Connections that are broken off on purpose."""

import contextlib
from typing import Any

from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

EXTENSION = "emulator.drop"


class DroppingProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with a way for the application to break the connection off."""

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self.scope["extensions"] = {EXTENSION: {"abort": self.transport.abort}}


class DroppedConnection(Response):
    """No answer at all; its status 0 stands in the list of calls."""

    def __init__(self) -> None:
        super().__init__()
        self.status_code = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Break the connection off, and return once the server knows."""
        del send
        scope["extensions"][EXTENSION]["abort"]()
        with contextlib.suppress(OSError):
            while (await receive())["type"] != "http.disconnect":
                pass

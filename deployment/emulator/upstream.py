"""The connections from the data plane to the containers."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from deployment.emulator.exchange import HeaderList, Request

# Below the 5 s after which uvicorn closes an idle connection: a POST must never meet one that is just being closed.
IDLE_CONNECTION_S = 1.0
HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
# The platform writes these itself; the endpoint's key stays with the platform.
NOT_FORWARDED = HOP_BY_HOP | {
    b"authorization",
    b"content-length",
    b"expect",
    b"host",
    b"x-request-id",
    b"x-ms-client-request-id",
}
NOT_PASSED_BACK = HOP_BY_HOP | {b"date", b"server", b"x-request-id", b"azureml-model-deployment"}


@dataclass(frozen=True, slots=True)
class ContainerAnswer:
    """What a container answered, its headers without those that belong to the connection."""

    status: int
    headers: HeaderList
    body: bytes
    answered_at_s: float


class Upstream:
    """Sends requests to containers over connections that are kept and shared."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_CONNECTION_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            skip_auto_headers=("accept", "accept-encoding", "content-type", "user-agent"),
        )
        self._abandoned: set[asyncio.Task[ContainerAnswer]] = set()

    @property
    def session(self) -> aiohttp.ClientSession:
        """The client session, for probes."""
        return self._session

    async def call(
        self, request: Request, host_port: int, target: bytes, extra: Mapping[str, str], timeout_s: float
    ) -> ContainerAnswer:
        """Forward a request to 127.0.0.1:host_port and answer what came back.

        Raises TimeoutError when the time is over; the container's work goes on then, as on the platform. Raises
        aiohttp.ClientError or OSError when the container cannot be reached or breaks off.
        """
        task = asyncio.get_running_loop().create_task(self._send(request, host_port, target, extra))
        try:
            done, _ = await asyncio.wait((task,), timeout=timeout_s)
        except asyncio.CancelledError:
            self._abandon(task)
            raise
        if not done:
            self._abandon(task)
            raise TimeoutError
        return task.result()

    async def close(self) -> None:
        """Drop what nobody waits for any more, and all connections."""
        abandoned = list(self._abandoned)
        for task in abandoned:
            task.cancel()
        await asyncio.gather(*abandoned, return_exceptions=True)
        await self._session.close()

    async def _send(self, request: Request, host_port: int, target: bytes, extra: Mapping[str, str]) -> ContainerAnswer:
        headers: CIMultiDict[str] = CIMultiDict(
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in request.headers
            if name not in NOT_FORWARDED
        )
        headers.update(extra)
        url = URL(f"http://127.0.0.1:{host_port}{target.decode('latin-1')}", encoded=True)
        async with self._session.request(
            request.method, url, data=request.body or None, headers=headers, allow_redirects=False
        ) as response:
            answered_at_s = time.perf_counter()
            body = await response.read()
        kept = [(name, value) for name, value in response.raw_headers if name.lower() not in NOT_PASSED_BACK]
        return ContainerAnswer(response.status, kept, body, answered_at_s)

    def _abandon(self, task: "asyncio.Task[ContainerAnswer]") -> None:
        self._abandoned.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: "asyncio.Task[ContainerAnswer]") -> None:
        self._abandoned.discard(task)
        if not task.cancelled():
            # Nobody is left to be told; without this asyncio would complain of an exception never retrieved.
            task.exception()

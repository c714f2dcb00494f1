"""The data plane: every request under `/endpoints/<name>/` is let in, routed, forwarded and answered."""

import asyncio
import random
import time
import uuid
from typing import Any, Protocol

from deployment.emulator.colours import Colours
from deployment.emulator.exchange import Answer, Request, read_request, send_answer
from deployment.emulator.forwarding import forward, refusal
from deployment.emulator.mirroring import Mirroring
from deployment.emulator.routing import choose_deployment, clean_client_request_id
from deployment.emulator.store import Store
from deployment.emulator.tokens import Tokens
from deployment.emulator.traffic_log import Timing, TrafficLog
from deployment.emulator.upstream import Upstream

PREFIX = b"/endpoints/"
FLUSH_PERIOD_S = 0.2


class FaultEffect(Protocol):
    """What a fault that was asked for does to one request: it waits, and then it may be refused."""

    @property
    def delay_ms(self) -> float: ...

    @property
    def status(self) -> int | None: ...


class Faults(Protocol):
    """The data plane's faults that were asked for."""

    def for_request(self, endpoint: str, deployment: str) -> FaultEffect | None:
        """Answer what is to happen to this request; None for nothing."""
        ...


class DataPlane:
    """An ASGI application that does to requests what the platform's front door does."""

    def __init__(
        self,
        store: Store,
        colours: Colours,
        upstream: Upstream,
        log: TrafficLog,
        rng: random.Random,
        mirroring: Mirroring,
        faults: Faults,
        tokens: Tokens,
    ) -> None:
        self._store = store
        self._colours = colours
        self._upstream = upstream
        self._log = log
        self._rng = rng
        self._mirroring = mirroring
        self._faults = faults
        self._tokens = tokens

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Handle one HTTP request."""
        started_s = time.perf_counter()
        request = await read_request(scope, receive)
        if request is None:
            return
        read_s = time.perf_counter()
        ids = str(uuid.uuid4()), clean_client_request_id(request.header(b"x-ms-client-request-id"))
        endpoint_name, target = split_path(request.path)
        answer = await self._answer(endpoint_name, target, request, ids)
        answer.headers += [(b"server", b"azureml-frontdoor"), (b"x-request-id", ids[0].encode())]
        if answer.deployment:
            answer.headers.append((b"azureml-model-deployment", answer.deployment.encode()))
        await send_answer(send, answer)
        timing = Timing(started_s, read_s, time.perf_counter())
        self._log.write(request, answer, timing, endpoint=endpoint_name, path=target, ids=ids)

    async def keep_log(self) -> None:
        """Put the log's lines into its file a few times a second, for as long as the emulator runs."""
        while True:
            await asyncio.sleep(FLUSH_PERIOD_S)
            self._log.flush()

    async def _answer(self, endpoint_name: str, target: bytes, request: Request, ids: tuple[str, str]) -> Answer:
        endpoint = self._store.endpoint(endpoint_name)
        if endpoint is None:
            return refusal(404, f"Endpoint '{endpoint_name}' not found.", reason="endpoint_not_found")
        if not self._tokens.authorizes(endpoint, request.header(b"authorization")):
            return refusal(401, "The endpoint's key or token is missing, wrong or expired.", reason="unauthorized")
        pinned = request.header(b"azureml-model-deployment")
        name = pinned or choose_deployment(endpoint.traffic, self._rng)
        if name is None or self._colours.serving(endpoint_name, name) is None:
            return refusal(404, missing(endpoint_name, name), reason="deployment_not_found")
        if not pinned:
            self._mirroring.copy(endpoint, request, target, ids)
        effect = self._faults.for_request(endpoint_name, name)
        if effect is not None:
            await asyncio.sleep(effect.delay_ms / 1000)
            if effect.status is not None:
                return refusal(effect.status, "emulator: a fault that was asked for", reason="fault", deployment=name)
        # Only now: while the request waited, another version may have taken over.
        colour = self._colours.serving(endpoint_name, name)
        if colour is None:
            return refusal(404, missing(endpoint_name, name), reason="deployment_not_found")
        return await forward(self._upstream, colour, request, target, ids)


def split_path(path: bytes) -> tuple[str, bytes]:
    """Split `/endpoints/<name>/<rest>` into the endpoint's name and `/<rest>`, both as they stood on the wire."""
    if not path.startswith(PREFIX):
        return "", path
    name, _, rest = path[len(PREFIX) :].partition(b"/")
    return name.decode("latin-1"), b"/" + rest


def missing(endpoint_name: str, name: str | None) -> str:
    """Say why there is no deployment to go to."""
    if name is None:
        return f"Endpoint '{endpoint_name}' does not have any valid deployment with positive weight."
    return f"Deployment '{name}' of endpoint '{endpoint_name}' not found."

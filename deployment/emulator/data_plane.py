"""The data plane: every request under `/endpoints/<name>/` is let in, routed, forwarded and answered."""

import asyncio
import random
import time
import uuid
from typing import Any

import aiohttp

from deployment.emulator.colour import Colour
from deployment.emulator.colours import Colours
from deployment.emulator.entities import Endpoint
from deployment.emulator.exchange import Answer, HeaderList, Request, read_request, send_answer
from deployment.emulator.routing import choose_deployment, clean_client_request_id, is_key_of
from deployment.emulator.store import Store
from deployment.emulator.traffic_log import Timing, TrafficLog
from deployment.emulator.upstream import ContainerAnswer, Upstream

PREFIX = b"/endpoints/"
MODEL_OK = 200
FLUSH_PERIOD_S = 0.2
STATUS_HEADER = b"ms-azureml-model-error-statuscode"
REASON_HEADER = b"ms-azureml-model-error-reason"


class DataPlane:
    """An ASGI application that does to requests what the platform's front door does."""

    def __init__(self, store: Store, colours: Colours, upstream: Upstream, log: TrafficLog, rng: random.Random) -> None:
        self._store = store
        self._colours = colours
        self._upstream = upstream
        self._log = log
        self._rng = rng

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
        if not is_key_of(request.header(b"authorization"), endpoint.keys):
            return refusal(401, "The endpoint's key is missing or wrong.", reason="unauthorized")
        name = self._deployment_name(endpoint, request)
        colour = self._colours.serving(endpoint_name, name) if name else None
        if name is None or colour is None:
            return refusal(404, missing(endpoint_name, name), reason="deployment_not_found")
        return await self._forward(colour, name, target, request, ids)

    def _deployment_name(self, endpoint: Endpoint, request: Request) -> str | None:
        pinned = request.header(b"azureml-model-deployment")
        return pinned or choose_deployment(endpoint.traffic, self._rng)

    async def _forward(
        self, colour: Colour, name: str, target: bytes, request: Request, ids: tuple[str, str]
    ) -> Answer:
        deployment = colour.deployment
        instance = colour.choose()
        if instance is None:
            return not_ready(name, "The deployment is not ready.")
        if colour.pending_requests >= deployment.max_pending_requests:
            return too_many(name)
        extra = {"x-request-id": ids[0]}
        if ids[1]:
            extra["x-ms-client-request-id"] = ids[1]
        url = target + (b"?" + request.query if request.query else b"")
        timeout_s = deployment.request_settings.request_timeout_s
        instance.pending_requests += 1
        try:
            answer = await self._upstream.call(request, instance.scoring_port, url, extra, timeout_s)
        except TimeoutError:
            return refusal(408, f"The model took longer than {timeout_s:g} s.", reason="timeout", deployment=name)
        except (aiohttp.ClientError, OSError):
            return not_ready(name, "The container broke the connection off.")
        finally:
            instance.pending_requests -= 1
        return passed_back(name, answer)


def split_path(path: bytes) -> tuple[str, bytes]:
    """Split `/endpoints/<name>/<rest>` into the endpoint's name and `/<rest>`, both as they stood on the wire."""
    if not path.startswith(PREFIX):
        return "", path
    name, _, rest = path[len(PREFIX) :].partition(b"/")
    return name.decode("latin-1"), b"/" + rest


def passed_back(name: str, answer: ContainerAnswer) -> Answer:
    """Answer what the client sees of a container's answer: 200 as it is, every other status as 424."""
    is_ok = answer.status == MODEL_OK
    reason = "ok" if is_ok else "model_error"
    headers = list(answer.headers) if is_ok else failed_headers(answer)
    return Answer(
        status=MODEL_OK if is_ok else 424,
        body=answer.body,
        headers=headers,
        reason=reason,
        deployment=name,
        model_status=answer.status,
        model_reason=reason,
        answered_at_s=answer.answered_at_s,
    )


def failed_headers(answer: ContainerAnswer) -> HeaderList:
    """Answer a container's headers with the two that tell what became 424."""
    headers = list(answer.headers)
    if not answer.body:
        # A body that HTTP forbids with 204 or 304 still needs its length under 424.
        headers = [pair for pair in headers if pair[0].lower() != b"content-length"] + [(b"content-length", b"0")]
    return [*headers, (STATUS_HEADER, str(answer.status).encode()), (REASON_HEADER, b"model_error")]


def not_ready(name: str, message: str) -> Answer:
    """Answer 424 model_not_ready."""
    answer = refusal(424, message, reason="model_not_ready", deployment=name)
    answer.headers.append((REASON_HEADER, b"model_not_ready"))
    return answer


def too_many(name: str) -> Answer:
    """Answer 429 with an empty body, as the platform does above its limit of pending requests."""
    answer = refusal(429, "", reason="too_many_pending_request", deployment=name)
    answer.headers.append((REASON_HEADER, b"too_many_pending_request"))
    return answer


def refusal(status: int, message: str, *, reason: str, deployment: str = "") -> Answer:
    """Answer on the platform's own behalf."""
    body = message.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    return Answer(status, body, headers, reason, deployment)


def missing(endpoint_name: str, name: str | None) -> str:
    """Say why there is no deployment to go to."""
    if name is None:
        return f"Endpoint '{endpoint_name}' does not have any valid deployment with positive weight."
    return f"Deployment '{name}' of endpoint '{endpoint_name}' not found."

"""One request to one colour: let in or refused by its limits, sent to an instance, answered as the platform answers."""

from collections.abc import Mapping

import aiohttp

from deployment.emulator.colour import Colour
from deployment.emulator.exchange import Answer, HeaderList, Request
from deployment.emulator.upstream import ContainerAnswer, Upstream

MODEL_OK = 200
STATUS_HEADER = b"ms-azureml-model-error-statuscode"
REASON_HEADER = b"ms-azureml-model-error-reason"


async def forward(upstream: Upstream, colour: Colour, request: Request, target: bytes, ids: tuple[str, str]) -> Answer:
    """Answer what the client of a deployment gets; target is the container's path, ids are the two request ids."""
    deployment = colour.deployment
    name = deployment.name
    instance = colour.choose()
    if instance is None:
        return not_ready(name, "The deployment is not ready.")
    if colour.pending_requests >= deployment.max_pending_requests:
        return too_many(name)
    url = target + (b"?" + request.query if request.query else b"")
    timeout_s = deployment.request_settings.request_timeout_s
    instance.pending_requests += 1
    try:
        answer = await upstream.call(request, instance.scoring_port, url, _id_headers(ids), timeout_s)
    except TimeoutError:
        return refusal(408, f"The model took longer than {timeout_s:g} s.", reason="timeout", deployment=name)
    except (aiohttp.ClientError, OSError):
        return not_ready(name, "The container broke the connection off.")
    finally:
        instance.pending_requests -= 1
    return passed_back(name, answer)


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


def _id_headers(ids: tuple[str, str]) -> Mapping[str, str]:
    request_id, client_request_id = ids
    if client_request_id:
        return {"x-request-id": request_id, "x-ms-client-request-id": client_request_id}
    return {"x-request-id": request_id}

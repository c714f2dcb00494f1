"""Requests to the endpoint as its clients send them: over HTTP, with the key, and never through the SDK's invoke().

invoke(deployment_name=...) changes a dictionary of its class, so every later call of the process goes to that
deployment too (azure-ai-ml 1.35.2), and it repeats a POST that was answered with 500, 503 or 504.
"""

import os
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from threading import Lock
from types import TracebackType
from typing import Any, Self

import certifi
import httpx

from deployment.outcomes import PlatformError

DEPLOYMENT_HEADER = "azureml-model-deployment"
# What the endpoint itself waits for a container (request_timeout_ms) and a margin for the way there and back.
TIMEOUT_S = 10.0
# The service's codes for a request that is not of its model's form (service/README.md).
OTHER_FORM = frozenset({"missing_field", "unknown_field", "wrong_shape", "wrong_type"})


@dataclass(frozen=True)
class Answer:
    """What came back: the platform's status (0: no answer came), who answered, and the decoded body or a reason."""

    status: int
    deployment: str
    body: Any
    request_id: str

    @property
    def ok(self) -> bool:
        return self.status == httpx.codes.OK


# Something to ask of a deployment by name, or (None) of whom the endpoint's traffic chooses.
Ask = Callable[[str | None], Answer]


class ScoringClient:
    """A client of one endpoint's scoring URI, safe to use from several threads.

    Where the key is refused, `new_key` is asked once for another: keys may be rotated while a release runs.
    """

    def __init__(self, scoring_uri: str, key: str, *, new_key: Callable[[], str] | None = None) -> None:
        self._scoring_uri = scoring_uri
        self._new_key = new_key
        self._renewing = Lock()
        self._client = httpx.Client(
            headers={"authorization": f"Bearer {key}"},
            timeout=TIMEOUT_S,
            # The variable that the SDK honours, so that both trust the same certificates.
            verify=ssl.create_default_context(cafile=os.environ.get("REQUESTS_CA_BUNDLE") or certifi.where()),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def score(self, body: Any, *, deployment: str | None = None) -> Answer:
        """Send one request, to `deployment` by name or, without a name, to whom the endpoint's traffic sends it."""
        return self._send("POST", self._scoring_uri, deployment, json=body)

    def ping(self, deployment: str | None = None) -> Answer:
        """Ask the container's root route, which its probes ask too: for whoever has no golden requests at hand."""
        return self._send("GET", self._scoring_uri.rpartition("/")[0] + "/", deployment)

    def _send(self, method: str, url: str, deployment: str | None, **content: Any) -> Answer:
        headers = {DEPLOYMENT_HEADER: deployment} if deployment else {}
        try:
            response = self._client.request(method, url, headers=headers, **content)
            if response.status_code == httpx.codes.UNAUTHORIZED and self._renew(response.request):
                response = self._client.request(method, url, headers=headers, **content)
        except httpx.HTTPError as error:
            return Answer(0, "", f"{type(error).__name__}: {error}", "")
        return Answer(
            status=response.status_code,
            deployment=response.headers.get(DEPLOYMENT_HEADER, ""),
            body=decode(response),
            request_id=response.headers.get("x-request-id", ""),
        )

    def _renew(self, refused: httpx.Request) -> bool:
        """Fetch another key, unless another thread has done that since the request was sent."""
        if self._new_key is None:
            return False
        with self._renewing:
            if refused.headers["authorization"] == self._client.headers["authorization"]:
                try:
                    self._client.headers["authorization"] = f"Bearer {self._new_key()}"
                except PlatformError:
                    return False
        return True


def refused_form(answer: Answer) -> str:
    """Say how the request was not of the form that the model takes; empty where that is not what was answered."""
    error = answer.body.get("error") if isinstance(answer.body, dict) else None
    if answer.ok or not isinstance(error, dict) or error.get("code") not in OTHER_FORM:
        return ""
    return f"{error['code']} at {error.get('location')}"


def asking_any_form(client: ScoringClient, bodies: Sequence[Any]) -> Ask:
    """Return what asks for a score, and the root route of a container whose model takes other features."""
    ask = asking(client, bodies)

    def asked(deployment: str | None) -> Answer:
        answer = ask(deployment)
        return client.ping(deployment) if refused_form(answer) else answer

    return asked


def asking(client: ScoringClient, bodies: Sequence[Any]) -> Ask:
    """Return what asks for a score, with each body in turn."""
    turn = count()
    return lambda deployment: client.score(bodies[next(turn) % len(bodies)], deployment=deployment)


def decode(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return response.text[:500]

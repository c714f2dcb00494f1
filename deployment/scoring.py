"""Requests to the endpoint as its clients send them: over HTTP, with the key, and never through the SDK's invoke().

invoke(deployment_name=...) changes a dictionary of its class, so every later call of the process goes to that
deployment too (azure-ai-ml 1.35.2), and it repeats a POST that was answered with 500, 503 or 504.
"""

import os
import ssl
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import certifi
import httpx

DEPLOYMENT_HEADER = "azureml-model-deployment"
# What the endpoint itself waits for a container (request_timeout_ms) and a margin for the way there and back.
TIMEOUT_S = 10.0


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


class ScoringClient:
    """A client of one endpoint's scoring URI, safe to use from several threads."""

    def __init__(self, scoring_uri: str, key: str) -> None:
        self._scoring_uri = scoring_uri
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
        headers = {DEPLOYMENT_HEADER: deployment} if deployment else {}
        try:
            response = self._client.post(self._scoring_uri, json=body, headers=headers)
        except httpx.HTTPError as error:
            return Answer(0, "", f"{type(error).__name__}: {error}", "")
        return Answer(
            status=response.status_code,
            deployment=response.headers.get(DEPLOYMENT_HEADER, ""),
            body=decode(response),
            request_id=response.headers.get("x-request-id", ""),
        )


def decode(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return response.text[:500]

"""Around the app where telemetry is on: what there is to tell of a scored request, and nothing of what was in it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.engine.batcher import Job
from service.engine.request_head import VALID_ID
from service.engine.scoring import Scoring

SCORED_PATHS = frozenset({"/score", "/predict"})
# In a request's scope, once it is answered: how many rows it had.
ROWS = "service.rows"
TRACE_PARENT = b"traceparent"
DEPLOYMENT = b"azureml-model-deployment"
# Headers of the answer, where ids have been checked already, and what each is called in a log line too.
TOLD_OF_ANSWER = {b"x-request-id": "request_id", b"x-ms-client-request-id": "ms_client_request_id"}


@dataclass(frozen=True, slots=True)
class ScoredRequest:
    """A POST /score or /predict that was answered.

    `rows` is None where it was refused; `trace_parent` is the caller's header as it came, to be checked by who uses it.
    `ids`: the request's, by their names in a log line; `deployment`: where the caller has named one.
    """

    route: str
    status: int
    started_ns: int
    duration_ns: int
    rows: int | None
    ids: dict[str, str]
    deployment: str | None
    trace_parent: str | None


class CountedScoring(Scoring):
    """Scoring that leaves the number of a request's rows in its scope."""

    async def answered(
        self, body: bytes, arrived_s: float, receive: Any, scope: Scope, *, with_probabilities: bool = False
    ) -> Job:
        job = await super().answered(body, arrived_s, receive, scope, with_probabilities=with_probabilities)
        scope[ROWS] = job.row_count
        return job


class ObservedApp:
    """The app, and `tell` hears of each scored request once it is answered; `timeout_s` as ScoreFront's."""

    def __init__(self, app: ASGIApp, timeout_s: float, tell: Callable[[ScoredRequest], None]) -> None:
        self.timeout_s = timeout_s
        self._app = app
        self._tell = tell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] not in SCORED_PATHS or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        started_ns, began_ns = time.time_ns(), time.perf_counter_ns()
        answer: Message | None = None

        async def send_and_note(message: Message) -> None:
            nonlocal answer
            if message["type"] == "http.response.start":
                answer = message
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            if answer is not None:
                self._tell(scored_request(scope, answer, started_ns, time.perf_counter_ns() - began_ns))


def scored_request(scope: Scope, answer: Message, started_ns: int, duration_ns: int) -> ScoredRequest:
    asked = dict(reversed(scope["headers"]))  # of repeated ones the first
    deployment = asked.get(DEPLOYMENT)
    trace_parent = asked.get(TRACE_PARENT)
    return ScoredRequest(
        route=scope["path"],
        status=answer["status"],
        started_ns=started_ns,
        duration_ns=duration_ns,
        rows=scope.get(ROWS),
        ids={
            TOLD_OF_ANSWER[name]: value.decode("ascii") for name, value in answer["headers"] if name in TOLD_OF_ANSWER
        },
        deployment=deployment.decode("ascii") if deployment and VALID_ID(deployment) else None,
        trace_parent=trace_parent.decode("latin-1") if trace_parent else None,
    )

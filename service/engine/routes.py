"""FastAPI's routes: the probes, /predict, and /score for the documentation and for what the front hands on."""

import os
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response

from service.engine.batcher import Job
from service.engine.body_reader import BodyReader
from service.engine.scoring import Scoring, WithProbabilities
from service.errors import DrainingError


def add_routes(api: FastAPI, scoring: Scoring, reader: BodyReader) -> None:
    """Register every route that this service has."""

    @api.get("/", summary="Readiness: 200 once the model has predicted its golden requests right")
    @api.get("/readyz", summary="The same")
    async def readiness(request: Request) -> Response:
        if request.scope["state"].get("draining"):
            raise DrainingError
        return json_response({"status": "ready", "pid": os.getpid(), "model": model_of(scoring)})

    @api.get("/livez", summary="Liveness: 200 as long as the event loop runs")
    async def liveness() -> Response:
        return json_response({"status": "live", "pid": os.getpid()})

    @api.post("/score", summary="One prediction a row, as a list")
    async def score(request: Request) -> Response:
        job = await answered(request, scoring, reader, with_probabilities=False)
        return json_response(job.answer.result())

    @api.post("/predict", summary="One prediction a row, and what made them")
    async def predict(request: Request) -> Response:
        classes = scoring.model.classes
        job = await answered(request, scoring, reader, with_probabilities=classes is not None)
        answer = job.answer.result()
        if not isinstance(answer, WithProbabilities):
            return json_response({"predictions": answer, "model": model_of(scoring)})
        return json_response(
            {
                "predictions": answer.predictions,
                "classes": classes,
                "probabilities": answer.probabilities,
                "model": model_of(scoring),
            }
        )


async def answered(request: Request, scoring: Scoring, reader: BodyReader, *, with_probabilities: bool) -> Job:
    """Return the request's job when it is done, and note how long the model took."""
    state = request.scope["state"]
    arrived_s = scoring.admit(state["head"])
    async with reader.read(request.receive, arrived_s) as body:
        job = await scoring.answered(
            body, arrived_s, request.receive, request.scope, with_probabilities=with_probabilities
        )
    state["predict_ms"] = job.predict_ms
    return job


def model_of(scoring: Scoring) -> dict[str, str]:
    """Return the name and version of the model that answers."""
    metadata = scoring.model.metadata
    return {"name": metadata.name, "version": metadata.version}


def json_response(document: Any) -> Response:
    """Return 200 with strict JSON."""
    return Response(orjson.dumps(document), media_type="application/json")

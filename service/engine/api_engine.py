"""The FastAPI app that uvicorn serves: the probe, POST /score and POST /predict."""

import logging
import os
import platform
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException as StarletteHTTPException

from service.engine.documentation import ERROR_RESPONSES, PREDICT_RESPONSE, REQUEST_BODY, SCORE_RESPONSE
from service.engine.frame import Frame, request_fields
from service.errors import RequestRefusedError, error_body, to_json
from service.model_artefacts import load_model
from service.model_predictor import ModelPredictor
from service.process import end_with_parent
from service.request_body import BodyLimits, check_content_type, decode_rows, read_body
from service.settings import EngineSettings

logger = logging.getLogger(__name__)


def app() -> FastAPI:
    """Return the app that this process's environment describes; uvicorn's factory."""
    return create_app(EngineSettings.from_environ(os.environ))


def create_app(settings: EngineSettings, limits: BodyLimits | None = None) -> FastAPI:
    """Return the app; its lifespan loads the model, and raises ModelArtefactError where that cannot be served."""
    predictor = ModelPredictor()
    engine = FastAPI(
        title="Scoring service",
        lifespan=lambda _: lifespan(settings, predictor),
        openapi_url="/swagger.json",  # where Azure ML's swagger_uri points
        redirect_slashes=False,  # a redirect is not 200, so the platform makes 424 of it
    )
    engine.add_middleware(Frame, extra_headers=lambda: release_headers(settings, predictor))
    engine.add_exception_handler(RequestRefusedError, answer_refusal)
    engine.add_exception_handler(StarletteHTTPException, answer_http_exception)
    add_routes(engine, predictor, limits or BodyLimits())
    return engine


@asynccontextmanager
async def lifespan(settings: EngineSettings, predictor: ModelPredictor) -> AsyncIterator[None]:
    """Load the model before uvicorn listens."""
    if settings.parent_pid is not None:
        end_with_parent(settings.parent_pid, signal.SIGKILL)
    started_s = time.perf_counter()
    model = load_model(settings.model_path)
    predictor.set_model(model)
    logger.info(
        "model loaded: %s version %s from %s in %.0f ms, Python %s",
        model.metadata.name,
        model.metadata.version,
        settings.model_path,
        (time.perf_counter() - started_s) * 1000,
        platform.python_version(),
    )
    yield


def add_routes(engine: FastAPI, predictor: ModelPredictor, limits: BodyLimits) -> None:
    """Register the three routes."""

    @engine.get("/", summary="Liveness and readiness probe", responses=ERROR_RESPONSES, response_class=Response)
    async def probe() -> Response:
        metadata = predictor.metadata
        return json_response(
            {"status": "ready", "pid": os.getpid(), "model": {"name": metadata.name, "version": metadata.version}}
        )

    @engine.post(
        "/score",
        summary="One prediction a row, as a list",
        openapi_extra=REQUEST_BODY,
        responses={**SCORE_RESPONSE, **ERROR_RESPONSES},
        response_class=Response,
    )
    async def score(request: Request) -> Response:
        return json_response(await predict_request(request, predictor, limits))

    @engine.post(
        "/predict",
        summary="One prediction a row, with the model's name and version",
        openapi_extra=REQUEST_BODY,
        responses={**PREDICT_RESPONSE, **ERROR_RESPONSES},
        response_class=Response,
    )
    async def predict(request: Request) -> Response:
        predictions = await predict_request(request, predictor, limits)
        metadata = predictor.metadata
        return json_response(
            {"predictions": predictions, "model": {"name": metadata.name, "version": metadata.version}}
        )


async def predict_request(request: Request, predictor: ModelPredictor, limits: BodyLimits) -> list[float]:
    """Decode, predict in a thread so that the probe answers meanwhile, and note how long the model took."""
    check_content_type(request.headers.get("content-type"), request.headers.get("content-encoding"))
    body = await read_body(request.stream(), limits)
    rows = decode_rows(body, features=len(predictor.metadata.features), limits=limits)
    started_s = time.perf_counter()
    predictions = await run_in_threadpool(predictor.predict, rows)
    request.state.predict_ms = (time.perf_counter() - started_s) * 1000
    return predictions


async def answer_refusal(request: Request, error: Exception) -> Response:
    """Answer a request that this service refused."""
    if not isinstance(error, RequestRefusedError):
        raise error
    logger.info("request refused: %d %s", error.status, error.code, extra=request_fields(request.scope))
    return json_response(error_body(error.code, error.message, error.location), error.status)


async def answer_http_exception(request: Request, error: Exception) -> Response:
    """Answer what the framework itself refuses: an unknown path, a method that a path does not have."""
    if not isinstance(error, StarletteHTTPException):
        raise error
    status = HTTPStatus(error.status_code)
    location = {HTTPStatus.NOT_FOUND: "path", HTTPStatus.METHOD_NOT_ALLOWED: "method"}.get(status, "request")
    message = f"{status.phrase}: {request.method} is not answered here; POST /score and POST /predict are."
    response = json_response(error_body(status.name.lower(), message, location), status)
    response.headers.update(error.headers or {})
    return response


def release_headers(settings: EngineSettings, predictor: ModelPredictor) -> dict[str, str]:
    """Return the headers that say which model and which release answered."""
    metadata = predictor.metadata_or_none
    return {
        **({"x-model-version": metadata.version} if metadata else {}),
        **({"x-release-id": settings.release_id} if settings.release_id else {}),
    }


def json_response(document: Any, status: int = HTTPStatus.OK) -> Response:
    """Return an answer of strict JSON."""
    return Response(to_json(document), status, media_type="application/json")

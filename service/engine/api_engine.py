"""The ASGI app that uvicorn serves: FastAPI with the probes, POST /score and POST /predict, and the front before it."""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException as StarletteHTTPException

from service.engine.body_reader import BodyReader
from service.engine.documentation import describe_bodies
from service.engine.frame import Frame
from service.engine.front import ScoreFront
from service.engine.metrics import Metrics, serve_metrics
from service.engine.refusals import Refusals
from service.engine.request_head import AnswerHeaders
from service.engine.routes import add_routes
from service.engine.scoring import Scoring
from service.engine.startup import prepare_model
from service.errors import RequestRefusedError, error_body, error_headers, to_json
from service.model_artefacts import ModelArtefactError
from service.request_body import BodyLimits
from service.settings import EngineSettings

if TYPE_CHECKING:
    from service.telemetry_azure import Telemetry
    from service.telemetry_requests import ObservedApp

# The exit code of a process whose model may not be served.
MODEL_REFUSED = 4

logger = logging.getLogger(__name__)


def app() -> "ScoreFront | ObservedApp":
    """Return the app that this process's environment describes; uvicorn's factory."""
    return create_app(EngineSettings.from_environ(os.environ))


def create_app(
    settings: EngineSettings, limits: BodyLimits | None = None, on_model_refused: Callable[[], None] | None = None
) -> "ScoreFront | ObservedApp":
    """Return the app, which loads its model once it is started and answers 503 model_loading until that is checked.

    `on_model_refused` is called where the model may not be served; by default it ends the process with MODEL_REFUSED.
    """
    engine = _Engine(settings, limits or BodyLimits(), on_model_refused or _end_process)
    api = FastAPI(
        title="Scoring service",
        lifespan=engine.lifespan,
        openapi_url="/swagger.json",  # where Azure ML's swagger_uri points
        redirect_slashes=False,  # a redirect is not 200, so the platform makes 424 of it
    )
    api.add_middleware(Frame, answer_headers=engine.answer_headers, metrics=engine.metrics)
    api.add_exception_handler(RequestRefusedError, engine.answer_refusal)
    api.add_exception_handler(StarletteHTTPException, answer_http_exception)
    add_routes(api, engine.scoring, engine.reader)
    describe_bodies(api, engine.scoring)
    front = ScoreFront(
        api,
        engine.scoring,
        engine.reader,
        engine.answer_headers,
        engine.metrics,
        engine.refusals,
        timeout_s=settings.deadline_s,
    )
    return engine.observed(front)


class _Engine:
    """What the app of one process is made of."""

    def __init__(self, settings: EngineSettings, limits: BodyLimits, on_model_refused: Callable[[], None]) -> None:
        self._settings = settings
        self._limits = limits
        self._on_model_refused = on_model_refused
        self.metrics = Metrics()
        self.refusals = Refusals(self.metrics)
        self.answer_headers = AnswerHeaders(settings.release_id)
        self.reader = BodyReader(limits, settings.deadline_s)
        self._telemetry = _telemetry(settings, self.metrics)
        self.scoring = (
            self._telemetry.scoring(settings, limits) if self._telemetry else Scoring(settings, limits, self.metrics)
        )

    def observed(self, front: ScoreFront) -> "ScoreFront | ObservedApp":
        """Return the app whose requests are told of; where telemetry is off, the front itself."""
        return self._telemetry.observed(front) if self._telemetry else front

    @asynccontextmanager
    async def lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        """Load the model while uvicorn listens already, so that a probe hears why it has to wait."""
        close_metrics = self._serve_metrics()
        loading = asyncio.create_task(self._load())
        try:
            yield
        finally:
            loading.cancel()
            self.scoring.close()
            close_metrics()
            self._close_telemetry()

    async def answer_refusal(self, request: Request, error: Exception) -> Response:
        """Answer a request that this service refused."""
        if not isinstance(error, RequestRefusedError):
            raise error
        body = self.refusals.note(error, request.scope["state"]["head"])
        return Response(body, error.status, error_headers(error.code), "application/json")

    async def _load(self) -> None:
        settings = self._settings
        try:
            model = await asyncio.to_thread(
                prepare_model, settings.model_path, exact_predictors=settings.exact_predictors, limits=self._limits
            )
        except ModelArtefactError as error:
            logger.critical("%s", error)
            self._refuse_model()
        except Exception:
            logger.critical("model: preparing it failed", exc_info=True)
            self._refuse_model()
        else:
            self.metrics.model_info = {
                "name": model.metadata.name,
                "version": model.metadata.version,
                "release_id": settings.release_id or "",
            }
            self.answer_headers.set_model_version(model.metadata.version)
            self.scoring.publish(model)

    def _refuse_model(self) -> None:
        self._close_telemetry()
        self._on_model_refused()

    def _close_telemetry(self) -> None:
        if self._telemetry is not None:
            self._telemetry.close()
            self._telemetry = None

    def _serve_metrics(self) -> Callable[[], None]:
        port = self._settings.metrics_port
        if port is None:
            return lambda: None
        close = serve_metrics(self.metrics, self._settings.host, port)
        logger.info("metrics on %d", port)
        return close


async def answer_http_exception(request: Request, error: Exception) -> Response:
    """Answer what the framework itself refuses: an unknown path, a method that a path does not have."""
    if not isinstance(error, StarletteHTTPException):
        raise error
    status = HTTPStatus(error.status_code)
    location = {HTTPStatus.NOT_FOUND: "path", HTTPStatus.METHOD_NOT_ALLOWED: "method"}.get(status, "request")
    message = f"{status.phrase}: {request.method} is not answered here; POST /score and POST /predict are."
    body = to_json(error_body(status.name.lower(), message, location))
    return Response(body, status, error.headers, "application/json")


def _telemetry(settings: EngineSettings, metrics: Metrics) -> "Telemetry | None":
    if settings.connection_string is None:
        return None
    # It takes a while to import, and most do without it.
    from service.telemetry_azure import Telemetry  # noqa: PLC0415 - see above

    return Telemetry(settings.connection_string, metrics)


def _end_process() -> None:
    sys.stdout.flush()
    os._exit(MODEL_REFUSED)

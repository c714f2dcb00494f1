"""The control plane: every call is let in, named, recorded, struck by the faults asked for, and answered."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployment.emulator.backend import Backend
from deployment.emulator.calling import CallRoute, Handler
from deployment.emulator.documents import Documents, error_body, error_document
from deployment.emulator.documents_assets import AssetDocuments
from deployment.emulator.dropping import DroppedConnection
from deployment.emulator.errors import (
    AzureError,
    BadRequestError,
    ConflictError,
    NotEmulatedError,
    NotFoundError,
    UnauthorizedError,
)
from deployment.emulator.faults import ControlFault, Delay, Drop, Refuse, When
from deployment.emulator.routes_assets import AssetRoutes
from deployment.emulator.routes_autoscale import AutoscaleRoutes
from deployment.emulator.routes_blobs import BlobRoutes
from deployment.emulator.routes_endpoints import EndpointRoutes
from deployment.emulator.routes_faults import FaultRoutes
from deployment.emulator.routes_subscription import SubscriptionRoutes

logger = logging.getLogger(__name__)
HTTP_STATUS = {
    BadRequestError: 400,
    UnauthorizedError: 401,
    NotFoundError: 404,
    ConflictError: 409,
    NotEmulatedError: 501,
}
# What Azure's error document calls a status that a fault asks for.
CODES = {409: "Conflict", 412: "PreconditionFailed", 429: "TooManyRequests", 503: "ServiceUnavailable"}
# The parts of a route's path that name what a call is about.
NAMING = ("endpoint", "deployment", "name", "version", "blob", "registry", "assignment", "setting")


class ControlPlane:
    """Answers ARM's requests for the one workspace of the emulator."""

    def __init__(self, backend: Backend, documents: Documents, poll_after_ms: int | None = 50) -> None:
        self._backend = backend
        self._documents = documents
        assets = AssetDocuments(documents.workspace, documents.control_url)
        self._guarded = [
            *AssetRoutes(backend, documents, assets).routes(),
            *EndpointRoutes(backend, documents, poll_after_ms).routes(),
            *SubscriptionRoutes(backend, documents.workspace).routes(),
            *AutoscaleRoutes(backend.autoscale, documents.workspace).routes(),
        ]
        self._open = [
            CallRoute("clouds.list", "GET", "/metadata/endpoints", self._list_clouds),
            *BlobRoutes(backend.blobs).routes(),
        ]
        self._own = FaultRoutes(backend, [*self._guarded, *self._open]).routes()

    def routes(self) -> list[CallRoute]:
        """Answer all routes, the emulator's own too, which have no name."""
        return [*self._guarded, *self._open, *self._own]

    def app(self) -> Starlette:
        """Answer the ASGI application."""
        routes = [
            *(_route(each, self._recorded(each.call, self._let_in(each.handler))) for each in self._guarded),
            *(_route(each, self._recorded(each.call, each.handler)) for each in self._open),
            *(_route(each, _answered(self._let_in(each.handler))) for each in self._own),
        ]
        return Starlette(routes=routes, exception_handlers={HTTPException: self._refuse_route})

    def _let_in(self, handler: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            authorization = request.headers.get("authorization", "")
            self._backend.tokens.check(authorization, self._documents.control_url)
            self._check_scope(request)
            return await handler(request)

        return guarded

    def _recorded(self, call: str, handler: Handler) -> Handler:
        answered = _answered(handler)

        async def recorded(request: Request) -> Response:
            resource = self._resource(request)
            fault = self._backend.faults.for_call(call, resource)
            end = self._backend.calls.begin(call, request.method, resource, is_struck=fault is not None)
            response = await (answered(request) if fault is None else _strike(fault, lambda: answered(request)))
            end(response.status_code)
            return response

        return recorded

    def _check_scope(self, request: Request) -> None:
        workspace = self._documents.workspace
        expected = {"s": workspace.subscription_id, "r": workspace.resource_group, "w": workspace.name}
        for parameter, value in expected.items():
            given = request.path_params.get(parameter, value)
            if given.lower() != value.lower():
                raise NotFoundError(f"The emulator has '{value}', not '{given}'.")

    def _resource(self, request: Request) -> str:
        names = request.path_params
        if "operation" in names:
            return self._backend.operations.resource(names["operation"])
        return "/".join(names[each] for each in NAMING if each in names)

    async def _list_clouds(self, _: Request) -> Response:
        return JSONResponse([self._documents.cloud()])

    async def _refuse_route(self, request: Request, _: Exception) -> Response:
        error = NotEmulatedError(f"{request.method} {request.url.path}")
        logger.warning("%s", error.message)
        self._backend.calls.begin("", request.method, request.url.path, is_struck=False)(501)
        return JSONResponse(error_document(error), 501)


def _route(call: CallRoute, handler: Handler) -> Route:
    route = Route(call.path, handler, methods=[call.method])
    # Starlette would let a GET route answer HEAD as well, and the storage has a HEAD of its own.
    route.methods = {call.method}
    return route


def _answered(handler: Handler) -> Handler:
    """Turn what a handler raises into Azure's error document."""

    async def answered(request: Request) -> Response:
        try:
            return await handler(request)
        except AzureError as error:
            status = HTTP_STATUS.get(type(error), 400)
            return JSONResponse(error_document(error), status)
        except Exception:  # a fault of the emulator has to reach the SDK as a document too
            logger.exception("%s %s failed inside the emulator", request.method, request.url.path)
            message = "emulator: an error of its own; see its log"
            return JSONResponse({"error": error_body("InternalServerError", message)}, 500)

    return answered


async def _strike(fault: ControlFault, answer: Callable[[], Awaitable[Response]]) -> Response:
    """Answer a call as the fault says, before or after what was asked for has happened."""
    effect: Any = fault.effect
    response = await answer() if fault.when is When.AFTER else None
    match effect:
        case Refuse():
            code = effect.code or CODES.get(effect.status, "InternalServerError")
            waits = {"retry-after": effect.retry_after_s, "retry-after-ms": effect.retry_after_ms}
            headers = {name: str(value) for name, value in waits.items() if value is not None}
            return JSONResponse({"error": error_body(code, effect.message)}, effect.status, headers)
        case Drop():
            return DroppedConnection()
        case Delay():
            await asyncio.sleep(effect.delay_ms / 1000)
    return response or await answer()

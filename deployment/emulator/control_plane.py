"""The control plane's routes: they read requests, call the backend and write documents, and decide nothing."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployment.emulator.clock import Clock
from deployment.emulator.deployments import Deployments
from deployment.emulator.documents import Document, Documents, error_document
from deployment.emulator.endpoints import Endpoints
from deployment.emulator.entities import Operation, OperationStatus
from deployment.emulator.environments import Environments
from deployment.emulator.errors import (
    AzureError,
    BadRequestError,
    ConflictError,
    NotEmulatedError,
    NotFoundError,
    UnauthorizedError,
)
from deployment.emulator.operations import Operations
from deployment.emulator.tokens import Tokens
from deployment.emulator.wire import (
    read_deployment,
    read_endpoint,
    read_environment,
    read_logs_wanted,
    read_primary_key_wanted,
)

logger = logging.getLogger(__name__)
HTTP_STATUS = {
    BadRequestError: 400,
    UnauthorizedError: 401,
    NotFoundError: 404,
    ConflictError: 409,
    NotEmulatedError: 501,
}
WORKSPACE = "/subscriptions/{s}/resourceGroups/{r}/providers/Microsoft.MachineLearningServices/workspaces/{w}"
LOCATION = "/subscriptions/{s}/providers/Microsoft.MachineLearningServices/locations/{location}"
ENDPOINT = WORKSPACE + "/onlineEndpoints/{endpoint}"
DEPLOYMENT = ENDPOINT + "/deployments/{deployment}"
ENVIRONMENT = WORKSPACE + "/environments/{name}"
# The SDK polls every 5 to 30 s unless the answer says otherwise.
POLL_SOON = {"retry-after-ms": "50"}
Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Backend:
    """All that the routes call."""

    endpoints: Endpoints
    deployments: Deployments
    environments: Environments
    operations: Operations
    tokens: Tokens
    clock: Clock


class ControlPlane:
    """Answers ARM's requests for the one workspace of the emulator."""

    def __init__(self, backend: Backend, documents: Documents) -> None:
        self._backend = backend
        self._documents = documents

    def app(self) -> Starlette:
        """Answer the ASGI application."""
        guarded: list[tuple[str, str, Handler]] = [
            ("GET", WORKSPACE, self._get_workspace),
            ("GET", WORKSPACE + "/onlineEndpoints", self._list_endpoints),
            ("GET", ENDPOINT, self._get_endpoint),
            ("PUT", ENDPOINT, self._put_endpoint),
            ("DELETE", ENDPOINT, self._delete_endpoint),
            ("POST", ENDPOINT + "/listKeys", self._list_keys),
            ("POST", ENDPOINT + "/regenerateKeys", self._regenerate_keys),
            ("GET", ENDPOINT + "/deployments", self._list_deployments),
            ("GET", DEPLOYMENT, self._get_deployment),
            ("PUT", DEPLOYMENT, self._put_deployment),
            ("DELETE", DEPLOYMENT, self._delete_deployment),
            ("POST", DEPLOYMENT + "/getLogs", self._get_logs),
            ("GET", ENVIRONMENT, self._get_environment_container),
            ("GET", ENVIRONMENT + "/versions/{version}", self._get_environment),
            ("PUT", ENVIRONMENT + "/versions/{version}", self._put_environment),
            ("GET", LOCATION + "/mfeOperationsStatus/{operation}", self._get_operation_status),
            ("GET", LOCATION + "/mfeOperationResults/{operation}", self._get_operation_result),
        ]
        routes = [Route(path, self._guard(handler), methods=[method]) for method, path, handler in guarded]
        routes.append(Route("/metadata/endpoints", self._get_clouds, methods=["GET"]))
        return Starlette(routes=routes, exception_handlers={AzureError: _refuse, HTTPException: _refuse_route})

    def _guard(self, handler: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            authorization = request.headers.get("authorization", "")
            self._backend.tokens.check(authorization, self._documents.control_url)
            self._check_scope(request)
            return await handler(request)

        return guarded

    def _check_scope(self, request: Request) -> None:
        workspace = self._documents.workspace
        expected = {"s": workspace.subscription_id, "r": workspace.resource_group, "w": workspace.name}
        for parameter, value in expected.items():
            given = request.path_params.get(parameter, value)
            if given.lower() != value.lower():
                raise NotFoundError(f"The emulator has '{value}', not '{given}'.")

    async def _get_clouds(self, _: Request) -> Response:
        return JSONResponse([self._documents.cloud()])

    async def _get_workspace(self, _: Request) -> Response:
        return JSONResponse(self._documents.workspace_document())

    async def _list_endpoints(self, _: Request) -> Response:
        return JSONResponse({"value": [self._endpoint(each.name) for each in self._backend.endpoints.all()]})

    async def _get_endpoint(self, request: Request) -> Response:
        return JSONResponse(self._endpoint(request.path_params["endpoint"]))

    async def _put_endpoint(self, request: Request) -> Response:
        wanted = read_endpoint(request.path_params["endpoint"], await request.body())
        endpoint, operation, is_new = self._backend.endpoints.put(wanted)
        return self._accepted(201 if is_new else 200, operation, self._endpoint(endpoint.name))

    async def _delete_endpoint(self, request: Request) -> Response:
        return self._deleted(self._backend.endpoints.delete(request.path_params["endpoint"]))

    async def _list_keys(self, request: Request) -> Response:
        keys = self._backend.endpoints.keys(request.path_params["endpoint"])
        return JSONResponse({"primaryKey": keys.primary, "secondaryKey": keys.secondary})

    async def _regenerate_keys(self, request: Request) -> Response:
        is_primary = read_primary_key_wanted(await request.body())
        name = request.path_params["endpoint"]
        return self._accepted(202, self._backend.endpoints.regenerate_key(name, primary=is_primary), None)

    async def _list_deployments(self, request: Request) -> Response:
        found = self._backend.deployments.all(request.path_params["endpoint"])
        return JSONResponse({"value": [self._documents.deployment(each) for each in found]})

    async def _get_deployment(self, request: Request) -> Response:
        deployment = self._backend.deployments.get(**_names(request))
        return JSONResponse(self._documents.deployment(deployment))

    async def _put_deployment(self, request: Request) -> Response:
        wanted = read_deployment(**_names(request), body=await request.body())
        deployment, operation, is_new = self._backend.deployments.put(wanted)
        return self._accepted(201 if is_new else 200, operation, self._documents.deployment(deployment))

    async def _delete_deployment(self, request: Request) -> Response:
        return self._deleted(self._backend.deployments.delete(**_names(request)))

    async def _get_logs(self, request: Request) -> Response:
        is_inference_server, tail = read_logs_wanted(await request.body())
        names = _names(request)
        content = await self._backend.deployments.logs(**names, inference_server=is_inference_server, tail=tail)
        return JSONResponse({"content": content})

    async def _get_environment_container(self, request: Request) -> Response:
        versions = self._backend.environments.versions(request.path_params["name"])
        return JSONResponse(self._documents.environment_container(versions))

    async def _get_environment(self, request: Request) -> Response:
        environment = self._backend.environments.get(request.path_params["name"], request.path_params["version"])
        return JSONResponse(self._documents.environment(environment))

    async def _put_environment(self, request: Request) -> Response:
        name, version = request.path_params["name"], request.path_params["version"]
        wanted = read_environment(name, version, await request.body(), self._backend.clock.now())
        environment, is_new = self._backend.environments.put(wanted)
        return JSONResponse(self._documents.environment(environment), 201 if is_new else 200)

    async def _get_operation_status(self, request: Request) -> Response:
        operation = self._backend.operations.get(request.path_params["operation"])
        return JSONResponse(self._documents.operation(operation), headers=POLL_SOON)

    async def _get_operation_result(self, request: Request) -> Response:
        operation = self._backend.operations.get(request.path_params["operation"])
        if operation.status is OperationStatus.IN_PROGRESS:
            location = self._documents.operation_url("mfeOperationResults", operation.id)
            return Response(status_code=202, headers={**POLL_SOON, "location": location})
        if operation.status is OperationStatus.SUCCEEDED:
            return Response(status_code=204)
        raise BadRequestError(operation.error_message, code=operation.error_code)

    def _endpoint(self, name: str) -> Document:
        backend = self._backend.endpoints
        return self._documents.endpoint(backend.get(name), backend.scoring_path(name))

    def _accepted(self, status: int, operation: Operation, document: Document | None) -> Response:
        headers = {
            **POLL_SOON,
            "azure-asyncoperation": self._documents.operation_url("mfeOperationsStatus", operation.id),
            "x-ms-async-operation-timeout": "PT1H",
        }
        if document is None:
            headers["location"] = self._documents.operation_url("mfeOperationResults", operation.id)
        return JSONResponse(document, status, headers)

    def _deleted(self, operation: Operation | None) -> Response:
        return Response(status_code=204) if operation is None else self._accepted(202, operation, None)


def _names(request: Request) -> dict[str, Any]:
    return {"endpoint_name": request.path_params["endpoint"], "name": request.path_params["deployment"]}


async def _refuse(_: Request, error: Exception) -> Response:
    if not isinstance(error, AzureError):
        raise error
    return JSONResponse(error_document(error), HTTP_STATUS[type(error)])


async def _refuse_route(request: Request, _: Exception) -> Response:
    error = NotEmulatedError(f"{request.method} {request.url.path}")
    logger.warning("%s", error.message)
    return JSONResponse(error_document(error), 501)

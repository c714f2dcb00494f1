"""The routes of endpoints, deployments and operations."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from deployment.emulator.backend import Backend
from deployment.emulator.calling import LOCATION, WORKSPACE, CallRoute
from deployment.emulator.documents import Document, Documents
from deployment.emulator.entities import Endpoint, Operation, OperationStatus
from deployment.emulator.errors import BadRequestError
from deployment.emulator.wire_endpoints import (
    read_deployment,
    read_endpoint,
    read_logs_wanted,
    read_primary_key_wanted,
)

ENDPOINT = WORKSPACE + "/onlineEndpoints/{endpoint}"
DEPLOYMENT = ENDPOINT + "/deployments/{deployment}"


class EndpointRoutes:
    """They read requests, call the backend and write documents, and decide nothing.

    poll_after_ms is how soon the SDK is told to poll; without it the SDK takes 5 to 30 s.
    """

    def __init__(self, backend: Backend, documents: Documents, poll_after_ms: int | None) -> None:
        self._backend = backend
        self._documents = documents
        self._poll = {} if poll_after_ms is None else {"retry-after-ms": str(poll_after_ms)}

    def routes(self) -> list[CallRoute]:
        """Answer the routes by name."""
        return [
            CallRoute("endpoints.list", "GET", WORKSPACE + "/onlineEndpoints", self._list_endpoints),
            CallRoute("endpoints.get", "GET", ENDPOINT, self._get_endpoint),
            CallRoute("endpoints.put", "PUT", ENDPOINT, self._put_endpoint, starts_operation=True),
            CallRoute("endpoints.delete", "DELETE", ENDPOINT, self._delete_endpoint, starts_operation=True),
            CallRoute("endpoints.listKeys", "POST", ENDPOINT + "/listKeys", self._list_keys),
            CallRoute(
                "endpoints.regenerateKeys",
                "POST",
                ENDPOINT + "/regenerateKeys",
                self._regenerate_keys,
                starts_operation=True,
            ),
            CallRoute("endpoints.token", "POST", ENDPOINT + "/token", self._token),
            CallRoute("deployments.list", "GET", ENDPOINT + "/deployments", self._list_deployments),
            CallRoute("deployments.get", "GET", DEPLOYMENT, self._get_deployment),
            CallRoute("deployments.put", "PUT", DEPLOYMENT, self._put_deployment, starts_operation=True),
            CallRoute("deployments.delete", "DELETE", DEPLOYMENT, self._delete_deployment, starts_operation=True),
            CallRoute("deployments.getLogs", "POST", DEPLOYMENT + "/getLogs", self._get_logs),
            CallRoute("operations.status", "GET", LOCATION + "/mfeOperationsStatus/{operation}", self._get_status),
            CallRoute("operations.result", "GET", LOCATION + "/mfeOperationResults/{operation}", self._get_result),
        ]

    async def _list_endpoints(self, _: Request) -> Response:
        return JSONResponse({"value": [self._endpoint(each) for each in self._backend.endpoints.all()]})

    async def _get_endpoint(self, request: Request) -> Response:
        return JSONResponse(self._endpoint(self._backend.endpoints.get(request.path_params["endpoint"])))

    async def _put_endpoint(self, request: Request) -> Response:
        wanted = read_endpoint(request.path_params["endpoint"], await request.body())
        endpoint, operation, is_new = self._backend.endpoints.put(wanted)
        return self._accepted(201 if is_new else 200, operation, self._endpoint(endpoint))

    async def _delete_endpoint(self, request: Request) -> Response:
        return self._deleted(self._backend.endpoints.delete(request.path_params["endpoint"]))

    async def _list_keys(self, request: Request) -> Response:
        keys = self._backend.endpoints.keys(request.path_params["endpoint"])
        return JSONResponse({"primaryKey": keys.primary, "secondaryKey": keys.secondary})

    async def _regenerate_keys(self, request: Request) -> Response:
        is_primary = read_primary_key_wanted(await request.body())
        name = request.path_params["endpoint"]
        return self._accepted(202, self._backend.endpoints.regenerate_key(name, primary=is_primary), None)

    async def _token(self, request: Request) -> Response:
        token = self._backend.endpoints.token(request.path_params["endpoint"])
        return JSONResponse(
            {
                "accessToken": token.value,
                "tokenType": "Bearer",
                "expiryTimeUtc": token.expires_on,
                "refreshAfterTimeUtc": token.refresh_after,
            }
        )

    async def _list_deployments(self, request: Request) -> Response:
        found = self._backend.deployments.all(request.path_params["endpoint"])
        return JSONResponse({"value": [self._documents.deployment(each) for each in found]})

    async def _get_deployment(self, request: Request) -> Response:
        return JSONResponse(self._documents.deployment(self._backend.deployments.get(**_names(request))))

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

    async def _get_status(self, request: Request) -> Response:
        operation = self._backend.operations.get(request.path_params["operation"])
        return JSONResponse(self._documents.operation(operation), headers=self._poll)

    async def _get_result(self, request: Request) -> Response:
        operation = self._backend.operations.get(request.path_params["operation"])
        if operation.status is OperationStatus.IN_PROGRESS:
            location = self._documents.operation_url("mfeOperationResults", operation.id)
            return Response(status_code=202, headers={**self._poll, "location": location})
        if operation.status is OperationStatus.SUCCEEDED:
            return Response(status_code=204)
        raise BadRequestError(operation.error_message, code=operation.error_code)

    def _endpoint(self, endpoint: Endpoint) -> Document:
        return self._documents.endpoint(endpoint, self._backend.endpoints.scoring_path(endpoint))

    def _accepted(self, status: int, operation: Operation, document: Document | None) -> Response:
        headers = {
            **self._poll,
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

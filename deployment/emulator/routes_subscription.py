"""The routes of what the subscription has beside the workspace: quota, sizes of machine, registries, roles."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from deployment.emulator.backend import Backend
from deployment.emulator.calling import LOCATION, CallRoute
from deployment.emulator.documents_subscription import REGISTRIES, SubscriptionDocuments
from deployment.emulator.entities import Workspace
from deployment.emulator.errors import BadRequestError
from deployment.emulator.skus import SIZES
from deployment.emulator.wire_registries import read_principal_filter, read_role_assignment

REGISTRY = "/subscriptions/{s}/resourceGroups/{r}/providers/" + REGISTRIES + "/{registry}"
ASSIGNMENTS = REGISTRY + "/providers/Microsoft.Authorization/roleAssignments"


class SubscriptionRoutes:
    """They read requests, call the backend and write documents, and decide nothing."""

    def __init__(self, backend: Backend, workspace: Workspace) -> None:
        self._backend = backend
        self._workspace = workspace
        self._documents = SubscriptionDocuments(workspace)

    def routes(self) -> list[CallRoute]:
        """Answer the routes by name."""
        registries = "/subscriptions/{s}/providers/" + REGISTRIES
        return [
            CallRoute("usages.list", "GET", LOCATION + "/usages", self._list_usages),
            CallRoute("sizes.list", "GET", LOCATION + "/vmSizes", self._list_sizes),
            CallRoute("registries.list", "GET", registries, self._list_registries),
            CallRoute("roleAssignments.list", "GET", ASSIGNMENTS, self._list_assignments),
            CallRoute("roleAssignments.put", "PUT", ASSIGNMENTS + "/{assignment}", self._put_assignment),
        ]

    async def _list_usages(self, request: Request) -> Response:
        self._check_location(request)
        return JSONResponse({"value": self._documents.usages(self._backend.quota)})

    async def _list_sizes(self, request: Request) -> Response:
        self._check_location(request)
        return JSONResponse({"value": [self._documents.size(each) for each in SIZES]})

    async def _list_registries(self, _: Request) -> Response:
        return JSONResponse({"value": [self._documents.registry(each) for each in self._backend.registries.all()]})

    async def _list_assignments(self, request: Request) -> Response:
        principal = read_principal_filter(request.query_params.get("$filter", ""))
        found = self._backend.registries.assignments(request.path_params["registry"])
        listed = [each for each in found if principal in (None, each.principal_id)]
        return JSONResponse({"value": [self._documents.role_assignment(each) for each in listed]})

    async def _put_assignment(self, request: Request) -> Response:
        names = request.path_params["registry"], request.path_params["assignment"]
        wanted = read_role_assignment(*names, await request.body())
        is_new = self._backend.registries.assign(wanted)
        return JSONResponse(self._documents.role_assignment(wanted), 201 if is_new else 200)

    def _check_location(self, request: Request) -> None:
        location = request.path_params["location"]
        if location.lower() != self._workspace.location.lower():
            raise BadRequestError(
                f"The emulator has the location '{self._workspace.location}', not '{location}'.",
                code="LocationNotAvailableForResourceType",
            )

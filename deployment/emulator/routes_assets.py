"""The routes of the workspace, environments, models, code and the datastore."""

import uuid
from collections.abc import Callable
from datetime import datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from deployment.emulator.assets import Assets, AssetT
from deployment.emulator.backend import Backend
from deployment.emulator.calling import WORKSPACE, CallRoute, Handler
from deployment.emulator.documents import Document, Documents
from deployment.emulator.documents_assets import AssetDocuments
from deployment.emulator.documents_subscription import SubscriptionDocuments
from deployment.emulator.downloads import DATASTORE
from deployment.emulator.entities import Environment, Files
from deployment.emulator.errors import NotFoundError
from deployment.emulator.wire import whole_number
from deployment.emulator.wire_assets import read_archived, read_code, read_environment, read_model

# Under this property the SDK keeps what a code asset was made of.
HASH = "hash_sha256"
STORE = WORKSPACE + "/datastores/{name}"
Read = Callable[[str, str, bytes, datetime], AssetT]


class AssetRoutes:
    """They read requests, call the backend and write documents, and decide nothing."""

    def __init__(self, backend: Backend, documents: Documents, asset_documents: AssetDocuments) -> None:
        self._backend = backend
        self._documents = documents
        self._assets = asset_documents

    def routes(self) -> list[CallRoute]:
        """Answer the routes by name."""
        backend, documents = self._backend, self._assets
        return [
            CallRoute("workspace.get", "GET", WORKSPACE, self._get_workspace),
            *self._kind("environments", backend.environments, read_environment, documents.environment),
            *self._kind("models", backend.models, read_model, documents.model),
            *self._kind("codes", backend.codes, read_code, documents.code),
            CallRoute(
                "codes.startPendingUpload",
                "POST",
                WORKSPACE + "/codes/{name}/versions/{version}/startPendingUpload",
                self._start_pending_upload,
            ),
            CallRoute("datastores.list", "GET", WORKSPACE + "/datastores", self._list_datastores),
            CallRoute("datastores.get", "GET", STORE, self._get_datastore),
            CallRoute("datastores.listSecrets", "POST", STORE + "/listSecrets", self._list_secrets),
        ]

    def _kind(
        self, kind: str, assets: Assets[AssetT], read: Read[AssetT], describe: Callable[[AssetT], Document]
    ) -> list[CallRoute]:
        """Answer the routes of one kind of asset, e.g. `models`."""
        everything = f"{WORKSPACE}/{kind}"
        one = everything + "/{name}"
        versions = one + "/versions"
        version = versions + "/{version}"

        async def list_all(request: Request) -> Response:
            found = [each for each in assets.all() if _is_listed(request, all(item.is_archived for item in each))]
            return JSONResponse({"value": [self._assets.container(kind, each) for each in found]})

        async def get_one(request: Request) -> Response:
            return JSONResponse(self._assets.container(kind, assets.known_versions(request.path_params["name"])))

        async def put_one(request: Request) -> Response:
            is_archived = read_archived(await request.body())
            found = assets.archive(request.path_params["name"], is_archived=is_archived)
            return JSONResponse(self._assets.container(kind, found))

        async def list_versions(request: Request) -> Response:
            newest_first = assets.versions(request.path_params["name"])[::-1]
            found = [
                each for each in newest_first if _is_listed(request, each.is_archived) and _has_hash(request, each)
            ]
            top = whole_number(request.query_params.get("$top", ""))
            return JSONResponse({"value": [describe(each) for each in found[:top]]})

        async def get_version(request: Request) -> Response:
            return JSONResponse(describe(assets.get(request.path_params["name"], request.path_params["version"])))

        async def put_version(request: Request) -> Response:
            names = request.path_params["name"], request.path_params["version"]
            asset, is_new = assets.put(read(*names, await request.body(), self._backend.clock.now()))
            return JSONResponse(describe(asset), 201 if is_new else 200)

        table: list[tuple[str, str, str, Handler]] = [
            ("list", "GET", everything, list_all),
            ("getContainer", "GET", one, get_one),
            ("putContainer", "PUT", one, put_one),
            ("listVersions", "GET", versions, list_versions),
            ("get", "GET", version, get_version),
            ("put", "PUT", version, put_version),
        ]
        return [CallRoute(f"{kind}.{name}", method, path, handler) for name, method, path, handler in table]

    async def _get_workspace(self, _: Request) -> Response:
        registry_id = SubscriptionDocuments(self._documents.workspace).registry_id(self._backend.registries.own.name)
        return JSONResponse(self._documents.workspace_document(registry_id))

    async def _start_pending_upload(self, _: Request) -> Response:
        container = f"upload-{uuid.uuid4()}"
        return JSONResponse(self._assets.pending_upload(container, self._backend.blobs.signature(container)))

    async def _list_datastores(self, _: Request) -> Response:
        return JSONResponse({"value": [self._assets.datastore()]})

    async def _get_datastore(self, request: Request) -> Response:
        _check_datastore(request)
        return JSONResponse(self._assets.datastore())

    async def _list_secrets(self, request: Request) -> Response:
        _check_datastore(request)
        token = self._backend.blobs.signature(self._documents.workspace.blob_container)
        return JSONResponse({"secretsType": "Sas", "sasToken": token})


def _is_listed(request: Request, is_archived: bool) -> bool:  # noqa: FBT001 - there is nothing else to ask
    view = request.query_params.get("listViewType", "ActiveOnly")
    return view == "All" or (view == "ArchivedOnly") is is_archived


def _has_hash(request: Request, asset: Environment | Files) -> bool:
    """Whether the asset has the content that is asked for, if any is."""
    wanted = request.query_params.get("hash")
    return wanted is None or (isinstance(asset, Files) and asset.properties.get(HASH) == wanted)


def _check_datastore(request: Request) -> None:
    if request.path_params["name"] != DATASTORE:
        raise NotFoundError(f"Datastore '{request.path_params['name']}' not found.")

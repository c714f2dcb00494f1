"""What the control plane answers: environments, models, code and the datastore as ARM documents."""

from collections.abc import Sequence
from dataclasses import dataclass

from deployment.emulator.documents import PROVIDER, Document, system_data, version_id
from deployment.emulator.downloads import DATASTORE, STORAGE_ROOT
from deployment.emulator.entities import Environment, Files, InferenceRoutes, Route, Workspace
from deployment.emulator.wire import whole_number

ACCOUNT, _, ENDPOINT_SUFFIX = STORAGE_ROOT.partition(".blob.")


@dataclass(frozen=True, slots=True)
class AssetDocuments:
    """Writes assets as ARM documents; the base URL has no slash at its end."""

    workspace: Workspace
    control_url: str

    def environment(self, environment: Environment) -> Document:
        """Describe a version of an environment."""
        properties = {
            "image": environment.image,
            "inferenceConfig": None if environment.routes is None else _routes(environment.routes),
            "osType": "Linux",
            "environmentType": "UserCreated",
        }
        return self._version("environments", environment, properties)

    def model(self, model: Files) -> Document:
        """Describe a version of a model."""
        own: Document = {"modelUri": model.uri, "modelType": model.kind, "flavors": {}, "stage": None}
        return self._version("models", model, own)

    def code(self, code: Files) -> Document:
        """Describe a version of a code asset."""
        return self._version("codes", code, {"codeUri": code.uri})

    def container(self, kind: str, versions: Sequence[Environment | Files]) -> Document:
        """Describe an asset by its versions, the newest last."""
        newest = versions[-1]
        numbers = [number for each in versions if (number := whole_number(each.version)) is not None]
        return {
            "id": f"{self.workspace.arm_id}/{kind}/{newest.name}",
            "name": newest.name,
            "type": f"{PROVIDER}/{kind}",
            "systemData": system_data(versions[0].created_at, newest.created_at),
            "properties": {
                "description": newest.description,
                "tags": dict(newest.tags),
                "properties": {},
                "isArchived": all(each.is_archived for each in versions),
                "latestVersion": newest.version,
                "nextVersion": str(max(numbers, default=0) + 1),
            },
        }

    def datastore(self) -> Document:
        """Describe the default datastore; what opens it is never in it."""
        return {
            "id": f"{self.workspace.arm_id}/datastores/{DATASTORE}",
            "name": DATASTORE,
            "type": f"{PROVIDER}/datastores",
            "properties": {
                "datastoreType": "AzureBlob",
                "accountName": self.account_url().removeprefix("https://").partition(".blob.")[0],
                "containerName": self.workspace.blob_container,
                "endpoint": ENDPOINT_SUFFIX,
                "protocol": "https",
                "credentials": {"credentialsType": "Sas"},
                "isDefault": True,
                "description": None,
                "tags": {},
                "properties": {},
            },
        }

    def account_url(self) -> str:
        """Answer the URL of the storage account, without a slash at its end."""
        return f"{self.control_url}/{ACCOUNT}.blob.{ENDPOINT_SUFFIX}"

    def pending_upload(self, container: str, signature: str) -> Document:
        """Describe where files may be put that an asset will be made of."""
        url = f"{self.account_url()}/{container}"
        return {
            "pendingUploadId": container,
            "pendingUploadType": "TemporaryBlobReference",
            "blobReferenceForConsumption": {
                "blobUri": url,
                "storageAccountArmId": f"{self.workspace.arm_id}/storageAccounts/{ACCOUNT}",
                "credential": {"credentialType": "SAS", "sasUri": f"{url}?{signature}"},
            },
        }

    def _version(self, kind: str, asset: Environment | Files, own: Document) -> Document:
        return {
            "id": version_id(self.workspace, kind, asset),
            "name": asset.version,
            "type": f"{PROVIDER}/{kind}/versions",
            "systemData": system_data(asset.created_at, asset.created_at),
            "properties": {
                "description": asset.description,
                "tags": dict(asset.tags),
                "properties": dict(asset.properties) if isinstance(asset, Files) else {},
                "isAnonymous": asset.is_anonymous,
                "isArchived": asset.is_archived,
                **own,
            },
        }


def _routes(routes: InferenceRoutes) -> Document:
    def route(each: Route) -> Document:
        return {"path": each.path, "port": each.port}

    return {
        "livenessRoute": route(routes.liveness),
        "readinessRoute": route(routes.readiness),
        "scoringRoute": route(routes.scoring),
    }

"""Cloud, spoken by azure-ai-ml and, where that has no call, by Azure Resource Manager's own client."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from azure.ai.ml._azure_environments import _get_base_url_from_metadata  # no public call tells which cloud it is
from azure.containerregistry import ContainerRegistryClient
from azure.core.exceptions import ResourceNotFoundError
from azure.core.pipeline.policies import RetryPolicy
from azure.core.rest import HttpRequest
from azure.mgmt.core import ARMPipelineClient
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy

from deployment.azure_errors import errors_as, quiet
from deployment.azure_names import ACR_PULL, ACR_PUSH, READER, points_at_emulator
from deployment.azureml import AzureML
from deployment.cloud import Identity, Registry, Size, Usage, WorkspaceFacts
from deployment.outcomes import PlatformError
from deployment.registry import ImageReference, has_manifest

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

ACR_SUFFIX = ".azurecr.io"
REGISTRIES_VERSION = "2023-07-01"
ROLES_VERSION = "2022-04-01"
AUTOSCALE_VERSION = "2022-10-01"
RETRIES = 2
# Azure's built-in roles that let a principal pull from a registry.
PULLING_ROLES = {
    ACR_PULL: "AcrPull",
    ACR_PUSH: "AcrPush",
    READER: "Reader",
    "b24988ac-6180-42a0-ab88-20f7382dd24c": "Contributor",
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": "Owner",
}


class AzureCloud:
    """What surrounds an endpoint on Azure, as deployment.cloud.Cloud says.

    Tokens go to Azure Resource Manager and to *.azurecr.io alone, and no answer can send them elsewhere.
    """

    def __init__(self, azure: AzureML) -> None:
        self._client = azure.client
        self._workspace = azure.workspace
        self._endpoint_name = azure.endpoint_name
        self._credential = azure.credential
        self._url = str(_get_base_url_from_metadata()).rstrip("/")
        scope = f"{self._url}/.default"
        # Without a policy for redirects there are none.
        policies = [RetryPolicy(retry_total=RETRIES), ARMChallengeAuthenticationPolicy(self._credential, scope)]
        self._arm: ARMPipelineClient[Any, Any] = ARMPipelineClient(base_url=self._url, policies=policies)

    def workspace(self) -> WorkspaceFacts:
        with quiet(), errors_as(PlatformError, f"workspace {self._workspace.name}"):
            found = self._client.workspaces.get(self._workspace.name)
        return WorkspaceFacts(str(found.location), found.container_registry or "")

    def registries(self) -> Mapping[str, Registry]:
        path = f"/subscriptions/{self._workspace.subscription_id}/providers/Microsoft.ContainerRegistry/registries"
        with errors_as(PlatformError, "registries"):
            found = [
                Registry(each["id"], each["properties"]["loginServer"])
                for each in self._list(path, {"api-version": REGISTRIES_VERSION})
            ]
        return {each.login_server.lower(): each for each in found}

    def identity(self) -> Identity | None:
        with quiet(), errors_as(PlatformError, f"endpoint {self._endpoint_name}"):
            try:
                found = self._client.online_endpoints.get(self._endpoint_name).identity
            except ResourceNotFoundError:
                return None
        if found is None:
            return Identity()
        users = tuple(each.principal_id for each in found.user_assigned_identities or () if each.principal_id)
        return Identity(found.principal_id or "", users)

    def may_pull(self, principal_id: str, registry_id: str) -> bool:
        path = f"{registry_id}/providers/Microsoft.Authorization/roleAssignments"
        # Also what the principal has by a group, and what is assigned to the resource group or the subscription.
        query = {"api-version": ROLES_VERSION, "$filter": f"assignedTo('{principal_id}')"}
        with errors_as(PlatformError, f"role assignments of {registry_id.rpartition('/')[2]}"):
            found = [each["properties"]["roleDefinitionId"] for each in self._list(path, query)]
        return any(role.rpartition("/")[2].lower() in PULLING_ROLES for role in found)

    def usages(self) -> Sequence[Usage]:
        with quiet(), errors_as(PlatformError, "quota"):
            return [usage_of(vars(each)) for each in self._client.compute.list_usage()]

    def sizes(self) -> Mapping[str, Size]:
        with quiet(), errors_as(PlatformError, "sizes of machine"):
            found = [size_of(vars(each)) for each in self._client.compute.list_sizes()]
        return {each.name.lower(): each for each in found}

    def has_image(self, reference: ImageReference) -> bool:
        """Tell whether a registry has an image; raises PlatformError where it does not say."""
        if not reference.host.lower().endswith(ACR_SUFFIX):
            return has_manifest(reference)
        if points_at_emulator(os.environ):
            raise PlatformError(f"registry {reference.host}: the emulator has it by name only, so there is none to ask")
        return acr_has_image(reference, self._credential)

    def _list(self, path: str, query: Mapping[str, str]) -> Iterator[Any]:
        """Return what a list holds, page by page, as long as the next page is Azure Resource Manager's too."""
        request = HttpRequest("GET", self._url + path, params=dict(query))
        while True:
            answer = self._arm.send_request(request)
            answer.raise_for_status()
            page = answer.json()
            yield from page["value"]
            following = page.get("nextLink") or ""
            if not following.startswith(f"{self._url}/"):
                return
            request = HttpRequest("GET", following)


class AzureScaling(AzureCloud):
    """The resource group's autoscale settings, as deployment.autoscale.Scaling says."""

    def location(self) -> str:
        return self.workspace().location

    def deployment_id(self, deployment: str) -> str:
        workspace = f"providers/Microsoft.MachineLearningServices/workspaces/{self._workspace.name}"
        return f"{self._group}/{workspace}/onlineEndpoints/{self._endpoint_name}/deployments/{deployment}"

    def settings(self) -> Mapping[str, Mapping[str, Any]]:
        with errors_as(PlatformError, "autoscale settings"):
            return {each["name"]: each for each in self._list(self._settings, {"api-version": AUTOSCALE_VERSION})}

    def put(self, name: str, document: Mapping[str, Any]) -> None:
        self._send("PUT", name, json=dict(document))

    def remove(self, name: str) -> None:
        self._send("DELETE", name)

    @property
    def _group(self) -> str:
        return f"/subscriptions/{self._workspace.subscription_id}/resourceGroups/{self._workspace.resource_group}"

    @property
    def _settings(self) -> str:
        return f"{self._group}/providers/Microsoft.Insights/autoscaleSettings"

    def _send(self, method: str, name: str, **content: Any) -> None:
        url, query = f"{self._url}{self._settings}/{name}", {"api-version": AUTOSCALE_VERSION}
        with errors_as(PlatformError, f"autoscale setting {name}"):
            self._arm.send_request(HttpRequest(method, url, params=query, **content)).raise_for_status()


def acr_has_image(reference: ImageReference, credential: "TokenCredential", **options: Any) -> bool:
    """Ask an Azure Container Registry for an image; `options` are those of the client's pipeline.

    Raises PlatformError where it does not say, a redirection included: none is followed with a token.
    """
    url = f"https://{reference.host}"
    settings = {"permit_redirects": False, "retry_total": RETRIES, **options}
    with (
        errors_as(PlatformError, f"registry {reference.host}"),
        ContainerRegistryClient(url, credential, **settings) as registry,
    ):
        try:
            registry.get_manifest(reference.repository, reference.digest)
        except ResourceNotFoundError:
            return False
        except (KeyError, ValueError) as error:  # what the client makes of an answer that is no manifest
            raise PlatformError(f"registry {reference.host}: its answer is no manifest ({error})") from error
    return True


def usage_of(usage: Mapping[str, Any]) -> Usage:
    """Read a usage of the SDK, whose values have the wire's names: its own attributes of two words stay None."""
    name = usage["name"]
    limit = int(usage["limit"])
    return Usage(
        kind=usage["type"] or "",
        name=name["value"],
        localized_name=name.get("localizedValue") or name.get("localized_value") or "",
        taken=int(one_of(usage, "currentValue", "current_value")),
        limit=None if limit < 0 else limit,
    )


def size_of(size: Mapping[str, Any]) -> Size:
    """Read a size of the SDK, as usage_of does."""
    return Size(size["name"], size["family"], int(one_of(size, "vCPUs", "v_cp_us")))


def one_of(values: Mapping[str, Any], wire_name: str, name: str) -> Any:
    return values[wire_name] if values.get(wire_name) is not None else values[name]

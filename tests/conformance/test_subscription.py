import os
import uuid
from collections.abc import Mapping
from typing import Any

from azure.core.pipeline.policies import RetryPolicy
from azure.core.rest import HttpRequest
from azure.identity import DefaultAzureCredential
from azure.mgmt.core import ARMPipelineClient
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy

from tests.conformance.cloud import FOREIGN_REGISTRY, MARKS, Cloud, refusal
from tests.lib.emulator_control import EmulatorControl

pytestmark = MARKS
ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"


class Arm:
    """Azure Resource Manager, asked for what azure-ai-ml has no calls for."""

    def __init__(self) -> None:
        from azure.ai.ml._azure_environments import _get_base_url_from_metadata  # noqa: PLC0415 - as in cloud.py

        url = str(_get_base_url_from_metadata()).rstrip("/")
        policy = ARMChallengeAuthenticationPolicy(DefaultAzureCredential(), f"{url}/.default")
        self._client: ARMPipelineClient[Any, Any] = ARMPipelineClient(url, policies=[RetryPolicy(), policy])
        self._url = url
        self.subscription = f"/subscriptions/{os.environ['AZURE_SUBSCRIPTION_ID']}"

    def ask(self, method: str, path: str, version: str, body: Any = None, **query: str) -> Any:
        """Answer the document of a call."""
        request = HttpRequest(method, self._url + path, params={"api-version": version, **query}, json=body)
        answer = self._client.send_request(request)
        answer.raise_for_status()
        return answer.json()

    def registries(self) -> Mapping[str, str]:
        """Answer the registries' ids by login server."""
        path = f"{self.subscription}/providers/Microsoft.ContainerRegistry/registries"
        found = self.ask("GET", path, "2023-07-01")["value"]
        return {each["properties"]["loginServer"]: each["id"] for each in found}

    def roles(self, registry_id: str, principal: str) -> list[str]:
        """Answer the roles that a principal has on a registry."""
        path = f"{registry_id}/providers/Microsoft.Authorization/roleAssignments"
        found = self.ask("GET", path, "2022-04-01", **{"$filter": f"assignedTo('{principal}')"})["value"]
        return [each["properties"]["roleDefinitionId"].rpartition("/")[2] for each in found]

    def grant_pull(self, registry_id: str, principal: str) -> None:
        """Let a principal pull from a registry."""
        path = f"{registry_id}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
        role = f"{self.subscription}/providers/Microsoft.Authorization/roleDefinitions/{ACR_PULL}"
        self.ask("PUT", path, "2022-04-01", {"properties": {"roleDefinitionId": role, "principalId": principal}})


def test_the_cores_of_a_family_are_listed_under_the_name_that_its_sizes_have(cloud: Cloud) -> None:
    # The SDK's own attributes of two words (current_value, v_cp_us) stay None: the wire's names hold the values.
    sizes = {each.name: vars(each) for each in cloud.compute.list_sizes()}
    size = sizes[cloud.instance_type]
    assert size["vCPUs"] > 0
    usages = [vars(each) for each in cloud.compute.list_usage()]
    dedicated = [each for each in usages if each["type"].endswith("/dedicatedCores/usages")]
    assert size["family"] in [each["name"]["value"] for each in dedicated]
    assert all(each["unit"] == "Count" for each in usages)


def test_a_deployments_cores_are_taken_and_given_back(cloud: Cloud, control: EmulatorControl) -> None:
    del control  # nobody else deploys on the emulator meanwhile

    def taken() -> int:
        return int(vars(next(iter(cloud.compute.list_usage())))["currentValue"])

    before = taken()
    with cloud.endpoint() as name:
        cloud.deploy(name, "blue")
        # ceil(1.2 x 1) x 2 cores of a Standard_DS2_v2.
        assert taken() == before + 4
    assert taken() == before


def test_the_workspace_has_a_registry_of_which_an_endpoint_may_pull(cloud: Cloud) -> None:
    registry_id = str(cloud.workspaces.get(cloud.client.workspace_name).container_registry)
    arm = Arm()
    assert registry_id in arm.registries().values()
    with cloud.endpoint() as name:
        principal = cloud.endpoints.get(name).identity.principal_id
        assert ACR_PULL in arm.roles(registry_id, principal)


def test_pulling_from_another_registry_has_to_be_granted(cloud: Cloud, control: EmulatorControl) -> None:
    del control  # Azure makes an hour of it
    arm = Arm()
    registry_id = arm.registries()[FOREIGN_REGISTRY]
    image = f"{FOREIGN_REGISTRY}/{cloud.image}"
    with cloud.endpoint() as name:
        principal = cloud.endpoints.get(name).identity.principal_id
        assert arm.roles(registry_id, principal) == []
        error = refusal(lambda: cloud.deploy(name, "blue", environment=cloud.environment(image=image)))
        assert error.error is not None
        assert error.error.code == "BadArgument"
        assert "401 UNAUTHORIZED" in str(error.error.message)
        cloud.deployments.begin_delete("blue", name).result()
        arm.grant_pull(registry_id, principal)
        assert arm.roles(registry_id, principal) == [ACR_PULL]
        deployed = cloud.deploy(name, "blue", environment=cloud.environment(image=image))
        assert deployed.provisioning_state == "Succeeded"


def test_more_tags_than_azure_takes_are_refused(cloud: Cloud) -> None:
    with cloud.endpoint() as name:
        many = {f"tag-{number}": "" for number in range(51)}
        assert refusal(lambda: cloud.deploy(name, "blue", tags=many)).status_code == 400

"""Platform, spoken by azure-ai-ml."""

import contextlib
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azure.ai.ml import MLClient, load_online_deployment, load_online_endpoint
from azure.core.exceptions import ResourceNotFoundError

from deployment.azure_errors import errors_as, quiet, wait_for
from deployment.azure_names import CLOUD, EMULATED_CLOUD, METADATA_ADDRESS
from deployment.credentials import choose_credential
from deployment.endpoint_name import endpoint_name
from deployment.fencing import refuse_if_changed, without_record
from deployment.outcomes import BadInputError, PlatformError, ProvisioningError, TransientError
from deployment.platform import (
    SETTLED_STATES,
    Container,
    Deployment,
    DeploymentRequest,
    Endpoint,
    Routing,
    Traffic,
)

# What the platform may take before this process stops waiting; the operation itself goes on.
PROVISIONING_TIMEOUT_S = 3600.0
OPERATION_TIMEOUT_S = 600.0


@dataclass(frozen=True)
class Workspace:
    """Where the endpoint lives."""

    subscription_id: str
    resource_group: str
    name: str


def workspace_from(environ: Mapping[str, str]) -> Workspace:
    """Read the workspace from AZURE_SUBSCRIPTION_ID, AZURE_RESOURCE_GROUP and AZUREML_WORKSPACE_NAME."""
    names = ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AZUREML_WORKSPACE_NAME")
    if missing := [name for name in names if not environ.get(name)]:
        raise BadInputError(
            f"workspace: {', '.join(missing)} not set; export them, or run `python -m deployment emulate` "
            "and export what it prints"
        )
    return Workspace(*(environ[name] for name in names))


def require_cloud_of(environ: Mapping[str, str]) -> None:
    """Refuse to go on where a local cloud was asked for and the SDK fell back to another.

    The SDK only warns when the metadata address does not answer and then talks to the public Azure.
    """
    if not environ.get(METADATA_ADDRESS):
        return
    if (cloud := environ.get(CLOUD)) != EMULATED_CLOUD:
        raise BadInputError(
            f"cloud: {METADATA_ADDRESS} is set but {CLOUD} is {cloud!r} (it must be "
            f"{EMULATED_CLOUD!r}); without it the SDK would silently talk to the public Azure"
        )


class AzureML:
    """An Azure ML workspace's managed online endpoint, as deployment.platform.Platform says."""

    def __init__(
        self,
        workspace: Workspace,
        *,
        endpoint_file: Path,
        deployment_file: Path,
        provisioning_timeout_s: float = PROVISIONING_TIMEOUT_S,
        operation_timeout_s: float = OPERATION_TIMEOUT_S,
    ) -> None:
        require_cloud_of(os.environ)
        self.workspace = workspace
        self._endpoint_file = endpoint_file
        self._deployment_file = deployment_file
        self._provisioning_timeout_s = provisioning_timeout_s
        self._operation_timeout_s = operation_timeout_s
        # Its notices of ordinary calls go; its warnings, such as falling back to the public Azure, stay.
        logging.getLogger("azure.ai.ml").setLevel(logging.WARNING)
        with quiet(), errors_as(PlatformError, "workspace"):
            self.endpoint_name = endpoint_name(str(load_online_endpoint(endpoint_file).name), os.environ)
            self.credential = choose_credential(os.environ)
            self.client = MLClient(
                self.credential,
                workspace.subscription_id,
                workspace.resource_group,
                workspace.name,
                enable_telemetry=False,
            )

    def observe(self) -> Endpoint | None:
        with quiet(), errors_as(PlatformError, f"endpoint {self.endpoint_name}"):
            try:
                endpoint = self.client.online_endpoints.get(self.endpoint_name)
                deployments = list(self.client.online_deployments.list(self.endpoint_name))
            except ResourceNotFoundError:
                return None
        return Endpoint(
            name=self.endpoint_name,
            scoring_uri=endpoint.scoring_uri or "",
            traffic=with_traffic(endpoint.traffic),
            mirror_traffic=with_traffic(endpoint.mirror_traffic),
            deployments={deployment.name: describe(deployment) for deployment in deployments},
            tags=dict(endpoint.tags or {}),
            provisioning_state=state_of(endpoint),
        )

    def create_endpoint(self, tags: Mapping[str, str]) -> None:
        with quiet(), errors_as(PlatformError, f"endpoint {self.endpoint_name}"):
            overrides = [{"name": self.endpoint_name}]
            endpoint = load_online_endpoint(self._endpoint_file, params_override=overrides)
            endpoint.tags = {**(endpoint.tags or {}), **tags}
            self._wait(self.client.online_endpoints.begin_create_or_update(endpoint))

    def write(
        self,
        routing: Routing,
        tags: Mapping[str, str],
        *,
        expected: Sequence[Routing] | None,
        holders: Sequence[str] | None,
    ) -> None:
        with quiet(), errors_as(PlatformError, f"endpoint {self.endpoint_name}"):
            # The update replaces the whole endpoint, so everything but routing and tags has to be what was just read.
            endpoint = self.client.online_endpoints.get(self.endpoint_name)
            found = Routing(with_traffic(endpoint.traffic), with_traffic(endpoint.mirror_traffic))
            found_tags = dict(endpoint.tags or {})
            wanted_tags = {**without_record(found_tags), **tags}
            if (state := state_of(endpoint)) not in SETTLED_STATES:
                raise TransientError(f"endpoint {self.endpoint_name}: it is {state}; another operation is under way")
            if (found, found_tags) == (routing, wanted_tags):
                return
            refuse_if_changed(self.endpoint_name, found, found_tags, expected, holders)
            endpoint.traffic, endpoint.mirror_traffic = dict(routing.traffic), dict(routing.mirror)
            endpoint.tags = wanted_tags
            self._wait(self.client.online_endpoints.begin_create_or_update(endpoint))

    def deploy(self, request: DeploymentRequest) -> None:
        overrides = [
            {"name": request.name},
            {"endpoint_name": self.endpoint_name},
            {"environment.image": request.image},
            {"tags": dict(request.tags)},
        ]
        with quiet(), errors_as(ProvisioningError, f"deployment {request.name}"):
            deployment = load_online_deployment(self._deployment_file, params_override=overrides)
            if (deployment.instance_count or 1) < request.least_instances:
                deployment.instance_count = request.least_instances
            poller = self.client.online_deployments.begin_create_or_update(deployment)
            wait_for(poller, self._provisioning_timeout_s, ProvisioningError)

    def scale(self, name: str, instance_count: int) -> None:
        with quiet(), errors_as(PlatformError, f"deployment {name}"):
            deployment = self.client.online_deployments.get(name, self.endpoint_name)
            if deployment.instance_count == instance_count and state_of(deployment) == "Succeeded":
                return
            deployment.instance_count = instance_count
            poller = self.client.online_deployments.begin_create_or_update(deployment)
            wait_for(poller, self._provisioning_timeout_s, PlatformError)

    def delete_deployment(self, name: str) -> None:
        with (
            quiet(),
            errors_as(PlatformError, f"deployment {name}"),
            contextlib.suppress(ResourceNotFoundError),
        ):
            self._wait(self.client.online_deployments.begin_delete(name=name, endpoint_name=self.endpoint_name))

    def delete_endpoint(self) -> None:
        with (
            quiet(),
            errors_as(PlatformError, f"endpoint {self.endpoint_name}"),
            contextlib.suppress(ResourceNotFoundError),
        ):
            self._wait(self.client.online_endpoints.begin_delete(name=self.endpoint_name))

    def endpoint_key(self) -> str:
        with quiet(), errors_as(PlatformError, f"endpoint {self.endpoint_name}"):
            return str(self.client.online_endpoints.get_keys(self.endpoint_name).primary_key)

    def logs(self, deployment: str, container: Container, *, lines: int) -> str:
        with quiet(), errors_as(PlatformError, f"deployment {deployment}"):
            return str(
                self.client.online_deployments.get_logs(
                    deployment, self.endpoint_name, lines=lines, container_type=container.value
                )
            )

    def _wait(self, poller: Any) -> None:
        wait_for(poller, self._operation_timeout_s, TransientError)


def describe(deployment: Any) -> Deployment:
    return Deployment(
        name=deployment.name,
        provisioning_state=state_of(deployment),
        instance_type=deployment.instance_type or "",
        instance_count=deployment.instance_count or 0,
        tags=dict(deployment.tags or {}),
    )


def state_of(resource: Any) -> str:
    """Return the provisioning state as the platform writes it; the SDK has an enumeration for endpoints alone."""
    state = resource.provisioning_state or ""
    return str(getattr(state, "value", state))


def with_traffic(traffic: Mapping[str, Any] | None) -> Traffic:
    """Drop the zero entries that the SDK adds for deployments without traffic."""
    return {name: int(percent) for name, percent in (traffic or {}).items() if int(percent) > 0}

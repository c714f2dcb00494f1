"""The one module that imports the Azure SDK: Platform, spoken by azure-ai-ml."""

import contextlib
import io
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azure.ai.ml import MLClient, load_online_deployment, load_online_endpoint
from azure.ai.ml.exceptions import MlException
from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from azure.identity import DefaultAzureCredential

from deployment.outcomes import BadInputError, PlatformError, ProvisioningError, TrafficConflictError
from deployment.platform import Deployment, DeploymentRequest, Endpoint, Traffic

# What a deployment may take on Azure before this process stops waiting; the operation itself goes on.
PROVISIONING_TIMEOUT_S = 3600
POLL_TIMEOUT_S = 5
EMULATED_CLOUD = "LocalAzureML"


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
    if not environ.get("ARM_CLOUD_METADATA_URL"):
        return
    if (cloud := environ.get("AZUREML_CURRENT_CLOUD")) != EMULATED_CLOUD:
        raise BadInputError(
            f"cloud: ARM_CLOUD_METADATA_URL is set but AZUREML_CURRENT_CLOUD is {cloud!r} (it must be "
            f"{EMULATED_CLOUD!r}); without it the SDK would silently talk to the public Azure"
        )


class AzureML:
    """An Azure ML workspace's managed online endpoint, as deployment.platform.Platform says."""

    def __init__(self, workspace: Workspace, *, endpoint_file: Path, deployment_file: Path) -> None:
        require_cloud_of(os.environ)
        self._endpoint_file = endpoint_file
        self._deployment_file = deployment_file
        # Its notices of ordinary calls go; its warnings, such as falling back to the public Azure, stay.
        logging.getLogger("azure.ai.ml").setLevel(logging.WARNING)
        with quiet(), errors_as(PlatformError, "workspace"):
            self.endpoint_name = str(load_online_endpoint(endpoint_file).name)
            self._client = MLClient(
                DefaultAzureCredential(),
                workspace.subscription_id,
                workspace.resource_group,
                workspace.name,
                enable_telemetry=False,
            )

    def observe(self) -> Endpoint | None:
        with quiet(), errors_as(PlatformError, f"endpoint {self.endpoint_name}"):
            try:
                endpoint = self._client.online_endpoints.get(self.endpoint_name)
            except ResourceNotFoundError:
                return None
            deployments = list(self._client.online_deployments.list(self.endpoint_name))
        return Endpoint(
            name=self.endpoint_name,
            scoring_uri=endpoint.scoring_uri or "",
            traffic=with_traffic(endpoint.traffic),
            mirror_traffic=with_traffic(endpoint.mirror_traffic),
            deployments={deployment.name: describe(deployment) for deployment in deployments},
        )

    def create_endpoint(self) -> None:
        with quiet(), errors_as(PlatformError, f"endpoint {self.endpoint_name}"):
            endpoint = load_online_endpoint(self._endpoint_file)
            wait_for(self._client.online_endpoints.begin_create_or_update(endpoint))

    def deploy(self, request: DeploymentRequest) -> None:
        overrides = [
            {"name": request.name},
            {"endpoint_name": self.endpoint_name},
            {"environment.image": request.image},
            {"tags": dict(request.tags)},
        ]
        with quiet(), errors_as(ProvisioningError, f"deployment {request.name}"):
            deployment = load_online_deployment(self._deployment_file, params_override=overrides)
            wait_for(self._client.online_deployments.begin_create_or_update(deployment))

    def delete_deployment(self, name: str) -> None:
        with (
            quiet(),
            errors_as(PlatformError, f"deployment {name}"),
            contextlib.suppress(ResourceNotFoundError),
        ):
            wait_for(self._client.online_deployments.begin_delete(name=name, endpoint_name=self.endpoint_name))

    def set_traffic(self, traffic: Traffic, *, expected: Traffic) -> None:
        with quiet(), errors_as(PlatformError, f"endpoint {self.endpoint_name}"):
            # The update replaces the whole endpoint, so everything but the traffic has to be what was just read.
            endpoint = self._client.online_endpoints.get(self.endpoint_name)
            observed = with_traffic(endpoint.traffic)
            if observed == traffic:
                return
            if observed != expected:
                raise TrafficConflictError(
                    f"endpoint {self.endpoint_name}: traffic is {dict(observed)} where this release left "
                    f"{dict(expected)}; somebody else has changed it, so look before anything else is shifted"
                )
            endpoint.traffic = dict(traffic)
            wait_for(self._client.online_endpoints.begin_create_or_update(endpoint))

    def endpoint_key(self) -> str:
        with quiet(), errors_as(PlatformError, f"endpoint {self.endpoint_name}"):
            return str(self._client.online_endpoints.get_keys(self.endpoint_name).primary_key)

    def logs(self, deployment: str, *, lines: int) -> str:
        with quiet(), errors_as(PlatformError, f"deployment {deployment}"):
            return str(self._client.online_deployments.get_logs(deployment, self.endpoint_name, lines=lines))


def describe(deployment: Any) -> Deployment:
    return Deployment(
        name=deployment.name,
        provisioning_state=deployment.provisioning_state or "",
        instance_type=deployment.instance_type or "",
        instance_count=deployment.instance_count or 0,
        tags=dict(deployment.tags or {}),
    )


def with_traffic(traffic: Mapping[str, Any] | None) -> Traffic:
    """Drop the zero entries that the SDK adds for deployments without traffic."""
    return {name: int(percent) for name, percent in (traffic or {}).items() if int(percent) > 0}


def wait_for(poller: Any) -> None:
    """Wait until the operation has ended; raises what it failed with.

    `poller.result(timeout)` returns an unfinished resource, or fails inside the SDK, when its time is up.
    """
    waited_s = 0
    while not poller.done():
        if waited_s >= PROVISIONING_TIMEOUT_S:
            raise PlatformError(
                f"operation: not finished after {waited_s} s (limit {PROVISIONING_TIMEOUT_S} s); it goes on at the "
                "platform, so look at it there and run the same command again"
            )
        poller.wait(POLL_TIMEOUT_S)
        waited_s += POLL_TIMEOUT_S
    poller.result()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the SDK's dots and notices, which it prints at every poll, off the terminal."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


@contextlib.contextmanager
def errors_as(kind: Callable[[str], PlatformError], subject: str) -> Iterator[None]:
    """Turn what the SDK raises into one of this project's errors, with the platform's own code and message."""
    try:
        yield
    except HttpResponseError as error:
        code = error.error.code if error.error is not None else (error.status_code or "no answer")
        message = error.error.message if error.error is not None else error.message
        raise kind(f"{subject}: {message} ({code})") from error
    except (AzureError, MlException) as error:
        raise kind(f"{subject}: {error}") from error

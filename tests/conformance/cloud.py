"""A workspace to run the suite against, Azure's or the emulator's, and what the suite deploys there."""

import contextlib
import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.core.exceptions import HttpResponseError
from azure.identity import DefaultAzureCredential

from tests.lib.emulator_control import EmulatorControl

# The SDK warns of what it itself uses; the suite is not about that.
MARKS = [pytest.mark.conformance, pytest.mark.filterwarnings("ignore")]
ROUTE = {"path": "/", "port": 8003}
NO_IMAGE = "nowhere.invalid/absent@sha256:" + "0" * 64
INFERENCE_CONFIG = {
    "liveness_route": ROUTE,
    "readiness_route": ROUTE,
    "scoring_route": {"path": "/score", "port": 8003},
}
FOREIGN_REGISTRY = "other.azurecr.io"
# Every operation that a release or its users need; `share` and `package` are for registries.
OPERATIONS: Mapping[str, tuple[str, ...]] = {
    "online_endpoints": (
        "begin_create_or_update",
        "get",
        "list",
        "begin_delete",
        "get_keys",
        "begin_regenerate_keys",
        "invoke",
    ),
    "online_deployments": ("begin_create_or_update", "get", "list", "begin_delete", "get_logs"),
    "environments": ("create_or_update", "get", "list", "archive", "restore"),
    "models": ("create_or_update", "get", "list", "archive", "restore", "download"),
    "compute": ("list_usage", "list_sizes"),
    "workspaces": ("get",),
}


@dataclass
class Recorded:
    """A group of the SDK's operations that notes which of them a test calls."""

    group: str
    target: Any
    called: set[str]

    def __getattr__(self, name: str) -> Any:
        if name in OPERATIONS[self.group]:
            self.called.add(f"{self.group}.{name}")
        return getattr(self.target, name)


@dataclass
class Cloud:
    """The unmodified SDK's client of a workspace; called collects what tests call through it."""

    client: Any
    image: str
    runtime: str
    instance_type: str = "Standard_DS2_v2"
    control: EmulatorControl | None = None
    called: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.endpoints: Any = Recorded("online_endpoints", self.client.online_endpoints, self.called)
        self.deployments: Any = Recorded("online_deployments", self.client.online_deployments, self.called)
        self.environments: Any = Recorded("environments", self.client.environments, self.called)
        self.models: Any = Recorded("models", self.client.models, self.called)
        self.compute: Any = Recorded("compute", self.client.compute, self.called)
        self.workspaces: Any = Recorded("workspaces", self.client.workspaces, self.called)

    @contextlib.contextmanager
    def endpoint(self, auth_mode: str = "key", **settings: Any) -> Iterator[str]:
        """Create an endpoint for a test, answer its name, delete it."""
        from azure.ai.ml.entities import ManagedOnlineEndpoint  # noqa: PLC0415 - the environment has to come first

        name = unique("ep")
        endpoint = ManagedOnlineEndpoint(name=name, auth_mode=auth_mode, **settings)
        self.endpoints.begin_create_or_update(endpoint).result()
        try:
            yield name
        finally:
            if self.control is not None:
                self.control.clear()
            self.endpoints.begin_delete(name).result()

    def deployment(self, endpoint: str, name: str, **settings: Any) -> Any:
        """Answer a deployment that is not created yet."""
        from azure.ai.ml.entities import ManagedOnlineDeployment  # noqa: PLC0415 - as above

        wanted = {
            "environment": self.environment(),
            "environment_variables": {"NAME": name},
            "instance_type": self.instance_type,
            "instance_count": 1,
            "request_settings": self.request_settings(),
            **settings,
        }
        return ManagedOnlineDeployment(name=name, endpoint_name=endpoint, **wanted)

    def deploy(self, endpoint: str, name: str, **settings: Any) -> Any:
        """Create or change a deployment."""
        return self.deployments.begin_create_or_update(self.deployment(endpoint, name, **settings)).result()

    def environment(self, **settings: Any) -> Any:
        """Answer an environment of the suite's image that is not registered yet."""
        from azure.ai.ml.entities import Environment  # noqa: PLC0415 - as above

        return Environment(**{"image": self.image, "inference_config": INFERENCE_CONFIG, **settings})

    def request_settings(self) -> Any:
        """Answer settings that let a test send a few requests at once."""
        from azure.ai.ml.entities import OnlineRequestSettings  # noqa: PLC0415 - as above

        return OnlineRequestSettings(request_timeout_ms=4000, max_concurrent_requests_per_instance=4)

    def model(self, **settings: Any) -> Any:
        """Answer a model that is not registered yet."""
        from azure.ai.ml.entities import Model  # noqa: PLC0415 - as above

        return Model(**settings)

    def set_traffic(self, endpoint: str, mirror: Mapping[str, int] | None = None, **traffic: int) -> Any:
        """Split an endpoint's traffic as the SDK's users do: get, change, put."""
        found = self.endpoints.get(endpoint)
        found.traffic, found.mirror_traffic = traffic, dict(mirror or {})
        self.endpoints.begin_create_or_update(found).result()
        return self.endpoints.get(endpoint)

    def score(self, endpoint: str, credential: str, body: Any = None, deployment: str | None = None) -> httpx.Response:
        """Send one request to an endpoint's scoring URI."""
        headers = {"authorization": f"Bearer {credential}"}
        if deployment is not None:
            headers["azureml-model-deployment"] = deployment
        return httpx.post(self.endpoints.get(endpoint).scoring_uri, json=body, headers=headers, timeout=60)

    def invoke(self, folder: Path, endpoint: str, body: Any, **settings: Any) -> Any:
        """Invoke through the SDK, and take back the header that it would send for ever after."""
        from azure.ai.ml.constants._endpoint import EndpointInvokeFields  # noqa: PLC0415 - as above

        request = folder / "request.json"
        request.write_text(json.dumps(body))
        before = dict(EndpointInvokeFields.DEFAULT_HEADER)
        try:
            return json.loads(self.endpoints.invoke(endpoint, request_file=str(request), **settings))
        finally:
            EndpointInvokeFields.DEFAULT_HEADER.clear()
            EndpointInvokeFields.DEFAULT_HEADER.update(before)


def connect(variables: Mapping[str, str], image: str, runtime: str, control: EmulatorControl | None) -> Cloud:
    """Answer a client of the workspace that these variables name."""
    from azure.ai.ml import MLClient  # noqa: PLC0415 - importing it already asks for the cloud

    client = MLClient(
        DefaultAzureCredential(),
        variables["AZURE_SUBSCRIPTION_ID"],
        variables["AZURE_RESOURCE_GROUP"],
        variables["AZUREML_WORKSPACE_NAME"],
        enable_telemetry=False,
    )
    return Cloud(client, image, runtime, os.environ.get("CONFORMANCE_INSTANCE_TYPE", "Standard_DS2_v2"), control)


def unique(prefix: str) -> str:
    """Answer a name that nothing else has; an endpoint's is unique in a whole region."""
    return f"{prefix}-{secrets.token_hex(6)}"


def refusal(action: Callable[[], Any]) -> HttpResponseError:
    """Answer what the service refuses the action with, having checked that it is Azure's error document."""
    with pytest.raises(HttpResponseError) as refused:
        action()
    document = refused.value.error
    assert document is not None, "no error document"
    assert document.code
    assert document.message
    return refused.value

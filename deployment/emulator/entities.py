"""What exists in the workspace, as immutable values; a change is a new value saved in the store."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Any

from deployment.emulator.provisioning import State

READ_ONLY_ROOT_TAG = "local-azureml.read-only-root"


@dataclass(frozen=True, slots=True)
class Workspace:
    """The one workspace of an emulator."""

    subscription_id: str = "00000000-0000-0000-0000-000000000000"
    resource_group: str = "local"
    name: str = "local"
    location: str = "local"
    workspace_id: str = "11111111-1111-1111-1111-111111111111"

    @property
    def group_id(self) -> str:
        """ARM id of the resource group."""
        return f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"

    @property
    def arm_id(self) -> str:
        """ARM id of the workspace."""
        return f"{self.group_id}/providers/Microsoft.MachineLearningServices/workspaces/{self.name}"

    @property
    def blob_container(self) -> str:
        """The container of the default datastore."""
        return f"azureml-blobstore-{self.workspace_id}"

    @property
    def location_id(self) -> str:
        """ARM id of the location, under which the operations are found."""
        provider = f"/subscriptions/{self.subscription_id}/providers/Microsoft.MachineLearningServices"
        return f"{provider}/locations/{self.location}"


@dataclass(frozen=True, slots=True)
class Route:
    """One HTTP route of the container."""

    path: str
    port: int


@dataclass(frozen=True, slots=True)
class InferenceRoutes:
    """Where the platform finds the container's probes and its scoring route.

    The defaults are those of Azure ML's own inference images (nginx on 5001).
    """

    liveness: Route = Route("/", 5001)
    readiness: Route = Route("/", 5001)
    scoring: Route = Route("/score", 5001)

    @property
    def ports(self) -> frozenset[int]:
        """Every container port the platform has to reach."""
        return frozenset({self.liveness.port, self.readiness.port, self.scoring.port})


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """When a probe is sent and how many answers decide; the defaults are the platform's."""

    initial_delay_s: float = 10.0
    period_s: float = 10.0
    timeout_s: float = 2.0
    success_threshold: int = 1
    failure_threshold: int = 30


@dataclass(frozen=True, slots=True)
class RequestSettings:
    """How the data plane treats requests to a deployment; the defaults are the platform's."""

    request_timeout_s: float = 5.0
    max_concurrent_requests_per_instance: int = 1
    max_queue_wait_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Environment:
    """A version of an environment: an image and the routes in it."""

    name: str
    version: str
    image: str
    is_anonymous: bool
    routes: InferenceRoutes | None
    tags: Mapping[str, str]
    description: str | None
    created_at: datetime
    is_archived: bool = False

    @property
    def content(self) -> object:
        """What cannot change."""
        return self.image, self.routes


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """A version of a model or of a code asset: files in the workspace's storage, named by a URI.

    The files of one version never change; kind is the model's (`custom_model`), empty for code.
    """

    name: str
    version: str
    uri: str
    kind: str
    is_anonymous: bool
    is_archived: bool
    tags: Mapping[str, str]
    properties: Mapping[str, str]
    description: str | None
    created_at: datetime

    @property
    def content(self) -> object:
        """What cannot change."""
        return self.uri.rstrip("/"), self.kind


@dataclass(frozen=True, slots=True)
class Keys:
    """The two keys of an endpoint; either opens it."""

    primary: str = field(repr=False)
    secondary: str = field(repr=False)


class AuthMode(StrEnum):
    """How a client of an endpoint says who it is."""

    KEY = "Key"
    AML_TOKEN = "AMLToken"  # noqa: S105 - a mode, not a secret
    AAD_TOKEN = "AADToken"  # noqa: S105 - as above


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSettings:
    """What a PUT of an endpoint says; traffic and mirror_traffic map deployment names to whole percents."""

    name: str
    auth_mode: AuthMode = AuthMode.KEY
    tags: Mapping[str, str]
    description: str | None
    identity_type: str
    identity_ids: tuple[str, ...] = ()
    public_network_access: str
    properties: Mapping[str, str]
    traffic: Mapping[str, int]
    mirror_traffic: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint(EndpointSettings):
    """An online endpoint."""

    keys: Keys
    state: State
    created_at: datetime
    modified_at: datetime
    operation_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentSettings:
    """What a PUT of a deployment says, its environment apart; entry_script is a path relative to the code's folder."""

    endpoint_name: str
    name: str
    environment_variables: Mapping[str, str]
    request_settings: RequestSettings
    liveness_probe: ProbeSettings
    readiness_probe: ProbeSettings
    instance_type: str
    instance_count: int = 1
    tags: Mapping[str, str]
    description: str | None
    properties: Mapping[str, str]
    egress_public_network_access: str
    model_id: str | None = None
    model_mount_path: str | None = None
    code_id: str | None = None
    entry_script: str | None = None

    @property
    def resource(self) -> str:
        """The name of the deployment with its endpoint's."""
        return f"{self.endpoint_name}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment(DeploymentSettings):
    """An online deployment.

    model_dir and code_dir are folders of this machine that its instances find at model_mount and under the code root.
    """

    environment: Environment
    state: State
    created_at: datetime
    modified_at: datetime
    operation_id: str = ""
    model_dir: Path | None = None
    model_mount: PurePosixPath | None = None
    code_dir: Path | None = None

    @property
    def routes(self) -> InferenceRoutes:
        """Where the container answers."""
        return self.environment.routes or InferenceRoutes()

    @property
    def read_only_root(self) -> bool:
        """Whether its containers cannot write but to /tmp; Azure has no such setting, so a tag asks for it."""
        return self.tags.get(READ_ONLY_ROOT_TAG, "").lower() == "true"

    @property
    def max_pending_requests(self) -> int:
        """How many requests may be under way before the platform answers 429."""
        return 2 * self.request_settings.max_concurrent_requests_per_instance * self.instance_count


def settings_of(kind: type[EndpointSettings | DeploymentSettings], value: object) -> dict[str, Any]:
    """Answer the fields of that kind of settings, to make another value of."""
    return {each.name: getattr(value, each.name) for each in fields(kind)}


class OperationStatus(StrEnum):
    """How a long-running operation stands, in ARM's words."""

    IN_PROGRESS = "InProgress"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELED = "Canceled"


@dataclass(frozen=True, slots=True)
class Operation:
    """A long-running operation on a resource; the error code and message are set when it failed."""

    id: str
    status: OperationStatus
    started_at: datetime
    ended_at: datetime | None = None
    error_code: str = ""
    error_message: str = ""
    resource: str = ""

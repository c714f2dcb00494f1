"""What a release needs of Azure ML, in the platform's own words; deployment/azureml.py is the one implementation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from deployment.outcomes import PlatformError

# A deployment's tags: what it is, whatever becomes of its endpoint.
RELEASE_ID_TAG = "release_id"
MODEL_VERSION_TAG = "model_version"
GIT_SHA_TAG = "git_sha"
IMAGE_TAG = "image"
DEPLOYED_AT_TAG = "deployed_at"

# The endpoint's tag that says who may change it (deployment/record.py has the others).
HOLDER_TAG = "release_holder"

Traffic = Mapping[str, int]  # deployment name -> percent; names without traffic are left out


class Container(StrEnum):
    """The two containers of a deployment that keep a log."""

    INFERENCE_SERVER = "inference-server"
    STORAGE_INITIALIZER = "storage-initializer"


@dataclass(frozen=True)
class Routing:
    """Where an endpoint's requests go: shares of the traffic, and of the copies that nobody waits for."""

    traffic: Traffic
    mirror: Traffic = field(default_factory=dict)

    def __str__(self) -> str:
        mirrored = f", mirrored: {describe_traffic(self.mirror)}" if self.mirror else ""
        return describe_traffic(self.traffic) + mirrored


@dataclass(frozen=True)
class Deployment:
    """A deployment as the platform reports it; `image` is what this template's tag says it runs."""

    name: str
    provisioning_state: str
    instance_type: str
    instance_count: int
    tags: Mapping[str, str]

    @property
    def is_healthy(self) -> bool:
        return self.provisioning_state == "Succeeded"

    @property
    def may_serve(self) -> bool:
        """Tell whether it is worth asking: what ran before goes on while autoscale, or anybody else, changes it."""
        return self.is_healthy or self.provisioning_state in CHANGING_STATES

    @property
    def is_settled(self) -> bool:
        return self.provisioning_state in SETTLED_STATES


SETTLED_STATES = frozenset({"Succeeded", "Failed", "Canceled"})
CHANGING_STATES = frozenset({"Scaling", "Updating"})


@dataclass(frozen=True)
class Endpoint:
    """An endpoint as the platform reports it: the truth of where requests go."""

    name: str
    scoring_uri: str
    traffic: Traffic
    mirror_traffic: Traffic
    deployments: Mapping[str, Deployment]
    tags: Mapping[str, str] = field(default_factory=dict)
    provisioning_state: str = "Succeeded"

    @property
    def live(self) -> Deployment | None:
        """The deployment with the most traffic; None where no deployment has any."""
        if not self.traffic:
            return None
        return self.deployments[max(self.traffic, key=lambda name: self.traffic[name])]

    @property
    def routing(self) -> Routing:
        return Routing(self.traffic, self.mirror_traffic)

    @property
    def holder(self) -> str:
        return self.tags.get(HOLDER_TAG, "")

    @property
    def is_settled(self) -> bool:
        return self.provisioning_state in SETTLED_STATES


@dataclass(frozen=True)
class DeploymentRequest:
    """A deployment to be made: deployment.yml with this name, image and these tags, and with no fewer instances."""

    name: str
    image: str
    tags: Mapping[str, str] = field(default_factory=dict)
    least_instances: int = 0


class Platform(Protocol):
    """Azure ML, as far as a release needs it.

    Every method blocks until the platform has done it, may be repeated with the same arguments to the same effect, and
    raises PlatformError with the platform's code and message where it is refused; TransientError where it may work if
    it is tried again.
    """

    def observe(self) -> Endpoint | None:
        """Return the endpoint as it is now; None where it does not exist."""

    def create_endpoint(self, tags: Mapping[str, str]) -> None:
        """Create the endpoint of endpoint.yml, without traffic."""

    def write(
        self,
        routing: Routing,
        tags: Mapping[str, str],
        *,
        expected: Sequence[Routing] | None,
        holders: Sequence[str] | None,
    ) -> None:
        """Set the routing and the tags in one update of the endpoint; tags that are not a release's stay.

        Raises ConflictError with both sides where the endpoint is not routed as one of `expected` (None: however it
        is) or held by one of `holders` (None: whoever it is). Has no effect where routing and tags are as wanted.
        """

    def deploy(self, request: DeploymentRequest) -> None:
        """Create the deployment and wait until it is ready; its traffic stays 0. Raises ProvisioningError."""

    def scale(self, name: str, instance_count: int) -> None:
        """Change a deployment's number of instances and wait until it has them."""

    def delete_deployment(self, name: str) -> None:
        """Delete a deployment that has no traffic; one that does not exist is left as it is."""

    def delete_endpoint(self) -> None:
        """Delete the endpoint with all its deployments; one that does not exist is left as it is."""

    def endpoint_key(self) -> str:
        """Return a key for the endpoint's scoring URI; it must not reach a log, a report or an argument list."""

    def logs(self, deployment: str, container: Container, *, lines: int) -> str:
        """Return the platform's events and the last lines of one of the deployment's containers."""


def require(endpoint: Endpoint | None) -> Endpoint:
    """Return the endpoint; raises PlatformError where it does not exist."""
    if endpoint is None:
        raise PlatformError("endpoint: it does not exist; `python -m deployment promote` creates it")
    return endpoint


def describe_traffic(traffic: Traffic) -> str:
    return ", ".join(f"{name} {percent} %" for name, percent in sorted(traffic.items())) or "no traffic"

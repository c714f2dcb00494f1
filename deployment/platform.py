"""What a release needs of Azure ML, in the platform's own words; deployment/azureml.py is the one implementation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

RELEASE_ID_TAG = "release_id"
MODEL_VERSION_TAG = "model_version"
GIT_SHA_TAG = "git_sha"
IMAGE_TAG = "image"

Traffic = Mapping[str, int]  # deployment name -> percent; names without traffic are left out


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


@dataclass(frozen=True)
class Endpoint:
    """An endpoint as the platform reports it: the truth of where requests go."""

    name: str
    scoring_uri: str
    traffic: Traffic
    mirror_traffic: Traffic
    deployments: Mapping[str, Deployment]

    @property
    def live(self) -> Deployment | None:
        """The deployment with the most traffic; None where no deployment has any."""
        if not self.traffic:
            return None
        return self.deployments[max(self.traffic, key=lambda name: self.traffic[name])]


@dataclass(frozen=True)
class DeploymentRequest:
    """A deployment to be made: deployment.yml with this name, image and these tags."""

    name: str
    image: str
    tags: Mapping[str, str] = field(default_factory=dict)


class Platform(Protocol):
    """Azure ML, as far as a release needs it.

    Every method blocks until the platform has done it, may be repeated with the same arguments to the same effect, and
    raises PlatformError with the platform's code and message where it is refused.
    """

    def observe(self) -> Endpoint | None:
        """Return the endpoint as it is now; None where it does not exist."""

    def create_endpoint(self) -> None:
        """Create the endpoint of endpoint.yml, without traffic."""

    def deploy(self, request: DeploymentRequest) -> None:
        """Create the deployment and wait until it is ready; its traffic stays 0. Raises ProvisioningError."""

    def delete_deployment(self, name: str) -> None:
        """Delete a deployment that has no traffic; one that does not exist is left as it is."""

    def set_traffic(self, traffic: Traffic, *, expected: Traffic) -> None:
        """Set the traffic if it still is `expected`; raises TrafficConflictError with both where it is not."""

    def endpoint_key(self) -> str:
        """Return a key for the endpoint's scoring URI; it must not reach a log, a report or an argument list."""

    def logs(self, deployment: str, *, lines: int) -> str:
        """Return the last lines of the deployment's container log."""


def describe_traffic(traffic: Traffic) -> str:
    return ", ".join(f"{name} {percent} %" for name, percent in sorted(traffic.items())) or "no traffic"

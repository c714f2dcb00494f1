"""Deployments: created, changed and deleted by long-running operations; their logs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from deployment.emulator.clock import Clock
from deployment.emulator.colour import Colour
from deployment.emulator.colours import Colours
from deployment.emulator.entities import Deployment, Operation, ProbeSettings, RequestSettings
from deployment.emulator.environments import Environments
from deployment.emulator.errors import BadRequestError, ConflictError, NotFoundError
from deployment.emulator.operations import Operations
from deployment.emulator.provisioning import Event, State, follow
from deployment.emulator.rules import check_name
from deployment.emulator.skus import sku_named
from deployment.emulator.store import Store

DEPLOYMENTS_PER_ENDPOINT = 20


@dataclass(frozen=True, slots=True)
class WantedDeployment:
    """What a PUT asks for."""

    endpoint_name: str
    name: str
    environment_name: str
    environment_version: str
    environment_variables: Mapping[str, str]
    request_settings: RequestSettings
    liveness_probe: ProbeSettings
    readiness_probe: ProbeSettings
    instance_type: str
    instance_count: int
    tags: Mapping[str, str]
    description: str | None
    properties: Mapping[str, str]
    egress_public_network_access: str


class Deployments:
    """The online deployments of the workspace's endpoints."""

    def __init__(
        self, store: Store, operations: Operations, colours: Colours, environments: Environments, clock: Clock
    ) -> None:
        self._store = store
        self._operations = operations
        self._colours = colours
        self._environments = environments
        self._clock = clock

    def get(self, endpoint_name: str, name: str) -> Deployment:
        """Answer the deployment, or raise NotFoundError."""
        deployment = self._store.deployment(endpoint_name, name)
        if deployment is None:
            raise NotFoundError(f"Online deployment '{name}' of endpoint '{endpoint_name}' not found.")
        return deployment

    def all(self, endpoint_name: str) -> list[Deployment]:
        """Answer an endpoint's deployments by name, or raise NotFoundError."""
        if self._store.endpoint(endpoint_name) is None:
            raise NotFoundError(f"Online endpoint '{endpoint_name}' not found.")
        return self._store.deployments(endpoint_name)

    def put(self, wanted: WantedDeployment) -> tuple[Deployment, Operation, bool]:
        """Create or replace a deployment; answer it with its operation and whether it is new."""
        check_name("deployment", wanted.name)
        sku_named(wanted.instance_type)
        self._check_endpoint(wanted.endpoint_name)
        environment = self._environments.get(wanted.environment_name, wanted.environment_version)
        before = self._store.deployment(wanted.endpoint_name, wanted.name)
        if before is None:
            self._check_count(wanted.endpoint_name)
        state = follow(wanted.name, before.state if before else State.ABSENT, Event.PUT)
        now = self._clock.now()
        deployment = Deployment(
            endpoint_name=wanted.endpoint_name,
            name=wanted.name,
            environment=environment,
            environment_variables=wanted.environment_variables,
            request_settings=wanted.request_settings,
            liveness_probe=wanted.liveness_probe,
            readiness_probe=wanted.readiness_probe,
            instance_type=wanted.instance_type,
            instance_count=wanted.instance_count,
            tags=wanted.tags,
            description=wanted.description,
            properties=wanted.properties,
            egress_public_network_access=wanted.egress_public_network_access,
            state=state,
            created_at=before.created_at if before else now,
            modified_at=now,
            operation_id=self._operations.new_id("odidp"),
        )
        self._store.save_deployment(deployment)

        async def provision() -> None:
            try:
                await self._colours.apply(deployment)
            except Exception:
                self._follow(deployment, Event.FAULT)
                raise
            self._follow(deployment, Event.DONE)

        return deployment, self._operations.start(deployment.operation_id, provision), before is None

    def delete(self, endpoint_name: str, name: str) -> Operation | None:
        """Delete a deployment without traffic; None when there is none, BadRequestError while it has traffic."""
        deployment = self._store.deployment(endpoint_name, name)
        if deployment is None:
            return None
        endpoint = self._store.endpoint(endpoint_name)
        percent = endpoint.traffic.get(name, 0) if endpoint else 0
        if percent:
            raise BadRequestError(f"Cannot delete deployment '{name}': it has {percent}% traffic.")
        self._follow(deployment, Event.DELETE)

        async def remove() -> None:
            await self._colours.remove(endpoint_name, name)
            self._store.remove_deployment(endpoint_name, name)

        return self._operations.start(self._operations.new_id("odidp"), remove)

    async def logs(self, endpoint_name: str, name: str, *, inference_server: bool, tail: int) -> str:
        """Answer the log of one of the two containers in the platform's format, or raise NotFoundError."""
        self.get(endpoint_name, name)
        colour = self._colours.latest(endpoint_name, name)
        if colour is None:
            raise NotFoundError(f"Online deployment '{name}' has no instance yet.")
        # The storage initializer only writes when it downloads a model, and no deployment here brings one.
        output = await colour.logs(tail) if inference_server else ""
        return f"{_preamble(colour)}\n\nContainer logs:\n{output}"

    def _check_endpoint(self, name: str) -> None:
        endpoint = self._store.endpoint(name)
        if endpoint is None:
            raise NotFoundError(f"Online endpoint '{name}' not found.")
        if endpoint.state in (State.CREATING, State.DELETING):
            raise ConflictError(f"endpoint '{name}': not ready (provisioningState {endpoint.state} vs Succeeded)")

    def _check_count(self, endpoint_name: str) -> None:
        count = len(self._store.deployments(endpoint_name))
        if count >= DEPLOYMENTS_PER_ENDPOINT:
            raise BadRequestError(
                f"endpoint '{endpoint_name}': too many deployments ({count} vs {DEPLOYMENTS_PER_ENDPOINT});"
                " delete one first",
                code="OutOfQuota",
            )

    def _follow(self, deployment: Deployment, event: Event) -> None:
        current = self.get(deployment.endpoint_name, deployment.name)
        self._store.save_deployment(replace(current, state=follow(current.name, current.state, event)))


def _preamble(colour: Colour) -> str:
    status = colour.status
    lines = [
        "Instance status:",
        f"SystemSetup: {status.system_setup}",
        f"UserContainerImagePull: {status.image_pull}",
        f"ModelDownload: {status.model_download}",
        f"UserContainerStart: {status.container_start}",
        "",
        "Container events:",
    ]
    for event in colour.events:
        time = event.time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        lines.append(f"Kind: Pod, Name: {event.name}, Type: {event.kind}, Time: {time}, Message: {event.message}")
    return "\n".join(lines)

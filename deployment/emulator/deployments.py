"""Deployments: created, changed and deleted by long-running operations; their logs."""

import asyncio
from dataclasses import dataclass, replace

from deployment.emulator.assets import Assets
from deployment.emulator.clock import Clock
from deployment.emulator.colour import Colour
from deployment.emulator.colours import Colours
from deployment.emulator.downloads import Downloads
from deployment.emulator.entities import (
    Deployment,
    DeploymentSettings,
    Endpoint,
    Environment,
    Operation,
    settings_of,
)
from deployment.emulator.errors import BadRequestError, ConflictError, NotFoundError
from deployment.emulator.operations import Operations
from deployment.emulator.provisioning import Event, State, follow
from deployment.emulator.quota import CoreQuota
from deployment.emulator.rules import check_name, check_tags
from deployment.emulator.skus import sku_named
from deployment.emulator.store import Store

DEPLOYMENTS_PER_ENDPOINT = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedDeployment(DeploymentSettings):
    """What a PUT asks for; the environment has to exist."""

    environment_name: str
    environment_version: str


class Deployments:
    """The online deployments of the workspace's endpoints."""

    def __init__(
        self,
        store: Store,
        operations: Operations,
        colours: Colours,
        environments: Assets[Environment],
        downloads: Downloads,
        quota: CoreQuota,
        clock: Clock,
    ) -> None:
        self._store = store
        self._operations = operations
        self._colours = colours
        self._environments = environments
        self._downloads = downloads
        self._quota = quota
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
        check_tags(wanted.resource, wanted.tags)
        sku_named(wanted.instance_type)
        self._check_endpoint(wanted.endpoint_name)
        environment = self._environments.get(wanted.environment_name, wanted.environment_version)
        before = self._store.deployment(wanted.endpoint_name, wanted.name)
        if before is None:
            self._check_count(wanted.endpoint_name)
        state = follow(wanted.name, before.state if before else State.ABSENT, Event.PUT)
        now = self._clock.now()
        deployment = Deployment(
            **settings_of(DeploymentSettings, wanted),
            environment=environment,
            state=state,
            created_at=before.created_at if before else now,
            modified_at=now,
            operation_id=self._operations.new_id("odidp"),
        )
        self._downloads.check(deployment)
        self._quota.check(deployment)
        self._store.save_deployment(deployment)

        async def provision() -> None:
            fetched = deployment
            if deployment.model_id or deployment.code_id:
                fetched = await asyncio.to_thread(self._downloads.fetch, deployment)
                self._store.save_deployment(fetched)
            await self._colours.apply(fetched)
            self._follow(deployment, Event.DONE)

        operation = self._operations.start(
            deployment.operation_id,
            provision,
            call="deployments.put",
            resource=wanted.resource,
            undo=lambda: self._follow(deployment, Event.FAULT),
        )
        return deployment, operation, before is None

    def delete(self, endpoint_name: str, name: str) -> Operation | None:
        """Delete a deployment without traffic; None when there is none, BadRequestError while it has traffic."""
        deployment = self._store.deployment(endpoint_name, name)
        if deployment is None:
            return None
        endpoint = self._store.endpoint(endpoint_name)
        if endpoint is not None:
            _check_unused(endpoint, name)
        self._follow(deployment, Event.DELETE)

        async def remove() -> None:
            await self._colours.remove(endpoint_name, name)
            self._store.remove_deployment(endpoint_name, name)

        operation_id = self._operations.new_id("odidp")
        return self._operations.start(
            operation_id,
            remove,
            call="deployments.delete",
            resource=deployment.resource,
            undo=lambda: self._store.save_deployment(deployment),
        )

    async def logs(self, endpoint_name: str, name: str, *, inference_server: bool, tail: int) -> str:
        """Answer the log of one of the two containers in the platform's format, or raise NotFoundError."""
        deployment = self.get(endpoint_name, name)
        colour = self._colours.latest(endpoint_name, name)
        if colour is None:
            raise NotFoundError(f"Online deployment '{name}' has no instance yet.")
        lines = self._downloads.log(deployment).splitlines(keepends=True)
        output = await colour.logs(tail) if inference_server else "".join(lines[max(0, len(lines) - tail) :])
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


def _check_unused(endpoint: Endpoint, name: str) -> None:
    if endpoint.state in (State.UPDATING, State.DELETING):
        raise ConflictError(
            f"endpoint '{endpoint.name}': it is being changed, and its traffic may be; wait for it to end"
            f" (provisioningState {endpoint.state} vs Succeeded)"
        )
    for kind, traffic in (("traffic", endpoint.traffic), ("mirror traffic", endpoint.mirror_traffic)):
        if traffic.get(name, 0):
            raise BadRequestError(f"Cannot delete deployment '{name}': it has {traffic[name]}% {kind}.")


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

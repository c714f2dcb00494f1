"""Endpoints: created, changed and deleted by long-running operations; keys; the traffic split."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace

from deployment.emulator.clock import Clock
from deployment.emulator.colours import Colours
from deployment.emulator.entities import Endpoint, Keys, Operation
from deployment.emulator.errors import ConflictError, NotFoundError
from deployment.emulator.operations import Operations
from deployment.emulator.provisioning import Event, State, follow
from deployment.emulator.rules import check_name, check_traffic
from deployment.emulator.store import Store

SETTLED_STATES = frozenset({State.SUCCEEDED, State.CREATION_FAILED, State.UPDATE_FAILED})


@dataclass(frozen=True, slots=True)
class WantedEndpoint:
    """What a PUT asks for; it replaces all of the endpoint but its keys."""

    name: str
    tags: Mapping[str, str]
    description: str | None
    identity_type: str
    public_network_access: str
    properties: Mapping[str, str]
    traffic: Mapping[str, int]


class Endpoints:
    """The workspace's online endpoints."""

    def __init__(self, store: Store, operations: Operations, colours: Colours, clock: Clock) -> None:
        self._store = store
        self._operations = operations
        self._colours = colours
        self._clock = clock

    def get(self, name: str) -> Endpoint:
        """Answer the endpoint, or raise NotFoundError."""
        endpoint = self._store.endpoint(name)
        if endpoint is None:
            raise NotFoundError(f"Online endpoint '{name}' not found.")
        return endpoint

    def all(self) -> list[Endpoint]:
        """Answer all endpoints by name."""
        return self._store.endpoints()

    def scoring_path(self, name: str) -> str:
        """Answer the scoring route of the deployment with most traffic, `/score` while there is none."""
        traffic = self.get(name).traffic
        deployments = self._store.deployments(name)
        if not deployments:
            return "/score"
        return max(deployments, key=lambda each: traffic.get(each.name, 0)).routes.scoring.path

    def put(self, wanted: WantedEndpoint) -> tuple[Endpoint, Operation, bool]:
        """Create or replace an endpoint; answer it with its operation and whether it is new."""
        check_name("endpoint", wanted.name)
        before = self._store.endpoint(wanted.name)
        state = follow(wanted.name, before.state if before else State.ABSENT, Event.PUT)
        check_traffic(wanted.traffic, before.traffic if before else {}, self._store.deployments(wanted.name))
        now = self._clock.now()
        operation_id = self._operations.new_id("oeidp")
        endpoint = Endpoint(
            name=wanted.name,
            tags=wanted.tags,
            description=wanted.description,
            identity_type=wanted.identity_type,
            public_network_access=wanted.public_network_access,
            properties=wanted.properties,
            traffic={name: percent for name, percent in wanted.traffic.items() if percent},
            keys=before.keys if before else Keys(new_key(), new_key()),
            state=state,
            created_at=before.created_at if before else now,
            modified_at=now,
            operation_id=operation_id,
        )
        self._store.save_endpoint(endpoint)

        async def finish() -> None:
            current = self.get(endpoint.name)
            self._store.save_endpoint(replace(current, state=follow(current.name, current.state, Event.DONE)))

        return endpoint, self._operations.start(operation_id, finish), before is None

    def delete(self, name: str) -> Operation | None:
        """Delete an endpoint and its deployments; None when there is none."""
        endpoint = self._store.endpoint(name)
        if endpoint is None:
            return None
        state = follow(name, endpoint.state, Event.DELETE)
        for deployment in self._store.deployments(name):
            if deployment.state not in SETTLED_STATES:
                raise ConflictError(f"{name}: cannot delete while deployment '{deployment.name}' is being changed")
        self._store.save_endpoint(replace(endpoint, state=state, traffic={}))

        async def finish() -> None:
            for deployment in self._store.deployments(name):
                await self._colours.remove(name, deployment.name)
                self._store.remove_deployment(name, deployment.name)
            self._store.remove_endpoint(name)

        return self._operations.start(self._operations.new_id("oeidp"), finish)

    def keys(self, name: str) -> Keys:
        """Answer the endpoint's keys, or raise NotFoundError."""
        return self.get(name).keys

    def regenerate_key(self, name: str, *, primary: bool) -> Operation:
        """Replace one key by a new random one; the old one stops working at once."""
        endpoint = self.get(name)
        keys = replace(endpoint.keys, **{"primary" if primary else "secondary": new_key()})
        self._store.save_endpoint(replace(endpoint, keys=keys))

        async def finish() -> None:
            return None

        return self._operations.start(self._operations.new_id("oeidp"), finish)


def new_key() -> str:
    """Answer a random key of 32 hex digits."""
    return secrets.token_hex(16)

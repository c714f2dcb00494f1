"""Endpoints: created, changed and deleted by long-running operations; keys; the traffic split."""

import secrets
from collections.abc import Mapping
from dataclasses import replace

from deployment.emulator.clock import Clock
from deployment.emulator.colours import Colours
from deployment.emulator.entities import AuthMode, Endpoint, EndpointSettings, Keys, Operation, settings_of
from deployment.emulator.errors import BadRequestError, ConflictError, NotFoundError
from deployment.emulator.operations import Operations
from deployment.emulator.provisioning import Event, State, follow
from deployment.emulator.rules import check_mirror, check_name, check_tags, check_traffic
from deployment.emulator.store import Store
from deployment.emulator.tokens import Token, Tokens

SETTLED_STATES = frozenset({State.SUCCEEDED, State.CREATION_FAILED, State.UPDATE_FAILED})


class Endpoints:
    """The workspace's online endpoints."""

    def __init__(self, store: Store, operations: Operations, colours: Colours, tokens: Tokens, clock: Clock) -> None:
        self._store = store
        self._operations = operations
        self._colours = colours
        self._tokens = tokens
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

    def scoring_path(self, endpoint: Endpoint) -> str:
        """Answer the scoring route of the deployment with most traffic, `/score` while there is none."""
        deployments = self._store.deployments(endpoint.name)
        if not deployments:
            return "/score"
        return max(deployments, key=lambda each: endpoint.traffic.get(each.name, 0)).routes.scoring.path

    def put(self, wanted: EndpointSettings) -> tuple[Endpoint, Operation, bool]:
        """Create or replace an endpoint, its keys apart; answer it with its operation and whether it is new.

        A change shows, and routes, once its operation has succeeded.
        """
        check_name("endpoint", wanted.name)
        check_tags(wanted.name, wanted.tags)
        before = self._store.endpoint(wanted.name)
        state = follow(wanted.name, before.state if before else State.ABSENT, Event.PUT)
        deployments = self._store.deployments(wanted.name)
        check_traffic(wanted.traffic, before.traffic if before else {}, deployments)
        check_mirror(wanted.mirror_traffic, wanted.traffic, deployments)
        now = self._clock.now()
        endpoint = Endpoint(
            **settings_of(EndpointSettings, wanted),
            keys=before.keys if before else Keys(new_key(), new_key()),
            state=state,
            created_at=before.created_at if before else now,
            modified_at=now,
            operation_id=self._operations.new_id("oeidp"),
        )
        endpoint = replace(
            endpoint, traffic=without_zeroes(wanted.traffic), mirror_traffic=without_zeroes(wanted.mirror_traffic)
        )
        under_way = replace(before, state=state, operation_id=endpoint.operation_id) if before else endpoint
        self._store.save_endpoint(under_way)

        async def finish() -> None:
            current = self.get(wanted.name)
            state = follow(current.name, current.state, Event.DONE)
            self._store.save_endpoint(replace(endpoint, keys=current.keys, state=state))

        def undo() -> None:
            current = self.get(wanted.name)
            self._store.save_endpoint(replace(current, state=follow(current.name, current.state, Event.FAULT)))

        operation = self._operations.start(
            endpoint.operation_id, finish, call="endpoints.put", resource=wanted.name, undo=undo
        )
        return endpoint, operation, before is None

    def delete(self, name: str) -> Operation | None:
        """Delete an endpoint and its deployments; None when there is none."""
        endpoint = self._store.endpoint(name)
        if endpoint is None:
            return None
        state = follow(name, endpoint.state, Event.DELETE)
        for deployment in self._store.deployments(name):
            if deployment.state not in SETTLED_STATES:
                raise ConflictError(f"{name}: cannot delete while deployment '{deployment.name}' is being changed")
        self._store.save_endpoint(replace(endpoint, state=state, traffic={}, mirror_traffic={}))

        def undo() -> None:
            left = {deployment.name for deployment in self._store.deployments(name)}
            kept = endpoint if left >= {*endpoint.traffic, *endpoint.mirror_traffic} else None
            self._store.save_endpoint(kept or replace(endpoint, traffic={}, mirror_traffic={}))

        async def finish() -> None:
            for deployment in self._store.deployments(name):
                await self._colours.remove(name, deployment.name)
                self._store.remove_deployment(name, deployment.name)
            self._store.remove_endpoint(name)

        operation_id = self._operations.new_id("oeidp")
        return self._operations.start(
            operation_id,
            finish,
            call="endpoints.delete",
            resource=name,
            undo=undo,
        )

    def keys(self, name: str) -> Keys:
        """Answer the endpoint's keys; raises NotFoundError, and BadRequestError where it has tokens instead."""
        endpoint = self.get(name)
        if endpoint.auth_mode is not AuthMode.KEY:
            raise BadRequestError(f"endpoint '{name}': it has no keys (authMode {endpoint.auth_mode} vs Key)")
        return endpoint.keys

    def token(self, name: str) -> Token:
        """Answer a new token for scoring; raises NotFoundError, and BadRequestError where it has none."""
        endpoint = self.get(name)
        if endpoint.auth_mode is not AuthMode.AML_TOKEN:
            raise BadRequestError(f"endpoint '{name}': it has no tokens (authMode {endpoint.auth_mode} vs AMLToken)")
        return self._tokens.issue_for_scoring(endpoint)

    def regenerate_key(self, name: str, *, primary: bool) -> Operation:
        """Replace one key by a new random one; the old one stops working when the operation succeeds."""
        self.keys(name)
        before = self.get(name)
        self._store.save_endpoint(replace(before, state=follow(name, before.state, Event.PUT)))

        async def finish() -> None:
            keys = replace(before.keys, **{"primary" if primary else "secondary": new_key()})
            self._store.save_endpoint(replace(before, keys=keys))

        operation_id = self._operations.new_id("oeidp")
        return self._operations.start(
            operation_id,
            finish,
            call="endpoints.regenerateKeys",
            resource=name,
            undo=lambda: self._store.save_endpoint(before),
        )


def without_zeroes(traffic: Mapping[str, int]) -> dict[str, int]:
    """Answer the shares that are more than nothing."""
    return {name: percent for name, percent in traffic.items() if percent}


def new_key() -> str:
    """Answer a random key of 32 hex digits."""
    return secrets.token_hex(16)

"""A Platform that hands every call on to another one, through one method that may do more than that."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from deployment.platform import Container, DeploymentRequest, Endpoint, Platform, Routing

Returned = TypeVar("Returned")


class PlatformAround(ABC):
    """What is between a release and its Platform says in `call` what becomes of each call."""

    platform: Platform

    @abstractmethod
    def call(self, made: Callable[[], Returned]) -> Returned:
        """Make the call and return what it returns."""

    def observe(self) -> Endpoint | None:
        return self.call(self.platform.observe)

    def create_endpoint(self, tags: Mapping[str, str]) -> None:
        self.call(lambda: self.platform.create_endpoint(tags))

    def write(
        self,
        routing: Routing,
        tags: Mapping[str, str],
        *,
        expected: Sequence[Routing] | None,
        holders: Sequence[str] | None,
    ) -> None:
        self.call(lambda: self.platform.write(routing, tags, expected=expected, holders=holders))

    def deploy(self, request: DeploymentRequest) -> None:
        self.call(lambda: self.platform.deploy(request))

    def scale(self, name: str, instance_count: int) -> None:
        self.call(lambda: self.platform.scale(name, instance_count))

    def delete_deployment(self, name: str) -> None:
        self.call(lambda: self.platform.delete_deployment(name))

    def delete_endpoint(self) -> None:
        self.call(self.platform.delete_endpoint)

    def endpoint_key(self) -> str:
        return self.call(self.platform.endpoint_key)

    def logs(self, deployment: str, container: Container, *, lines: int) -> str:
        return self.call(lambda: self.platform.logs(deployment, container, lines=lines))

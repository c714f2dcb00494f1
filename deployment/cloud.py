"""What a release asks of Azure before it touches anything; deployment/azure_checks.py is the one implementation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class WorkspaceFacts:
    """Where the workspace is, and the ARM id of its own registry, empty while it has none."""

    location: str
    registry_id: str


@dataclass(frozen=True)
class Registry:
    """An Azure Container Registry of the workspace's subscription."""

    id: str
    login_server: str


@dataclass(frozen=True)
class Identity:
    """The principals of an endpoint: the one that the platform made, empty where it made none, and those given."""

    system: str = ""
    users: tuple[str, ...] = ()

    @property
    def principals(self) -> tuple[str, ...]:
        return (self.system, *self.users) if self.system else self.users


@dataclass(frozen=True)
class Usage:
    """One quota as Azure lists it; limit is None where it has none of its own."""

    kind: str
    name: str
    localized_name: str
    taken: int
    limit: int | None


@dataclass(frozen=True)
class Size:
    """A size of machine."""

    name: str
    family: str
    cores: int


class Cloud(Protocol):
    """Azure around an endpoint, read only.

    Every method may be repeated and raises PlatformError with the platform's code and message where it is refused.
    """

    def workspace(self) -> WorkspaceFacts:
        """Return where the workspace is and which registry is its own."""

    def registries(self) -> Mapping[str, Registry]:
        """Return the registries of the subscription by login server, in lower case."""

    def identity(self) -> Identity | None:
        """Return who the endpoint is; None while it does not exist."""

    def may_pull(self, principal_id: str, registry_id: str) -> bool:
        """Tell whether a role that lets a principal pull from a registry is assigned to it."""

    def usages(self) -> Sequence[Usage]:
        """Return the quotas of the workspace's region."""

    def sizes(self) -> Mapping[str, Size]:
        """Return the sizes of machine of the workspace's region by name, in lower case."""

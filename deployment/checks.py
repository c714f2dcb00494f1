"""What a check of preflight is told, and what it answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from deployment.cloud import Cloud, Identity, Registry, Size, Usage, WorkspaceFacts
from deployment.manifests import DeploymentFile, EndpointFile
from deployment.outcomes import ReleaseError
from deployment.platform import Endpoint
from deployment.registry import ImageReference

ValueT = TypeVar("ValueT")


class Standing(StrEnum):
    """What a check says of a release that would begin now."""

    OK = "ok"  # nothing here stands in its way
    WARN = "warn"  # it may fail, or nobody could look
    FAIL = "fail"  # it would fail


@dataclass(frozen=True)
class Check:
    """What was found, with the values, and what to do about it; fix is empty where all is well."""

    name: str
    standing: Standing
    found: str
    fix: str = ""


@dataclass(frozen=True)
class Finding:
    """A check's answer."""

    standing: Standing
    found: str
    fix: str = ""


def ok(found: str) -> Finding:
    return Finding(Standing.OK, found)


def warn(found: str, fix: str) -> Finding:
    return Finding(Standing.WARN, found, fix)


def fail(found: str, fix: str) -> Finding:
    return Finding(Standing.FAIL, found, fix)


class Once(Generic[ValueT]):
    """Reads something when it is first asked for, and then answers, or raises, the same again."""

    def __init__(self, read: Callable[[], ValueT]) -> None:
        self._read = read
        self._found: list[ValueT] = []
        self._error: ReleaseError | None = None

    def __call__(self) -> ValueT:
        if self._error is not None:
            raise self._error
        if not self._found:
            try:
                self._found.append(self._read())
            except ReleaseError as error:
                self._error = error
                raise
        return self._found[0]


class Facts:
    """What the checks look at; each thing is read once, by the first check that needs it."""

    def __init__(
        self,
        cloud: Cloud,
        *,
        image: str,
        release_id: str,
        deployment_names: Sequence[str],
        read_endpoint_file: Callable[[], EndpointFile],
        read_deployment_file: Callable[[], DeploymentFile],
        observe: Callable[[], Endpoint | None],
        has_image: Callable[[ImageReference], bool],
    ) -> None:
        self.image = image
        self.release_id = release_id
        self.deployment_names = tuple(deployment_names)
        self.endpoint_file = Once(read_endpoint_file)
        self.deployment_file = Once(read_deployment_file)
        self.endpoint = Once(observe)
        self.has_image = has_image
        self.may_pull = cloud.may_pull
        self.workspace: Once[WorkspaceFacts] = Once(cloud.workspace)
        self.registries = Once(cloud.registries)
        self.identity: Once[Identity | None] = Once(cloud.identity)
        self.usages: Once[Sequence[Usage]] = Once(cloud.usages)
        self.sizes = Once(cloud.sizes)

    def size(self, instance_type: str) -> Size | None:
        """Return a size of machine, in any case."""
        return self.sizes().get(instance_type.lower())

    def registry(self, host: str) -> Registry | None:
        """Return the subscription's registry at a host."""
        return self.registries().get(host.lower())

    def candidate(self) -> str:
        """Return the name that the release will deploy under: the first that does not serve."""
        endpoint = self.endpoint()
        live = endpoint.live.name if endpoint is not None and endpoint.live is not None else None
        return next(name for name in self.deployment_names if name != live)

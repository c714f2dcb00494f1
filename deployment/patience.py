"""Calls that the platform refused for now are made again, for as long as whoever asks has patience."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from deployment.outcomes import ReleaseError, TransientError
from deployment.platform import Container, DeploymentRequest, Endpoint, Platform, Routing

Returned = TypeVar("Returned")
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 15.0


@dataclass(frozen=True)
class PatientPlatform:
    """A Platform that repeats what failed with TransientError, with growing random pauses, for `patience_s`."""

    platform: Platform
    patience_s: float
    # What is worth another try; the way back tries again whatever the SDK itself breaks with, too.
    repeated: tuple[type[Exception], ...] = (TransientError,)

    def observe(self) -> Endpoint | None:
        return self.repeat(self.platform.observe)

    def create_endpoint(self, tags: Mapping[str, str]) -> None:
        self.repeat(lambda: self.platform.create_endpoint(tags))

    def write(
        self,
        routing: Routing,
        tags: Mapping[str, str],
        *,
        expected: Sequence[Routing] | None,
        holders: Sequence[str] | None,
    ) -> None:
        self.repeat(lambda: self.platform.write(routing, tags, expected=expected, holders=holders))

    def deploy(self, request: DeploymentRequest) -> None:
        # Not repeated as it stands: what a deployment became has to be looked at first (deployment/candidate.py).
        self.platform.deploy(request)

    def scale(self, name: str, instance_count: int) -> None:
        self.repeat(lambda: self.platform.scale(name, instance_count))

    def delete_deployment(self, name: str) -> None:
        self.repeat(lambda: self.platform.delete_deployment(name))

    def delete_endpoint(self) -> None:
        self.repeat(self.platform.delete_endpoint)

    def endpoint_key(self) -> str:
        return self.repeat(self.platform.endpoint_key)

    def logs(self, deployment: str, container: Container, *, lines: int) -> str:
        return self.repeat(lambda: self.platform.logs(deployment, container, lines=lines))

    def repeat(self, call: Callable[[], Returned]) -> Returned:
        """Return what the call returns; raises what it last failed with once the patience is over."""
        attempts = Retrying(
            retry=retry_if_exception(self.is_repeated),
            stop=stop_after_delay(self.patience_s),
            wait=wait_random_exponential(multiplier=FIRST_PAUSE_S, max=LONGEST_PAUSE_S),
            reraise=True,
        )
        return attempts(call)

    def is_repeated(self, error: BaseException) -> bool:
        return isinstance(error, self.repeated) and (
            isinstance(error, TransientError) or not isinstance(error, ReleaseError)
        )

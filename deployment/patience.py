"""Calls that the platform refused for now are made again, for as long as whoever asks has patience."""

from collections.abc import Callable
from dataclasses import dataclass

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from deployment.delegation import PlatformAround, Returned
from deployment.outcomes import ReleaseError, TransientError
from deployment.platform import DeploymentRequest, Platform

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 15.0


@dataclass(frozen=True)
class PatientPlatform(PlatformAround):
    """A Platform that repeats what failed with TransientError, with growing random pauses, for `patience_s`."""

    platform: Platform
    patience_s: float
    # What is worth another try; the way back tries again whatever the SDK itself breaks with, too.
    repeated: tuple[type[Exception], ...] = (TransientError,)

    def deploy(self, request: DeploymentRequest) -> None:
        # Not repeated as it stands: what a deployment became has to be looked at first (deployment/candidate.py).
        self.platform.deploy(request)

    def call(self, made: Callable[[], Returned]) -> Returned:
        """Return what the call returns; raises what it last failed with once the patience is over."""
        attempts = Retrying(
            retry=retry_if_exception(self.is_repeated),
            stop=stop_after_delay(self.patience_s),
            wait=wait_random_exponential(multiplier=FIRST_PAUSE_S, max=LONGEST_PAUSE_S),
            reraise=True,
        )
        return attempts(made)

    def is_repeated(self, error: BaseException) -> bool:
        return isinstance(error, self.repeated) and (
            isinstance(error, TransientError) or not isinstance(error, ReleaseError)
        )

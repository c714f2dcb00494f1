"""A candidate at 0 %, whatever an earlier attempt left under its name."""

from collections.abc import Callable
from threading import Event
from time import monotonic
from typing import TypeVar

from deployment.outcomes import ProvisioningError
from deployment.patience import PatientPlatform
from deployment.platform import IMAGE_TAG, RELEASE_ID_TAG, Deployment, DeploymentRequest, Platform, require

Seen = TypeVar("Seen")
FIRST_LOOK_S = 0.1
LONGEST_LOOK_S = 5.0


def bring_up(
    platform: PatientPlatform, request: DeploymentRequest, *, timeout_s: float, before_making: Callable[[], None]
) -> bool:
    """Make the deployment that is asked for, and return whether it had to be made.

    One that is already there, of the same release and image and ready, is left as it is; anything else under the name
    is deleted first. `before_making` is called before anything is changed, and may raise. Raises ProvisioningError
    where it does not become ready.
    """
    made = False

    def attempt() -> None:
        nonlocal made
        found = settled(platform, request.name, timeout_s=timeout_s)
        if found is not None and is_what_was_asked_for(found, request):
            return
        before_making()
        if found is not None:
            platform.delete_deployment(request.name)
        made = True
        try:
            platform.deploy(request)
        except ProvisioningError:
            # An operation can end badly after its work was done: what counts is what is there.
            after = require(platform.observe()).deployments.get(request.name)
            if after is None or not is_what_was_asked_for(after, request):
                raise

    platform.call(attempt)
    return made


def is_what_was_asked_for(found: Deployment, request: DeploymentRequest) -> bool:
    same = all(found.tags.get(tag) == request.tags.get(tag) for tag in (RELEASE_ID_TAG, IMAGE_TAG))
    return same and found.is_healthy


def settled(platform: Platform, name: str, *, timeout_s: float) -> Deployment | None:
    """Return the deployment once no operation is under way on it; None once it is gone."""
    return look_until(
        lambda: require(platform.observe()).deployments.get(name),
        lambda found: found is None or found.is_settled,
        timeout_s=timeout_s,
        overdue=lambda found: ProvisioningError(
            f"deployment {name}: it is {found.provisioning_state if found else 'gone'} after {timeout_s:g} s, and the "
            "platform is still at work on it; look at it there and run the same command again"
        ),
    )


def look_until(
    look: Callable[[], Seen],
    holds: Callable[[Seen], bool],
    *,
    timeout_s: float,
    overdue: Callable[[Seen], Exception],
) -> Seen:
    """Look, at growing intervals, until what is seen holds; raises `overdue` once the time is over."""
    deadline_s, pause_s = monotonic() + timeout_s, FIRST_LOOK_S
    while not holds(seen := look()):
        if monotonic() >= deadline_s:
            raise overdue(seen)
        Event().wait(pause_s)
        pause_s = min(2 * pause_s, LONGEST_LOOK_S)
    return seen

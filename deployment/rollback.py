"""The way back: one idempotent call without a gate, never towards a deployment that cannot take the traffic."""

from collections.abc import Callable
from threading import Event
from typing import TypeVar

from deployment.golden import GoldenRequests
from deployment.outcomes import PlatformError
from deployment.platform import Endpoint, Platform, Traffic
from deployment.scoring import ScoringClient
from deployment.split import SplitCheck, probe, wait_until_routed

Returned = TypeVar("Returned")

# More patient than anything else in a release: about a minute and a half of refusals.
ATTEMPTS = 8
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
PROBES = 40


class NoSafeWayError(Exception):
    """Nobody is known to be able to take the traffic; whoever serves must go on serving."""


def roll_back(
    platform: Platform, client: ScoringClient, golden: GoldenRequests, *, target: Traffic, routing_timeout_s: float
) -> SplitCheck:
    """Give the endpoint the `target` traffic and see it routed.

    An empty target (what a first release started from) takes all traffic away. Raises NoSafeWayError if a deployment
    of the target cannot take traffic, or if the platform refuses every attempt.
    """
    refuse_if_sick(require(persist(platform.observe)), client, golden, target)
    persist(lambda: platform.set_traffic(target, expected=require(platform.observe()).traffic))
    if not target:
        return SplitCheck(fits=True, reason="nobody has traffic, as before", answered={}, failures=())
    return wait_until_routed(lambda: probe(client, golden, PROBES), target, timeout_s=routing_timeout_s)


def refuse_if_sick(endpoint: Endpoint, client: ScoringClient, golden: GoldenRequests, target: Traffic) -> None:
    """Raise NoSafeWayError unless every deployment of the target is provisioned and answers a request by name."""
    for name in target:
        deployment = endpoint.deployments.get(name)
        if deployment is None or not deployment.is_healthy:
            state = deployment.provisioning_state if deployment else "missing"
            raise NoSafeWayError(f"{name} is {state} where Succeeded is needed")
        answer = client.score(golden.requests[0].body, deployment=name)
        if not answer.ok:
            raise NoSafeWayError(f"{name} answers status {answer.status} where 200 is needed")


def require(endpoint: Endpoint | None) -> Endpoint:
    if endpoint is None:
        raise NoSafeWayError("the endpoint does not exist any more")
    return endpoint


def persist(call: Callable[[], Returned]) -> Returned:
    """Repeat a call that the platform refuses."""
    pause_s = FIRST_PAUSE_S
    for _ in range(ATTEMPTS - 1):
        try:
            return call()
        except PlatformError:
            Event().wait(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
    try:
        return call()
    except PlatformError as error:
        raise NoSafeWayError(f"the platform refused {ATTEMPTS} times: {error}") from error

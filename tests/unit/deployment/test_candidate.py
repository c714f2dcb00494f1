"""A candidate at 0 %, whatever lay there before and however often the platform refuses."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from deployment.candidate import bring_up, look_until
from deployment.outcomes import PlatformError, ProvisioningError, TransientError
from deployment.patience import PatientPlatform
from deployment.platform import IMAGE_TAG, RELEASE_ID_TAG, Deployment, DeploymentRequest
from tests.lib.release_fakes import FakePlatform
from tests.unit.deployment.scene import BLUE_LIVE, IMAGE, OTHER_IMAGE, AroundEachCall, a_deployment, an_endpoint

pytestmark = pytest.mark.unit

REQUEST = DeploymentRequest("green", IMAGE, {IMAGE_TAG: IMAGE, RELEASE_ID_TAG: "r-2"})


def platform_with(*deployments: Deployment) -> FakePlatform:
    return FakePlatform(an_endpoint(BLUE_LIVE, a_deployment("blue", release_id="r-1"), *deployments))


def up(platform: FakePlatform | AroundEachCall, *, timeout_s: float = 5, patience_s: float = 5) -> bool:
    return bring_up(PatientPlatform(platform, patience_s), REQUEST, timeout_s=timeout_s, before_making=lambda: None)


def assert_ready(platform: FakePlatform) -> None:
    there = platform.there().deployments["green"]
    assert (there.is_healthy, dict(there.tags)) == (True, dict(REQUEST.tags))
    assert platform.there().traffic == BLUE_LIVE


def changing(platform: FakePlatform, state: str, *, at_call: int) -> AroundEachCall:
    """Return the platform, on which the operation under way on green ends at one of the looks."""

    def settle(number: int) -> None:
        if number == at_call:
            settled = replace(platform.there().deployments["green"], provisioning_state=state)
            platform.endpoint = replace(
                platform.there(), deployments={**platform.there().deployments, "green": settled}
            )

    return AroundEachCall(platform, after=settle)


def test_a_candidate_is_made_once_however_often_it_is_asked_for() -> None:
    platform = platform_with()
    assert [up(platform) for _ in range(3)] == [True, False, False]
    assert platform.deploys == [REQUEST]
    assert_ready(platform)


@pytest.mark.parametrize(
    "leftover",
    [
        a_deployment("green", image=OTHER_IMAGE),
        a_deployment("green", release_id="r-1"),
        replace(a_deployment("green"), tags={}),
        a_deployment("green", state="Failed"),
        a_deployment("green", state="Canceled"),
    ],
    ids=["of another image", "of another release", "of nobody known", "failed", "cancelled"],
)
def test_a_leftover_is_deleted_before_the_candidate_is_made(leftover: Deployment) -> None:
    platform = platform_with(leftover)
    there_before: list[bool] = []
    platform.before_deploy = lambda: there_before.append("green" in platform.there().deployments)
    assert up(platform)
    assert there_before == [False]
    assert_ready(platform)


def test_a_deployment_that_has_traffic_is_never_deleted_for_a_candidate() -> None:
    platform = platform_with(a_deployment("green", release_id="r-1"))
    platform.endpoint = replace(platform.there(), traffic={"green": 100})
    left = platform.there()
    with pytest.raises(PlatformError, match="it has traffic"):
        up(platform)
    assert platform.there() is left


@pytest.mark.parametrize(("state", "made"), [("Succeeded", False), ("Failed", True)])
def test_a_candidate_that_a_killed_process_has_asked_for_is_awaited(state: str, *, made: bool) -> None:
    platform = platform_with(a_deployment("green", state="Creating"))
    assert up(changing(platform, state, at_call=3)) is made
    assert len(platform.deploys) == made
    assert_ready(platform)


def test_a_leftover_that_is_being_deleted_is_awaited() -> None:
    platform = platform_with(a_deployment("green", release_id="r-1", state="Deleting"))

    def gone(number: int) -> None:
        if number == 3:
            platform.delete_deployment("green")

    assert up(AroundEachCall(platform, after=gone))
    assert_ready(platform)


def test_a_candidate_that_never_settles_is_given_up_and_not_touched() -> None:
    platform = platform_with(a_deployment("green", state="Creating"))
    left = platform.there()
    with pytest.raises(ProvisioningError, match=r"deployment green: it is Creating after 0\.01 s, .* still at work"):
        up(platform, timeout_s=0.01)
    assert platform.there() is left


def fails_after(platform: FakePlatform, made: Deployment | None, error: Callable[[], PlatformError]) -> None:
    """Let the next deploy leave something and end with an error."""

    def refuse() -> None:
        platform.before_deploy = lambda: None
        if made is not None:
            platform.endpoint = replace(platform.there(), deployments={**platform.there().deployments, "green": made})
        raise error()

    platform.before_deploy = refuse


def test_an_operation_that_failed_after_its_work_was_done_counts() -> None:
    platform = platform_with()
    fails_after(platform, replace(a_deployment("green"), tags=REQUEST.tags), lambda: ProvisioningError("timeout"))
    assert up(platform)
    assert platform.deploys == []
    assert_ready(platform)


@pytest.mark.parametrize(
    "made",
    [None, a_deployment("green", state="Failed"), a_deployment("green", image=OTHER_IMAGE)],
    ids=["nothing", "a failed one", "another one"],
)
def test_an_operation_that_failed_and_left_something_else_is_a_failure(made: Deployment | None) -> None:
    platform = platform_with()
    fails_after(platform, made, lambda: ProvisioningError("deployment green: ImagePullFailed"))
    with pytest.raises(ProvisioningError, match="ImagePullFailed"):
        up(platform)


@pytest.mark.parametrize(
    "made",
    [None, a_deployment("green", state="Failed"), a_deployment("green")],
    ids=["nothing", "a failed one", "the candidate"],
)
def test_a_refusal_for_now_is_repeated_from_what_is_there(made: Deployment | None) -> None:
    platform = platform_with()
    fails_after(platform, made, lambda: TransientError("deployment green: 429"))
    assert up(platform)
    assert_ready(platform)


@pytest.mark.parametrize("call", range(1, 5))
def test_every_call_may_be_refused_for_now(call: int) -> None:
    platform = platform_with(a_deployment("green", release_id="r-1"))
    refusals = [call]

    def refuse(number: int) -> None:
        if refusals and number == refusals[0]:
            refusals.clear()
            raise TransientError("endpoint: no answer from the platform")

    assert up(AroundEachCall(platform, before=refuse))
    assert_ready(platform)


def test_a_platform_that_keeps_refusing_is_given_up() -> None:
    platform = platform_with()

    def refuse() -> None:
        raise TransientError("deployment green: 429 (TooManyRequests)")

    platform.before_deploy = refuse
    with pytest.raises(TransientError, match="TooManyRequests"):
        up(platform, patience_s=0.01)


def test_looking_ends_with_what_holds_or_with_the_last_look() -> None:
    looks = iter(range(10))
    assert look_until(lambda: next(looks), lambda seen: seen == 3, timeout_s=5, overdue=lambda _: KeyError()) == 3
    with pytest.raises(KeyError, match="4"):
        look_until(lambda: next(looks), lambda _: False, timeout_s=0, overdue=KeyError)

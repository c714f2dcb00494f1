"""A platform that refuses at any moment: what a release says of its end is what is true of the endpoint."""

from collections.abc import Callable
from pathlib import Path

import pytest

from deployment.hold import is_split
from deployment.outcomes import Outcome, PlatformError, TransientError
from deployment.release import Result
from deployment.settings import ReleaseSettings
from tests.lib.release_fakes import FakePlatform
from tests.unit.deployment.scene import (
    BLUE_LIVE,
    GREEN_LIVE,
    SETTINGS,
    AroundEachCall,
    a_rollout,
    an_endpoint,
    from_then_on,
    once,
    record_on,
)

pytestmark = pytest.mark.unit

STEPS = SETTINGS.model_copy(update={"shift": SETTINGS.shift.model_copy(update={"steps_percent": (50, 100)})})
IMPATIENT = STEPS.model_copy(
    update={"platform": SETTINGS.platform.model_copy(update={"patience_s": 0.01, "rollback_patience_s": 0.01})}
)
CALLS = 24  # more than a release makes
ERRORS: dict[str, Callable[[], BaseException]] = {
    "refused": lambda: PlatformError("endpoint: 500 (InternalServerError)"),
    "transient": lambda: TransientError("endpoint: 429 (TooManyRequests)"),
    "in the SDK": lambda: AttributeError("'NoneType' object has no attribute 'traffic'"),
    "told to stop": lambda: SystemExit(143),
}


def release_with(around: AroundEachCall, folder: Path, settings: ReleaseSettings = STEPS) -> Result | None:
    """Return how the release ended; None where the error ended it before it held the endpoint."""
    try:
        return a_rollout(around, folder, settings=settings).promote()
    except (PlatformError, AttributeError, SystemExit):
        return None


def assert_honest(result: Result | None, platform: FakePlatform) -> None:
    traffic = platform.there().traffic
    if result is None:
        assert traffic == BLUE_LIVE
    elif result.outcome is Outcome.PROMOTED:
        assert traffic == result.traffic == GREEN_LIVE
    elif result.outcome is not Outcome.FROZEN:
        assert traffic == result.traffic == BLUE_LIVE


def test_a_release_makes_fewer_calls_than_are_refused_here(tmp_path: Path) -> None:
    around = AroundEachCall(FakePlatform(an_endpoint()))
    assert a_rollout(around, tmp_path, settings=STEPS).promote().outcome is Outcome.PROMOTED
    assert 12 < around.calls < CALLS


@pytest.mark.parametrize("lost", [False, True], ids=["not done", "done, answer lost"])
@pytest.mark.parametrize("error", ERRORS)
def test_one_refusal_at_any_moment_leaves_no_split_and_nothing_said_that_is_not_so(
    error: str, *, lost: bool, tmp_path: Path
) -> None:
    for number in range(1, CALLS):
        platform = FakePlatform(an_endpoint())
        refuse = once(number, ERRORS[error])
        around = AroundEachCall(platform, after=refuse) if lost else AroundEachCall(platform, before=refuse)
        result = release_with(around, tmp_path / str(number))
        assert_honest(result, platform)
        assert not is_split(platform.there().routing), number
        if result is not None and result.outcome is not Outcome.PROMOTED:
            assert not record_on(platform).in_flight, number
        if error == "transient":
            assert result is not None
            assert result.outcome is Outcome.PROMOTED, number


@pytest.mark.parametrize("error", ["refused", "transient"])
def test_a_platform_that_refuses_from_any_moment_on_is_not_said_to_have_done_what_it_has_not(
    error: str, tmp_path: Path
) -> None:
    for number in range(1, CALLS):
        platform = FakePlatform(an_endpoint())
        around = AroundEachCall(platform, before=from_then_on(number, ERRORS[error]))
        result = release_with(around, tmp_path / str(number), IMPATIENT)
        assert_honest(result, platform)
        if is_split(platform.there().routing):
            assert result is not None
            assert result.outcome is Outcome.FROZEN, number
            assert record_on(platform).in_flight  # so that `resume` and `abort` find it


def test_a_release_that_a_refusing_platform_froze_is_undone_when_it_is_started_again(tmp_path: Path) -> None:
    frozen = 0
    for number in range(1, CALLS):
        platform = FakePlatform(an_endpoint())
        around = AroundEachCall(platform, before=from_then_on(number, ERRORS["refused"]))
        result = release_with(around, tmp_path / str(number), IMPATIENT)
        if result is None or result.outcome is not Outcome.FROZEN:
            continue
        frozen += 1
        again = a_rollout(platform, tmp_path / str(number), settings=STEPS).promote()
        assert again.outcome in {Outcome.PROMOTED, Outcome.ROLLED_BACK}
        assert_honest(again, platform)
        assert not record_on(platform).in_flight
    assert frozen >= 3

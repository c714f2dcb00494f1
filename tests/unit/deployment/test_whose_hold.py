"""Who holds the endpoint, when two want it."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deployment.aftercare import Aftercare
from deployment.outcomes import BadInputError, ConflictError, Outcome, PlatformError
from deployment.patience import PatientPlatform
from deployment.phases import Phase
from deployment.platform import IMAGE_TAG, Endpoint, Routing
from deployment.record import read_record
from deployment.scoring import Answer
from load.measure import Measurement
from tests.lib.release_fakes import FakePlatform, FakeScoring, make_record
from tests.unit.deployment.scene import (
    BLUE_LIVE,
    GREEN_LIVE,
    IMAGE,
    OTHER_IMAGE,
    SETTINGS,
    AroundEachCall,
    Measured,
    a_release,
    a_rollout,
    an_endpoint,
    once,
    record_on,
    silent,
    with_record,
)

pytestmark = pytest.mark.unit

OTHER = a_release("r-3", OTHER_IMAGE)


def silent_release() -> FakePlatform:
    """Return the platform on which release r-2 was killed before its candidate was ready, longer ago than its lease."""
    record = silent(replace(make_record(Phase.OBSERVED), image=IMAGE))
    return FakePlatform(with_record(an_endpoint(), record))


def test_a_release_that_goes_on_keeps_others_out_again(tmp_path: Path) -> None:
    platform = silent_release()
    resumed = a_rollout(platform, tmp_path)
    resumed.run(resumed.deploy)
    with pytest.raises(BadInputError, match="release r-2 is under way"):
        a_rollout(platform, tmp_path / "r-3", release=OTHER).promote()


def test_a_process_that_was_overtaken_cannot_exchange_the_candidate_of_the_other(tmp_path: Path) -> None:
    platform = silent_release()
    overtaken = a_rollout(platform, tmp_path / "r-2")
    overtaken.take()

    def measured_meanwhile(*arguments: Any, **named: Any) -> Measurement:
        measurement = Measured()(*arguments, **named)
        overtaken.end_of(overtaken.deploy)
        return measurement

    # Refusing r-3 is as good: r-2 has just come back.
    try:
        result = a_rollout(platform, tmp_path / "r-3", release=OTHER, measure=measured_meanwhile).promote()
    except (BadInputError, ConflictError):
        return
    assert result.outcome is not Outcome.PROMOTED or (
        platform.there().deployments["green"].tags[IMAGE_TAG] == OTHER_IMAGE
    )


def test_a_held_endpoint_without_deployments_is_not_deleted_because_an_update_failed(tmp_path: Path) -> None:
    bare = Endpoint("fake", "http://127.0.0.1:9/score", {}, {}, {}, provisioning_state="Failed")
    held = with_record(bare, make_record(Phase.OBSERVED, live="", candidate="blue"))
    platform = FakePlatform(held)
    with pytest.raises(BadInputError, match="release r-2 is under way"):
        a_rollout(platform, tmp_path, release=a_release("r-3")).promote()
    assert platform.there() is held


def test_a_candidate_that_is_still_watched_at_100_percent_is_nobodys_live_yet(tmp_path: Path) -> None:
    tried: list[str] = []

    class LeaseOver(FakeScoring):
        """A client in whose hands the lease runs out, and another release comes by, at 100 %."""

        def score(self, body: Any, *, deployment: str | None = None) -> Answer:
            if deployment == "green" and self.platform.there().traffic == GREEN_LIVE and not tried:
                tried.append("r-3")
                self.platform.endpoint = with_record(self.platform.there(), silent(record_on(self.platform)))
                other = a_rollout(self.platform, tmp_path / "r-3", release=OTHER)
                with suppress(BadInputError):
                    other.take()
            return super().score(body, deployment=deployment)

    platform = FakePlatform(an_endpoint())
    result = a_rollout(platform, tmp_path / "r-2", client=LeaseOver).promote()
    assert tried == ["r-3"]
    assert result.outcome is Outcome.PROMOTED
    assert record_on(platform).release_id == "r-2"


def test_finishing_does_not_delete_the_candidate_of_a_release_that_begins_meanwhile(tmp_path: Path) -> None:
    soon = SETTINGS.model_copy(update={"soak": SETTINGS.soak.model_copy(update={"duration_s": 0})})
    platform = FakePlatform(an_endpoint())
    a_rollout(platform, tmp_path / "r-2", settings=soon).promote()
    begun: list[str] = []

    def begin_another(number: int) -> None:
        if number == 2 and not begun:  # what `finish` does after it has looked
            begun.append("r-3")
            other = a_rollout(platform, tmp_path / "r-3", release=OTHER)
            with suppress(BadInputError):
                other.run(other.deploy)

    around = AroundEachCall(platform, before=begin_another)
    with suppress(ConflictError, BadInputError):
        Aftercare(PatientPlatform(around, 5), SETTINGS, lambda _: None).finish(at_once=False)
    assert begun == ["r-3"]
    assert record_on(platform).release_id == "r-2" or "blue" in platform.there().deployments


@pytest.mark.parametrize(
    "error", [lambda: SystemExit(143), lambda: PlatformError("endpoint: 500")], ids=["told to stop", "refused"]
)
def test_what_ends_a_release_in_its_first_write_does_not_leave_the_endpoint_held(
    error: Callable[[], BaseException], tmp_path: Path
) -> None:
    platform = FakePlatform(an_endpoint())
    with suppress(SystemExit, PlatformError):
        a_rollout(AroundEachCall(platform, after=once(2, error)), tmp_path).promote()
    record = read_record(platform.there().tags)
    assert record is None or not record.in_flight


def test_a_promotion_that_somebody_takes_back_before_it_is_written_down_is_not_called_one(tmp_path: Path) -> None:
    platform = FakePlatform(an_endpoint())

    def overtake(routing: Routing) -> None:
        if routing.traffic == GREEN_LIVE == platform.there().traffic:
            theirs = replace(record_on(platform), holder="ops #1", routing=Routing(BLUE_LIVE))
            platform.endpoint = with_record(platform.there(), theirs)

    platform.before_write = overtake
    result = a_rollout(platform, tmp_path).promote()
    assert result.outcome is Outcome.FROZEN
    assert "held by ops #1" in result.sentence
    assert result.traffic == BLUE_LIVE

"""Whose writes to the endpoint still go through once somebody else has written."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from deployment.hold import Hold
from deployment.outcomes import ConflictError, TransientError
from deployment.patience import PatientPlatform
from deployment.phases import Phase
from deployment.platform import Endpoint, Routing, Traffic
from deployment.record import utc_now
from deployment.taking import Taken, take
from tests.lib.release_fakes import FakePlatform, make_hold, make_record
from tests.unit.deployment.scene import (
    BLUE_LIVE,
    IMAGE,
    SETTINGS,
    a_deployment,
    a_release,
    an_endpoint,
    record_on,
)

pytestmark = pytest.mark.unit

SPLIT: Traffic = {"blue": 90, "green": 10}


def both(traffic: Traffic) -> Endpoint:
    return an_endpoint(traffic, a_deployment("blue", release_id="r-1"), a_deployment("green"))


def take_it(platform: FakePlatform, release_id: str, *, image: str = IMAGE, run_url: str = "") -> Taken:
    patient = PatientPlatform(platform, patience_s=5)
    taken = take(patient, SETTINGS.platform, a_release(release_id, image, run_url=run_url))
    taken.write()
    return taken


def test_the_same_release_goes_on_and_the_older_process_cannot_write_any_more() -> None:
    platform = FakePlatform(both(BLUE_LIVE))
    older = take_it(platform, "r-2", run_url="run-1").hold
    younger = take_it(platform, "r-2", run_url="run-2").hold
    younger.write(Phase.PASSED)
    left = platform.there()
    with pytest.raises(ConflictError, match=r"it is held by run-2 #\w+ where this release left it to run-1 #\w+"):
        older.write(Phase.SHIFTING, Routing(SPLIT))
    assert platform.there() is left
    younger.write(Phase.SHIFTING, Routing(SPLIT))
    assert platform.there().traffic == SPLIT


def test_a_process_that_was_overtaken_cannot_end_the_release_either() -> None:
    platform = FakePlatform(both(BLUE_LIVE))
    older = take_it(platform, "r-2").hold
    take_it(platform, "r-2").hold.write(Phase.PASSED)
    with pytest.raises(ConflictError):
        older.end(Phase.REFUSED, "stopped")
    assert record_on(platform).phase is Phase.PASSED


def test_two_releases_that_take_the_endpoint_at_the_same_moment_do_not_both_get_it() -> None:
    platform = FakePlatform(both(BLUE_LIVE))
    endpoint, record = platform.there(), make_record(Phase.OBSERVED)
    first, second = (
        make_hold(platform, endpoint, replace(record, release_id=name, holder=name)) for name in ("r-2", "r-3")
    )
    first.write(Phase.OBSERVED)
    with pytest.raises(ConflictError, match="it is held by r-2 where this release left it to r-3"):
        second.write(Phase.OBSERVED)
    assert record_on(platform).release_id == "r-2"


def test_traffic_that_somebody_else_set_is_shown_beside_what_was_left() -> None:
    platform = FakePlatform(both(BLUE_LIVE))
    hold = take_it(platform, "r-2").hold
    theirs = {"blue": 70, "green": 30}
    platform.endpoint = replace(platform.there(), traffic=theirs)
    with pytest.raises(ConflictError, match="traffic is blue 70 %, green 30 % where this release left blue 100 % "):
        hold.write(Phase.SHIFTING, Routing(SPLIT))
    assert platform.there().traffic == theirs


class LosingAnswers(FakePlatform):
    """A platform whose answer to a write gets lost, once it has taken effect."""

    lost = 0

    def write(
        self,
        routing: Routing,
        tags: Mapping[str, str],
        *,
        expected: Sequence[Routing] | None,
        holders: Sequence[str] | None,
    ) -> None:
        super().write(routing, tags, expected=expected, holders=holders)
        if self.lost:
            self.lost -= 1
            raise TransientError("endpoint: no answer from the platform")


def test_a_write_whose_answer_was_lost_is_recognised_when_it_is_repeated() -> None:
    platform = LosingAnswers(both(BLUE_LIVE))
    hold = take_it(platform, "r-2").hold
    platform.lost = 3
    hold.write(Phase.SHIFTING, Routing(SPLIT), platform=PatientPlatform(platform, patience_s=5))
    assert platform.writes == [SPLIT]
    assert hold.possible == (Routing(SPLIT),)


def test_a_write_whose_answer_was_lost_for_good_is_built_upon_by_the_next() -> None:
    platform = LosingAnswers(both(BLUE_LIVE))
    hold = take_it(platform, "r-2").hold
    platform.lost = 1
    with pytest.raises(TransientError):
        hold.write(Phase.SHIFTING, Routing(SPLIT), platform=platform)
    hold.write(Phase.ROLLING_BACK, Routing(BLUE_LIVE))
    assert platform.writes == [SPLIT, BLUE_LIVE]


def test_a_write_that_never_arrived_is_built_upon_by_the_next() -> None:
    refusals = [TransientError("endpoint: 503")]

    def refuse(_: Routing) -> None:
        if refusals:
            raise refusals.pop()

    platform = FakePlatform(both(BLUE_LIVE))
    hold = take_it(platform, "r-2").hold
    platform.before_write = refuse
    with pytest.raises(TransientError):
        hold.write(Phase.SHIFTING, Routing(SPLIT), platform=platform)
    hold.write(Phase.ROLLING_BACK, Routing(BLUE_LIVE))
    assert platform.writes == []
    assert record_on(platform).phase is Phase.ROLLING_BACK


def test_a_first_write_whose_answer_was_lost_still_takes_the_endpoint() -> None:
    platform = LosingAnswers(both(BLUE_LIVE))
    platform.lost = 1
    taken = take_it(platform, "r-2")
    assert platform.there().holder == taken.hold.record.holder


def test_every_write_extends_the_lease() -> None:
    platform = FakePlatform(both(BLUE_LIVE))
    began = utc_now()
    times = iter(began + timedelta(hours=hour) for hour in range(1, 3))
    record = make_record(Phase.PASSED)
    hold = Hold(platform, record, (platform.there().routing,), ("",), lease_s=60, now=lambda: next(times))
    hold.write(Phase.SHIFTING)
    first = record_on(platform).leased_until
    hold.write(Phase.SHIFTING)
    assert record_on(platform).leased_until - first == timedelta(hours=1)

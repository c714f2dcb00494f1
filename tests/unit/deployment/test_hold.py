"""Who may take the endpoint, and when."""

from dataclasses import replace
from datetime import timedelta

import pytest

from deployment.outcomes import BadInputError, ConflictError
from deployment.patience import PatientPlatform
from deployment.phases import ENDED, UNDER_TRAFFIC, Phase
from deployment.platform import Endpoint, Routing, Traffic
from deployment.record import Record, utc_now
from deployment.taking import Taken, take
from tests.lib.release_fakes import FakePlatform, make_record
from tests.unit.deployment.scene import (
    BLUE_LIVE,
    GREEN_LIVE,
    IMAGE,
    OTHER_IMAGE,
    SETTINGS,
    a_deployment,
    a_release,
    an_endpoint,
    record_on,
    silent,
    with_record,
)

pytestmark = pytest.mark.unit

SPLIT: Traffic = {"blue": 90, "green": 10}
UNDER_WAY = sorted(set(Phase) - ENDED)


def both(traffic: Traffic) -> Endpoint:
    return an_endpoint(traffic, a_deployment("blue", release_id="r-1"), a_deployment("green"))


def held(record: Record) -> FakePlatform:
    return FakePlatform(with_record(both(record.routing.traffic), record))


def take_it(platform: FakePlatform, release_id: str, *, image: str = IMAGE, run_url: str = "") -> Taken:
    patient = PatientPlatform(platform, patience_s=5)
    taken = take(patient, SETTINGS.platform, a_release(release_id, image, run_url=run_url))
    taken.write()
    return taken


def of_this_image(phase: Phase, routing: Routing | None = None) -> Record:
    return replace(make_record(phase, routing=routing), image=IMAGE)


@pytest.mark.parametrize("phase", UNDER_WAY)
def test_another_release_is_refused_while_one_holds_the_endpoint(phase: Phase) -> None:
    record = make_record(phase)
    platform = held(record)
    with pytest.raises(BadInputError) as error:
        take_it(platform, "r-3")
    told = str(error.value)
    assert f"release r-2 is under way ({phase} since {record.at:%H:%M:%S} UTC, held by ci #1 until" in told
    assert f"{record.leased_until:%H:%M:%S} UTC" in told
    assert "`python -m deployment resume`" in told
    assert record_on(platform) == record


@pytest.mark.parametrize("phase", [phase for phase in UNDER_WAY if phase not in UNDER_TRAFFIC])
def test_a_release_that_has_gone_silent_without_a_split_is_replaced(phase: Phase) -> None:
    platform = held(silent(make_record(phase)))
    taken = take_it(platform, "r-3")
    assert (taken.phase, taken.hold.record.live, taken.hold.record.candidate) == (Phase.OBSERVED, "blue", "green")
    assert record_on(platform).release_id == "r-3"
    assert record_on(platform).leased_until > utc_now()


@pytest.mark.parametrize(
    ("phase", "routing"),
    [
        (Phase.SHIFTING, Routing(SPLIT)),
        (Phase.ROLLING_BACK, Routing(SPLIT)),
        (Phase.SHIFTING, Routing(BLUE_LIVE, {"green": 10})),
        (Phase.FROZEN, Routing(SPLIT)),
        (Phase.SHIFTING, Routing({"green": 100})),
        (Phase.ROLLING_BACK, Routing(BLUE_LIVE)),
        (Phase.FROZEN, Routing(GREEN_LIVE)),
    ],
    ids=str,
)
def test_a_silent_release_that_left_a_split_or_froze_has_to_be_ended_first(phase: Phase, routing: Routing) -> None:
    record = silent(make_record(phase, routing=routing))
    platform = held(record)
    with pytest.raises(BadInputError, match=f"release r-2 broke off as {phase} with {routing}, and nobody has come"):
        take_it(platform, "r-3")
    assert record_on(platform) == record


def promoted(kept_for: timedelta) -> Record:
    record = make_record(Phase.SHIFTING, routing=Routing(GREEN_LIVE))
    return record.ended(Phase.PROMOTED, "promoted", utc_now(), keep_warm_s=kept_for.total_seconds())


def test_the_way_back_of_a_promoted_release_is_kept_open_for_its_time() -> None:
    platform = held(promoted(timedelta(minutes=1)))
    with pytest.raises(BadInputError, match=r"blue is kept warm until .* UTC, the way back of release r-2; wait"):
        take_it(platform, "r-3")
    assert record_on(platform).release_id == "r-2"


def test_once_that_time_is_over_the_next_release_takes_its_place() -> None:
    platform = held(promoted(timedelta(0)))
    taken = take_it(platform, "r-3")
    assert (taken.hold.record.live, taken.hold.record.candidate) == ("green", "blue")
    assert [entry.release_id for entry in record_on(platform).past] == ["r-2"]


@pytest.mark.parametrize("routing", [Routing(SPLIT), Routing(BLUE_LIVE, {"green": 10})], ids=str)
def test_a_split_that_no_release_speaks_of_is_nobodys_to_build_on(routing: Routing) -> None:
    endpoint = replace(both(routing.traffic), mirror_traffic=routing.mirror)
    with pytest.raises(BadInputError, match=r"its traffic is split .* and no release says that it did that"):
        take_it(FakePlatform(endpoint), "r-3")


def test_a_split_made_after_a_release_had_ended_is_nobodys_to_build_on() -> None:
    record = replace(promoted(timedelta(0)), routing=Routing(GREEN_LIVE))
    platform = FakePlatform(replace(with_record(both(GREEN_LIVE), record), traffic=SPLIT))
    with pytest.raises(BadInputError, match="its traffic is split"):
        take_it(platform, "r-3")


def test_the_tags_of_others_outlive_a_release() -> None:
    platform = FakePlatform(replace(both(BLUE_LIVE), tags={"cost-centre": "4711"}))
    take_it(platform, "r-3")
    assert platform.there().tags["cost-centre"] == "4711"


def test_a_release_does_not_go_on_with_traffic_that_it_did_not_leave() -> None:
    record = of_this_image(Phase.SHIFTING, Routing(SPLIT))
    platform = FakePlatform(replace(with_record(both(SPLIT), record), traffic=GREEN_LIVE))
    with pytest.raises(ConflictError, match="traffic is green 100 % where release r-2 left blue 90 %, green 10 %"):
        take_it(platform, "r-2")
    assert record_on(platform) == record


def test_a_release_does_not_go_on_with_another_image() -> None:
    platform = held(of_this_image(Phase.PASSED))
    with pytest.raises(BadInputError, match=f"it is of {IMAGE}, not of {OTHER_IMAGE}"):
        take_it(platform, "r-2", image=OTHER_IMAGE)


@pytest.mark.parametrize("phase", UNDER_WAY)
def test_a_release_goes_on_only_from_what_cannot_be_observed(phase: Phase) -> None:
    taken = take_it(held(of_this_image(phase)), "r-2")
    remembered = {Phase.PASSED, Phase.SHIFTING, Phase.ROLLING_BACK, Phase.FROZEN}
    assert taken.phase is (phase if phase in remembered else Phase.OBSERVED)


def test_a_refused_release_begins_anew() -> None:
    platform = held(of_this_image(Phase.REFUSED))
    assert take_it(platform, "r-2").phase is Phase.OBSERVED
    assert record_on(platform).phase is Phase.OBSERVED

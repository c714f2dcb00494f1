"""What nobody looks after on an endpoint, and its repair."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from deployment.aftercare import Aftercare
from deployment.guarding import Finding, Guard, Kind, find
from deployment.outcomes import Outcome, TransientError
from deployment.patience import PatientPlatform
from deployment.phases import ENDED, Phase
from deployment.platform import Deployment, Endpoint, Routing, Traffic
from deployment.record import Record, utc_now
from deployment.settings import Afterwards, SoakSettings
from deployment.takeback import TakeBack
from tests.lib.release_fakes import FakePlatform, FakeScoring, colour, make_journal, make_record
from tests.unit.deployment.scene import (
    BLUE_LIVE,
    GREEN_LIVE,
    SETTINGS,
    a_deployment,
    an_endpoint,
    record_on,
    silent,
    with_record,
)
from tests.unit.deployment.takeback_scene import SPLIT, promoted, under_way

pytestmark = pytest.mark.unit

NOW = utc_now()
BOTH = (a_deployment("blue", release_id="r-1"), a_deployment("green", release_id="r-2"))
SCALING = SoakSettings(afterwards=Afterwards.SCALE, instances=1)
ScoringOf = Callable[[FakePlatform], FakeScoring]


def refused() -> Record:
    return make_record(Phase.OBSERVED).ended(Phase.REFUSED, Outcome.REFUSED_BY_GATE, NOW)


def on_endpoint(
    record: Record | None, *deployments: Deployment, traffic: Traffic | None = None, mirror: Traffic | None = None
) -> Endpoint:
    """Return an endpoint with what the record left on it, or what somebody has made of that since."""
    endpoint = an_endpoint(traffic or BLUE_LIVE, *(deployments or BOTH))
    found = with_record(endpoint, record) if record else endpoint
    changed = replace(found, traffic=traffic) if traffic is not None else found
    return replace(changed, mirror_traffic=mirror) if mirror else changed


def kinds(endpoint: Endpoint, *, now: datetime = NOW, soak: SoakSettings | None = None) -> list[Kind]:
    settings = SETTINGS.model_copy(update={"soak": soak or SoakSettings()})
    return [each.kind for each in find(endpoint, settings, now)]


@pytest.mark.parametrize("phase", sorted(set(Phase) - ENDED - {Phase.PASSED}))
def test_a_release_under_way_is_nobodys_business_until_its_lease_is_over(phase: Phase) -> None:
    record = make_record(phase, routing=Routing(SPLIT))
    endpoint = on_endpoint(record)
    assert kinds(endpoint, now=record.leased_until - timedelta(seconds=1)) == []
    assert kinds(endpoint, now=record.leased_until) == [Kind.SILENT]


def test_a_release_that_has_passed_may_wait_for_a_person_beyond_its_lease() -> None:
    record = make_record(Phase.PASSED)
    wait = timedelta(seconds=SETTINGS.platform.approval_s)
    assert record.leased_until < record.at + wait
    assert kinds(on_endpoint(record), now=record.leased_until) == []
    assert kinds(on_endpoint(record), now=record.at + wait - timedelta(seconds=1)) == []
    assert kinds(on_endpoint(record), now=record.at + wait) == [Kind.SILENT]


def test_a_silent_release_is_told_with_its_traffic_and_its_ways_out() -> None:
    (finding,) = find(on_endpoint(silent(under_way())), SETTINGS, NOW)
    assert finding.found.startswith("release r-2 is shifting with blue 90 %, green 10 %, and nobody has come back")
    assert "resume" in finding.remedy
    assert "abort" in finding.remedy


@pytest.mark.parametrize("record", [None, make_record(Phase.DONE, routing=Routing(BLUE_LIVE)), refused(), promoted()])
@pytest.mark.parametrize(("traffic", "mirror"), [(SPLIT, None), (BLUE_LIVE, {"green": 20})])
def test_traffic_that_no_release_has_split_is_found(
    record: Record | None, traffic: Traffic, mirror: Traffic | None
) -> None:
    endpoint = on_endpoint(record, traffic=traffic, mirror=mirror)
    (finding,) = find(endpoint, SETTINGS, NOW)
    assert finding.kind is Kind.SPLIT
    assert finding.found.startswith(f"traffic is {endpoint.routing}")
    assert ("where release r-2 left" in finding.found) is (record is not None)


def test_a_refused_candidate_is_left_over_at_once() -> None:
    (finding,) = find(on_endpoint(refused()), SETTINGS, NOW)
    assert finding == Finding(
        Kind.LEFT_OVER,
        "no request reaches green of release r-2, and it need not be kept",
        "`python -m deployment finish` deletes or scales down what is left over",
    )


def test_a_deployment_that_is_kept_warm_is_left_over_once_its_time_is_over() -> None:
    record = promoted()
    assert record.kept_until is not None
    endpoint = on_endpoint(record)
    assert kinds(endpoint, now=record.kept_until - timedelta(seconds=1)) == []
    assert kinds(endpoint, now=record.kept_until) == [Kind.LEFT_OVER]


def test_a_deployment_that_finish_has_scaled_down_is_where_it_belongs() -> None:
    done = make_record(Phase.DONE, routing=Routing(GREEN_LIVE))
    one, three = BOTH[0], replace(BOTH[0], instance_count=3)
    assert kinds(on_endpoint(done, one, BOTH[1]), soak=SCALING) == []
    assert kinds(on_endpoint(done, three, BOTH[1]), soak=SCALING) == [Kind.LEFT_OVER]
    assert kinds(on_endpoint(done, one, BOTH[1])) == [Kind.LEFT_OVER]


@pytest.mark.parametrize(
    "endpoint",
    [
        an_endpoint(),
        on_endpoint(None, colour("blue"), colour("green")),
        on_endpoint(make_record(Phase.DONE), BOTH[0], colour("probe")),
        an_endpoint({}, colour("blue")),
    ],
    ids=["one serves", "others' deployments", "somebody's beside", "nobody serves yet"],
)
def test_where_all_is_well_or_others_have_made_it_nothing_is_found(endpoint: Endpoint) -> None:
    assert kinds(endpoint) == []


def test_tags_that_cannot_be_read_are_found() -> None:
    (finding,) = find(replace(on_endpoint(refused()), tags={"release_phase": "?"}), SETTINGS, NOW)
    assert finding.kind is Kind.DAMAGED
    assert "cannot be read" in finding.found
    assert "rollback --to NAME" in finding.remedy


@dataclass
class Scene:
    """A guard, the endpoint that it looks at, and what `finish` has said."""

    guard: Guard
    platform: FakePlatform
    said: list[str]

    def repaired(self) -> list[tuple[Kind, bool]]:
        return [(told.finding.kind, told.repaired) for told in self.guard.repair()]


Guarding = Callable[..., Scene]


@pytest.fixture
def guarding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Guarding:
    """Return what sets a guard on an endpoint."""

    def make(endpoint: Endpoint | None, *, later: timedelta = timedelta(0), failing: tuple[str, ...] = ()) -> Scene:
        platform, said = FakePlatform(endpoint), list[str]()
        monkeypatch.setattr(
            "deployment.takeback.ScoringClient", lambda *_, **__: FakeScoring(platform, failing=failing)
        )
        journal = make_journal(tmp_path, Phase.OBSERVED, {})
        taking = TakeBack(platform, SETTINGS, None, journal, "https://ci.test/9", over_all_heads=False)

        def now() -> datetime:
            return utc_now() + later

        aftercare = Aftercare(PatientPlatform(platform, patience_s=0.05), SETTINGS, said.append, now)
        return Scene(Guard(taking, aftercare, now), platform, said)

    return make


@pytest.mark.parametrize(
    "record",
    [under_way(), make_record(Phase.PASSED), promoted(), make_record(Phase.FROZEN, routing=Routing(SPLIT))],
    ids=["shifting", "passed", "soaking", "frozen"],
)
def test_nothing_is_touched_while_somebody_looks_after_it(record: Record, guarding: Guarding) -> None:
    scene = guarding(on_endpoint(record))
    left = scene.platform.there()
    assert scene.guard.look() == ()
    assert scene.guard.repair() == ()
    assert scene.platform.there() is left


def test_looking_alone_touches_nothing(guarding: Guarding) -> None:
    scene = guarding(on_endpoint(silent(under_way())))
    left = scene.platform.there()
    assert [each.kind for each in scene.guard.look()] == [Kind.SILENT]
    assert scene.platform.there() is left


def test_an_endpoint_that_does_not_exist_needs_no_guard(guarding: Guarding) -> None:
    scene = guarding(None)
    assert scene.guard.look() == ()
    assert scene.guard.repair() == ()


def test_a_silent_release_is_aborted_and_its_candidate_then_deleted(guarding: Guarding) -> None:
    scene = guarding(on_endpoint(silent(under_way())))
    assert scene.repaired() == [(Kind.SILENT, True), (Kind.LEFT_OVER, True)]
    assert scene.platform.there().traffic == BLUE_LIVE
    assert set(scene.platform.there().deployments) == {"blue"}
    assert (record_on(scene.platform).phase, record_on(scene.platform).past[0].outcome) == (
        Phase.ROLLED_BACK,
        "rolled back",
    )
    assert scene.said[0] == "green deleted: it had no traffic"
    assert scene.guard.look() == ()


def test_a_silent_release_without_traffic_ends_as_stopped(guarding: Guarding) -> None:
    scene = guarding(on_endpoint(silent(make_record(Phase.MEASURED))))
    (told, _) = scene.guard.repair()
    assert told.said == "aborted: blue 100 %, as before: the candidate had no traffic"
    assert record_on(scene.platform).phase is Phase.REFUSED


def test_a_silent_release_whose_live_is_sick_is_left_to_a_person(guarding: Guarding) -> None:
    scene = guarding(on_endpoint(silent(under_way())), failing=("blue",))
    (told,) = scene.guard.repair()
    assert (told.finding.kind, told.repaired) == (Kind.SILENT, False)
    assert "no safe way back: blue answers status 424" in told.said
    assert scene.platform.there().traffic == SPLIT


def test_a_release_that_comes_back_between_two_looks_is_left_alone(guarding: Guarding) -> None:
    scene = guarding(on_endpoint(silent(under_way())))
    finding = scene.guard.look()[0]
    scene.platform.endpoint = left = on_endpoint(under_way())
    told = scene.guard.repaired(finding)
    assert told.said == "somebody has come back for it meanwhile"
    assert scene.platform.there() is left


def test_a_release_that_comes_back_during_the_repair_is_not_written_over(guarding: Guarding) -> None:
    scene = guarding(on_endpoint(silent(under_way())))
    back = on_endpoint(replace(under_way(), holder="resumed #2"))

    def comes_back(_: Routing) -> None:
        scene.platform.endpoint = back

    scene.platform.before_write = comes_back
    (told,) = scene.guard.repair()
    assert not told.repaired
    assert "it is held by resumed #2" in told.said
    assert scene.platform.there() is back


def test_traffic_goes_back_to_what_the_last_release_left_and_its_record_stays(guarding: Guarding) -> None:
    scene = guarding(on_endpoint(promoted(), traffic={"green": 60, "blue": 40}))
    before = record_on(scene.platform)
    (told,) = scene.guard.repair()
    assert told.repaired
    assert told.said.startswith("traffic as the last release left it: green 100 %: 40 of 40 probes")
    assert scene.platform.there().traffic == GREEN_LIVE
    after = record_on(scene.platform)
    assert (after.phase, after.kept, after.kept_until, after.past) == (
        before.phase,
        before.kept,
        before.kept_until,
        before.past,
    )


def test_mirroring_that_no_release_does_is_ended(guarding: Guarding) -> None:
    scene = guarding(on_endpoint(promoted(), traffic=GREEN_LIVE, mirror={"blue": 10}))
    assert scene.repaired() == [(Kind.SPLIT, True)]
    assert scene.platform.there().routing == Routing(GREEN_LIVE)


@pytest.mark.parametrize(
    "record",
    [None, make_record(Phase.REFUSED, live="", routing=Routing({}))],
    ids=["no release", "a first release that was refused"],
)
def test_where_no_record_says_who_is_to_have_the_traffic_nobody_guesses(
    record: Record | None, guarding: Guarding
) -> None:
    scene = guarding(on_endpoint(record, traffic=SPLIT))
    left = scene.platform.there()
    (told,) = scene.guard.repair()
    assert (told.repaired, told.said) == (False, "not repaired: no record says who is to have the traffic")
    assert scene.platform.there() is left


def test_traffic_is_not_given_to_a_deployment_that_is_sick(guarding: Guarding) -> None:
    scene = guarding(on_endpoint(promoted(), traffic=SPLIT), failing=("green",))
    (told,) = scene.guard.repair()
    assert not told.repaired
    assert "green answers status 424 where 200 is needed" in told.said
    assert scene.platform.there().traffic == SPLIT


def test_a_split_that_somebody_has_ended_meanwhile_is_no_more_one(guarding: Guarding) -> None:
    scene = guarding(on_endpoint(promoted(), traffic=SPLIT))
    finding = scene.guard.look()[0]
    scene.platform.endpoint = left = on_endpoint(promoted())
    told = scene.guard.repaired(finding)
    assert (told.repaired, told.said) == (True, "somebody has changed it meanwhile")
    assert scene.platform.there() is left


def test_what_is_past_its_soak_is_finished(guarding: Guarding) -> None:
    scene = guarding(on_endpoint(promoted()), later=timedelta(hours=2))
    assert scene.repaired() == [(Kind.LEFT_OVER, True)]
    assert set(scene.platform.there().deployments) == {"green"}
    assert record_on(scene.platform).phase is Phase.DONE


def test_finishing_alone_deletes_what_is_left_over(guarding: Guarding) -> None:
    scene = guarding(on_endpoint(refused()))
    (told,) = scene.guard.repair((Kind.LEFT_OVER,))
    assert (told.finding.kind, told.repaired, told.said) == (Kind.LEFT_OVER, True, "finished")
    assert set(scene.platform.there().deployments) == {"blue"}


@pytest.mark.parametrize(
    "endpoint",
    [
        on_endpoint(silent(under_way())),
        on_endpoint(promoted(), traffic={"green": 60, "blue": 40}),
        replace(on_endpoint(refused()), tags={"release_phase": "?"}),
    ],
    ids=["silent", "split", "damaged"],
)
def test_finishing_alone_tells_of_the_other_kinds_and_touches_nothing(endpoint: Endpoint, guarding: Guarding) -> None:
    scene = guarding(endpoint)
    left = scene.platform.there()
    told = scene.guard.repair((Kind.LEFT_OVER,))
    assert [(each.repaired, each.said) for each in told] == [(False, "")]
    assert [each.finding for each in told] == list(scene.guard.look())
    assert scene.platform.there() is left


def test_what_finish_refuses_is_told(guarding: Guarding) -> None:
    scene = guarding(on_endpoint(refused(), traffic=GREEN_LIVE))
    (told,) = scene.guard.repair()
    assert not told.repaired
    assert "not repaired: endpoint fake: traffic is green 100 % where release r-2 left blue 100 %" in told.said
    assert set(scene.platform.there().deployments) == {"blue", "green"}


def test_a_platform_that_refuses_is_told(guarding: Guarding) -> None:
    scene = guarding(on_endpoint(refused()))

    def refuse(_: Routing) -> None:
        raise TransientError("endpoint: 429")

    scene.platform.before_write = refuse
    (told,) = scene.guard.repair()
    assert (told.repaired, told.said) == (False, "not repaired: endpoint: 429")


def test_damaged_tags_are_left_to_a_person(guarding: Guarding) -> None:
    scene = guarding(replace(on_endpoint(refused()), tags={"release_phase": "?"}))
    (told,) = scene.guard.repair()
    assert (told.finding.kind, told.repaired) == (Kind.DAMAGED, False)
    assert "would be a guess" in told.said

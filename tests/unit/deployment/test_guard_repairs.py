"""What a guard does about what nobody looks after."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from deployment.aftercare import Aftercare
from deployment.guarding import Guard, Kind
from deployment.outcomes import TransientError
from deployment.patience import PatientPlatform
from deployment.phases import Phase
from deployment.platform import Endpoint, Routing
from deployment.record import Record, utc_now
from deployment.takeback import TakeBack
from tests.lib.release_fakes import FakePlatform, FakeScoring, make_journal, make_record
from tests.unit.deployment.guarding_scene import on_endpoint, refused
from tests.unit.deployment.scene import (
    BLUE_LIVE,
    GREEN_LIVE,
    SETTINGS,
    record_on,
    silent,
)
from tests.unit.deployment.takeback_scene import SPLIT, promoted, under_way

pytestmark = pytest.mark.unit


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
    "record_of",
    [
        under_way,
        partial(make_record, Phase.PASSED),
        promoted,
        partial(make_record, Phase.FROZEN, routing=Routing(SPLIT)),
    ],
    ids=["shifting", "passed", "soaking", "frozen"],
)
def test_nothing_is_touched_while_somebody_looks_after_it(record_of: Callable[[], Record], guarding: Guarding) -> None:
    scene = guarding(on_endpoint(record_of()))
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

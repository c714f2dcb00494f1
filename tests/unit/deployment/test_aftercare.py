"""What is left to do once a release has ended: the way back is closed, or everything is taken down."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from deployment.aftercare import Aftercare
from deployment.outcomes import BadInputError, Outcome, PlatformError
from deployment.patience import PatientPlatform
from deployment.phases import ENDED, Phase
from deployment.platform import RELEASE_ID_TAG, Deployment, Endpoint, Routing
from deployment.record import Record, stamp, utc_now
from deployment.settings import Afterwards, ReleaseSettings, SoakSettings
from tests.lib.release_fakes import FakePlatform, colour, make_record
from tests.unit.deployment.scene import (
    BLUE_LIVE,
    GREEN_LIVE,
    SETTINGS,
    a_release,
    a_rollout,
    an_endpoint,
    record_on,
    with_record,
)

pytestmark = pytest.mark.unit

SOAK_S = 3600.0
AFTER_THE_SOAK = timedelta(seconds=SOAK_S + 1)
SCALING = SETTINGS.model_copy(update={"soak": SoakSettings(afterwards=Afterwards.SCALE, instances=1)})


def promoted() -> Record:
    record = make_record(Phase.SHIFTING, routing=Routing(GREEN_LIVE))
    return record.ended(Phase.PROMOTED, Outcome.PROMOTED, utc_now(), keep_warm_s=SOAK_S)


def on_endpoint(
    record: Record | None, deployments: Mapping[str, Deployment] | None = None, traffic: Mapping[str, int] = GREEN_LIVE
) -> FakePlatform:
    there = deployments or {name: replace(colour(name), instance_count=3) for name in ("blue", "green")}
    there = {name: replace(found, tags={RELEASE_ID_TAG: "r-1"}) for name, found in there.items()}
    endpoint = Endpoint("fake", "http://127.0.0.1:9/score", traffic, {}, there, {"owner": "somebody"})
    if record is None:
        return FakePlatform(endpoint)
    found = with_record(endpoint, record)
    return FakePlatform(replace(found, tags={**endpoint.tags, **found.tags}))


def care(
    platform: FakePlatform, *, later: timedelta = timedelta(0), settings: ReleaseSettings = SETTINGS
) -> tuple[Aftercare, list[str]]:
    said: list[str] = []

    def now() -> datetime:
        return utc_now() + later

    return Aftercare(PatientPlatform(platform, patience_s=0.05), settings, said.append, now), said


def test_before_the_soak_is_over_the_way_back_stays_open() -> None:
    platform = on_endpoint(promoted())
    left = platform.there()
    aftercare, said = care(platform)
    aftercare.finish(at_once=False)
    assert platform.there() is left
    kept_until = record_on(platform).kept_until
    assert kept_until is not None
    assert said == [f"blue stays warm until {stamp(kept_until)}, the way back of release r-2"]


@pytest.mark.parametrize(("later", "at_once"), [(AFTER_THE_SOAK, False), (timedelta(0), True)], ids=["later", "--now"])
def test_after_the_soak_or_at_once_the_way_back_is_closed(later: timedelta, *, at_once: bool) -> None:
    platform = on_endpoint(promoted())
    aftercare, said = care(platform, later=later)
    aftercare.finish(at_once=at_once)
    assert set(platform.there().deployments) == {"green"}
    assert platform.there().traffic == GREEN_LIVE
    record = record_on(platform)
    assert (record.phase, record.kept, record.kept_until) == (Phase.DONE, "", None)
    assert [entry.outcome for entry in record.past] == ["promoted"]
    assert platform.there().tags["owner"] == "somebody"
    assert said == ["blue deleted: it had no traffic", "endpoint fake: green 100 %"]


def test_it_may_be_repeated() -> None:
    platform = on_endpoint(promoted())
    for _ in range(2):
        aftercare, said = care(platform, later=AFTER_THE_SOAK)
        aftercare.finish(at_once=False)
    assert said == ["endpoint fake: green 100 %"]
    assert record_on(platform).phase is Phase.DONE


def test_it_goes_on_where_it_was_killed() -> None:
    platform = on_endpoint(promoted())
    platform.delete_deployment("blue")
    care(platform, later=AFTER_THE_SOAK)[0].finish(at_once=False)
    assert record_on(platform).phase is Phase.DONE


def test_a_deployment_can_be_scaled_down_instead_and_only_once() -> None:
    platform = on_endpoint(promoted())
    aftercare, said = care(platform, later=AFTER_THE_SOAK, settings=SCALING)
    aftercare.finish(at_once=False)
    assert platform.there().deployments["blue"].instance_count == 1
    assert platform.there().deployments["green"].instance_count == 3
    assert said[0] == "blue scaled from 3 to 1 instances"
    aftercare.finish(at_once=False)
    assert len(said) == 3
    assert set(platform.there().deployments) == {"blue", "green"}


def test_a_broken_deployment_is_deleted_even_where_others_are_scaled() -> None:
    platform = on_endpoint(promoted(), {"blue": colour("blue", "Failed"), "green": colour("green")})
    care(platform, later=AFTER_THE_SOAK, settings=SCALING)[0].finish(at_once=False)
    assert set(platform.there().deployments) == {"green"}


def test_what_a_refused_release_left_is_deleted() -> None:
    record = make_record(Phase.OBSERVED).ended(Phase.REFUSED, Outcome.REFUSED_BY_GATE, utc_now())
    platform = on_endpoint(record, traffic=BLUE_LIVE)
    care(platform)[0].finish(at_once=False)
    assert set(platform.there().deployments) == {"blue"}
    assert record_on(platform).phase is Phase.REFUSED


def test_an_endpoint_that_no_release_has_held_is_tidied_too() -> None:
    platform = on_endpoint(None, traffic={"blue": 40, "green": 60})
    care(platform)[0].finish(at_once=False)
    assert set(platform.there().deployments) == {"blue", "green"}


@pytest.mark.parametrize("phase", sorted(set(Phase) - ENDED))
@pytest.mark.parametrize("what", ["finish", "finish --now", "teardown"])
def test_while_a_release_is_under_way_nothing_is_taken_from_it(phase: Phase, what: str) -> None:
    platform = on_endpoint(make_record(phase))
    left = platform.there()
    aftercare, said = care(platform, later=timedelta(days=30))
    with pytest.raises(BadInputError, match=rf"release r-2 is under way \({phase}\).*resume.*abort"):
        aftercare.teardown(force=False) if what == "teardown" else aftercare.finish(at_once=what == "finish --now")
    assert platform.there() is left
    assert said == []


def test_the_endpoint_goes_with_all_that_is_on_it() -> None:
    platform = on_endpoint(promoted())
    aftercare, said = care(platform)
    aftercare.teardown(force=False)
    assert platform.observe() is None
    assert said == ["endpoint fake deleted, with blue, green"]


def test_an_endpoint_that_nobody_can_go_on_with_can_be_taken_down_by_force() -> None:
    frozen = on_endpoint(make_record(Phase.FROZEN))
    care(frozen)[0].teardown(force=True)
    assert frozen.observe() is None
    damaged = on_endpoint(promoted())
    damaged.endpoint = replace(damaged.there(), tags={"release_phase": "nonsense"})
    with pytest.raises(BadInputError, match="cannot be read"):
        care(damaged)[0].teardown(force=False)
    care(damaged)[0].teardown(force=True)
    assert damaged.observe() is None


def test_what_others_have_deployed_is_theirs() -> None:
    platform = on_endpoint(promoted())
    theirs = replace(platform.there(), deployments={**platform.there().deployments, "probe": colour("probe")})
    platform.endpoint = theirs
    care(platform)[0].finish(at_once=True)
    assert set(platform.there().deployments) == {"green", "probe"}


def test_traffic_that_somebody_has_set_by_hand_is_not_tidied_up_behind_them() -> None:
    platform = on_endpoint(promoted())
    platform.endpoint = replace(platform.there(), traffic=BLUE_LIVE)
    with pytest.raises(BadInputError, match="traffic is blue 100 % where release r-2 left green 100 %"):
        care(platform)[0].finish(at_once=True)
    assert set(platform.there().deployments) == {"blue", "green"}


def test_there_is_nothing_to_finish_on_an_endpoint_that_does_not_exist() -> None:
    with pytest.raises(PlatformError, match="endpoint: it does not exist"):
        care(FakePlatform(None))[0].finish(at_once=True)


def test_the_next_release_may_begin_once_the_way_back_was_given_up(tmp_path: Path) -> None:
    platform = FakePlatform(an_endpoint())
    a_rollout(platform, tmp_path / "r-2").promote()
    following = a_release("r-3")
    with pytest.raises(BadInputError, match=r"blue is kept warm until .* give it up with `python -m deployment finish"):
        a_rollout(platform, tmp_path / "r-3", release=following).promote()
    care(platform)[0].finish(at_once=True)
    assert a_rollout(platform, tmp_path / "r-3", release=following).promote().outcome is Outcome.PROMOTED
    assert record_on(platform).kept == "green"


def test_a_finished_release_that_is_started_again_stays_promoted(tmp_path: Path) -> None:
    platform = FakePlatform(an_endpoint())
    a_rollout(platform, tmp_path).promote()
    care(platform)[0].finish(at_once=True)
    left = platform.there()
    assert a_rollout(platform, tmp_path).promote().outcome is Outcome.PROMOTED
    assert platform.there() is left

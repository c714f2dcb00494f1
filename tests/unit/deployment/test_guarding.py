"""What nobody looks after on an endpoint."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from deployment.guarding import Finding, Kind, find
from deployment.phases import ENDED, Phase
from deployment.platform import Endpoint, Routing, Traffic
from deployment.record import Record, utc_now
from deployment.settings import SoakSettings
from tests.lib.release_fakes import colour, make_record
from tests.unit.deployment.guarding_scene import BOTH, SCALING, on_endpoint, refused
from tests.unit.deployment.scene import (
    BLUE_LIVE,
    GREEN_LIVE,
    SETTINGS,
    an_endpoint,
    silent,
)
from tests.unit.deployment.takeback_scene import SPLIT, promoted, under_way

pytestmark = pytest.mark.unit


def kinds(endpoint: Endpoint, *, now: datetime | None = None, soak: SoakSettings | None = None) -> list[Kind]:
    settings = SETTINGS.model_copy(update={"soak": soak or SoakSettings()})
    return [each.kind for each in find(endpoint, settings, now or utc_now())]


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
    (finding,) = find(on_endpoint(silent(under_way())), SETTINGS, utc_now())
    assert finding.found.startswith("release r-2 is shifting with blue 90 %, green 10 %, and nobody has come back")
    assert "resume" in finding.remedy
    assert "abort" in finding.remedy


@pytest.mark.parametrize("record", [None, make_record(Phase.DONE, routing=Routing(BLUE_LIVE)), refused(), promoted()])
@pytest.mark.parametrize(("traffic", "mirror"), [(SPLIT, None), (BLUE_LIVE, {"green": 20})])
def test_traffic_that_no_release_has_split_is_found(
    record: Record | None, traffic: Traffic, mirror: Traffic | None
) -> None:
    endpoint = on_endpoint(record, traffic=traffic, mirror=mirror)
    (finding,) = find(endpoint, SETTINGS, utc_now())
    assert finding.kind is Kind.SPLIT
    assert finding.found.startswith(f"traffic is {endpoint.routing}")
    assert ("where release r-2 left" in finding.found) is (record is not None)


def test_a_refused_candidate_is_left_over_at_once() -> None:
    (finding,) = find(on_endpoint(refused()), SETTINGS, utc_now())
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
    (finding,) = find(replace(on_endpoint(refused()), tags={"release_phase": "?"}), SETTINGS, utc_now())
    assert finding.kind is Kind.DAMAGED
    assert "cannot be read" in finding.found
    assert "rollback --to NAME" in finding.remedy

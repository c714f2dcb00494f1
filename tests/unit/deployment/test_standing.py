"""Who serves, as data and as a table."""

import json
from dataclasses import replace
from datetime import timedelta
from io import StringIO

import pytest
from rich.console import Console
from rich.table import Table

from deployment.outcomes import BadInputError, Outcome
from deployment.phases import Phase
from deployment.platform import (
    DEPLOYED_AT_TAG,
    IMAGE_TAG,
    MODEL_VERSION_TAG,
    RELEASE_ID_TAG,
    Endpoint,
    Routing,
    Traffic,
)
from deployment.record import Record, stamp, utc_now
from deployment.standing import age, age_of, endpoint_standing, history_table, release_line, role_of, status_table
from tests.lib.release_fakes import colour, make_record
from tests.unit.deployment.scene import BLUE_LIVE, GREEN_LIVE, IMAGE, with_record

pytestmark = pytest.mark.unit

SPLIT = {"blue": 90, "green": 10}


def endpoint(record: Record | None, traffic: Traffic) -> Endpoint:
    tags = {
        IMAGE_TAG: IMAGE,
        MODEL_VERSION_TAG: "2",
        RELEASE_ID_TAG: "r-2",
        DEPLOYED_AT_TAG: stamp(utc_now() - timedelta(hours=3)),
    }
    there = {
        "green": replace(colour("green"), tags=tags, instance_count=3),
        "blue": colour("blue"),
        "red": colour("red", "Failed"),
    }
    found = Endpoint("fake", "https://fake.test/score", traffic, {}, there)
    return with_record(found, record) if record else found


def promoted() -> Record:
    record = make_record(Phase.SHIFTING, routing=Routing(GREEN_LIVE))
    return record.ended(Phase.PROMOTED, Outcome.PROMOTED, utc_now(), keep_warm_s=3600)


def shown(found: Endpoint) -> str:
    console = Console(file=StringIO(), width=200)
    for line in status_table(found):
        console.print(line, markup=False)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_the_standing_of_an_endpoint_is_json_with_all_that_is_known() -> None:
    record = make_record(Phase.SHIFTING, routing=Routing(SPLIT))
    standing = json.loads(json.dumps(endpoint_standing(endpoint(record, SPLIT))))
    assert standing["endpoint"] == "fake"
    assert (standing["traffic"], standing["mirror_traffic"]) == (SPLIT, {})
    assert standing["release"] == {
        "release_id": "r-2",
        "phase": "shifting",
        "phase_at": record.at.isoformat(),
        "under_way": True,
        "holder": "ci #1",
        "leased_until": record.leased_until.isoformat(),
        "run_url": None,
        "kept": None,
        "kept_until": None,
    }
    blue, green, red = standing["deployments"]
    assert (blue["role"], green["role"], red["role"]) == ("live", "candidate", "idle")
    assert (blue["traffic_percent"], green["traffic_percent"], red["traffic_percent"]) == (90, 10, 0)
    assert (green["image"], green["model_version"], green["release_id"]) == (IMAGE, "2", "r-2")
    assert (green["instance_count"], red["provisioning_state"], blue["image"]) == (3, "Failed", None)


def test_an_endpoint_that_no_release_has_held_says_so() -> None:
    standing = endpoint_standing(endpoint(None, {}))
    assert standing["release"] is None
    assert [found["role"] for found in standing["deployments"]] == ["idle", "idle", "idle"]
    assert "fake: no traffic (Succeeded)" in shown(endpoint(None, {}))


def test_the_table_names_each_deployment_with_its_role_traffic_and_age() -> None:
    lines = shown(endpoint(make_record(Phase.SHIFTING, routing=Routing(SPLIT)), SPLIT)).splitlines()
    assert lines[0].strip() == "fake: blue 90 %, green 10 % (Succeeded)"
    green = next(line for line in lines if " green " in line and "candidate" in line)
    assert [word in green for word in ("10 %", "3 x Standard_DS3_v2", "b" * 12, "r-2", "3 h")] == [True] * 5
    blue = next(line for line in lines if " blue " in line and "live" in line)
    assert blue.count("?") == 4


@pytest.mark.parametrize(
    ("record", "traffic", "roles"),
    [
        (promoted(), GREEN_LIVE, {"green": "live", "blue": "warm", "red": "idle"}),
        (make_record(Phase.OBSERVED), BLUE_LIVE, {"blue": "live", "green": "candidate", "red": "idle"}),
        (make_record(Phase.REFUSED), BLUE_LIVE, {"blue": "live", "green": "idle", "red": "idle"}),
        (make_record(Phase.DONE, routing=Routing(GREEN_LIVE)), GREEN_LIVE, {"green": "live", "blue": "idle"}),
        (None, {"red": 60, "blue": 40}, {"red": "live", "blue": "idle", "green": "idle"}),
        (
            make_record(Phase.SHIFTING, routing=Routing({"blue": 10, "green": 90})),
            {"blue": 10, "green": 90},
            {"blue": "live", "green": "candidate"},
        ),
    ],
    ids=["promoted", "under way", "refused", "done", "no release", "almost shifted"],
)
def test_a_deployment_has_the_role_that_the_release_gives_it(
    record: Record | None, traffic: Traffic, roles: dict[str, str]
) -> None:
    found = endpoint(record, traffic)
    assert {name: role_of(found, found.deployments[name], record) for name in roles} == roles


def test_the_line_of_a_release_under_way_says_who_holds_it_until_when(monkeypatch: pytest.MonkeyPatch) -> None:
    record = make_record(Phase.SHIFTING)
    monkeypatch.setattr("deployment.standing.utc_now", lambda: record.at)
    assert release_line(record) == (
        f"release r-2: shifting, 0 s ago, held by ci #1 until {record.leased_until:%H:%M:%S} UTC"
    )


def test_the_line_of_a_promoted_release_says_who_is_kept_warm() -> None:
    record = promoted()
    assert record.kept_until is not None
    assert release_line(record).endswith(f"; blue stays warm until {record.kept_until:%Y-%m-%d %H:%M} UTC")


def test_damaged_tags_are_named() -> None:
    found = endpoint(make_record(Phase.SHIFTING), BLUE_LIVE)
    damaged = replace(found, tags={**found.tags, "release_phase": "?"})
    with pytest.raises(BadInputError, match="cannot be read"):
        endpoint_standing(damaged)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"), (86399, "23 h"), (86400 * 400, "400 d")],
)
def test_an_age_is_told_in_its_largest_unit(seconds: int, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now = utc_now()
    monkeypatch.setattr("deployment.standing.utc_now", lambda: now)
    assert age(now - timedelta(seconds=seconds)) == told
    assert age_of(stamp(now - timedelta(seconds=seconds))) == told


def test_an_unknown_age_is_told_as_such() -> None:
    assert age_of(None) == "?"


def test_the_history_is_a_table_with_the_latest_first() -> None:
    record = replace(promoted(), release_id="r-3").ended(Phase.ROLLED_BACK, Outcome.ROLLED_BACK, utc_now())
    table = history_table(record.past)
    assert isinstance(table, Table)
    assert table.row_count == 2
    console = Console(file=StringIO(), width=160)
    console.print(table)
    assert isinstance(console.file, StringIO)
    told = console.file.getvalue()
    assert told.index("r-3") < told.index("r-2")
    assert "rolled back" in told
    assert "promoted" in told

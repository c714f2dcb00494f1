"""What is done around releases: rollback, load-test, status, guard, teardown."""

import json

import pytest

from deployment.emulator.faults import DataFault
from tests.lib.act import Event, Run
from tests.workflows import scenarios
from tests.workflows.cloud import ALL_PERCENT, ENDPOINT, Cloud, Pushed
from tests.workflows.conftest import Stage
from tests.workflows.events import dispatch, schedule
from tests.workflows.scenarios import Scenario

pytestmark = [pytest.mark.workflows, pytest.mark.timeout(600)]  # the first test of a run also makes what all need


def play(stage: Stage, cloud: Cloud, scenario: Scenario, event: Event) -> Run:
    return stage.play(scenario, cloud.fork, event, cloud.surroundings("production-unattended"))


def asked(**inputs: str) -> Event:
    return dispatch({"environment": "production", **inputs})


def test_a_rollback_gives_who_served_before_all_traffic(
    stage: Stage, cloud: Cloud, second: Pushed, third: Pushed
) -> None:
    live = cloud.serve(third, keeping=second)
    (before,) = cloud.deployments().keys() - {live}
    run = play(stage, cloud, scenarios.ROLLBACK, asked(to=""))
    assert cloud.traffic() == {before: ALL_PERCENT}
    assert before in run.summary_of("rollback")


def test_a_rollback_to_a_deployment_that_does_not_exist_changes_nothing_and_shows_who_serves(
    stage: Stage, cloud: Cloud, second: Pushed
) -> None:
    live = cloud.serve(second)
    run = play(stage, cloud, scenarios.ROLLBACK_TO_NOBODY, asked(to="purple"))
    assert cloud.traffic() == {live: ALL_PERCENT}
    assert any("purple" in message for message in run.annotations("error"))
    assert live in run.summary_of("rollback")


def test_a_load_test_measures_who_serves_and_changes_nothing(stage: Stage, cloud: Cloud, second: Pushed) -> None:
    cloud.serve(second)
    before = cloud.endpoint()
    run = play(stage, cloud, scenarios.LOAD_TEST, asked(deployment="", profile="standard"))
    assert cloud.endpoint() == before
    assert "PASS" in run.summary_of("load")
    assert {name: each["retention_days"] for name, each in run.artifacts.items()} == {"load-test": 30}
    (report,) = run.artifacts_dir.glob("load-test/files/load-test-*/report.json")
    assert json.loads(report.read_text())["verdict"]


def test_a_load_test_of_one_that_fails_now_and_then_is_red_with_a_report(
    stage: Stage, cloud: Cloud, second: Pushed
) -> None:
    live = cloud.serve(second)
    with cloud.control.fault(DataFault(endpoint=ENDPOINT, status=503, ratio=0.15)):
        run = play(stage, cloud, scenarios.LOAD_TEST_FAILS, asked(deployment=live, profile="standard"))
    assert "FAIL" in run.summary_of("load")
    assert "load-test" in run.artifacts
    assert cloud.traffic() == {live: ALL_PERCENT}


def test_status_says_who_serves_and_what_was_released(stage: Stage, cloud: Cloud, second: Pushed) -> None:
    live = cloud.serve(second)
    run = play(stage, cloud, scenarios.STATUS, asked())
    record = cloud.record()
    assert record is not None
    summary = run.summary_of("status")
    assert live in summary
    assert record.past[0].release_id in summary


def test_the_guard_finds_nothing_on_an_endpoint_that_is_looked_after(
    stage: Stage, cloud: Cloud, second: Pushed
) -> None:
    cloud.serve(second)
    run = play(stage, cloud, scenarios.GUARD, schedule())
    assert "Nothing is left over" in run.summary_of("guard")


def test_the_guard_gives_up_a_way_back_where_somebody_asks_for_that(
    stage: Stage, cloud: Cloud, second: Pushed, third: Pushed
) -> None:
    live = cloud.serve(third, keeping=second)
    run = play(stage, cloud, scenarios.GUARD_NOW, asked(repair="false", now="true"))
    assert cloud.deployments().keys() == {live}
    assert "Nothing is left over" in run.summary_of("guard")


def test_the_guard_is_red_for_traffic_that_nobody_has_split_for_a_release(
    stage: Stage, cloud: Cloud, second: Pushed, third: Pushed
) -> None:
    live = cloud.serve(third, keeping=second)
    (other,) = cloud.deployments().keys() - {live}
    split = {live: 60, other: 40}
    cloud.set_traffic(split)
    run = play(stage, cloud, scenarios.GUARD_SPLIT, asked(repair="false"))
    assert cloud.traffic() == split
    assert "traffic without a release" in run.summary_of("guard")
    assert any(live in message for message in run.annotations("warning"))


def test_a_teardown_takes_the_endpoint_with_all_deployments(stage: Stage, cloud: Cloud, second: Pushed) -> None:
    cloud.serve(second)
    play(stage, cloud, scenarios.TEARDOWN, asked(confirmation=ENDPOINT))
    assert cloud.endpoint() == {}
    assert cloud.deployments() == {}


def test_a_teardown_that_is_not_confirmed_touches_nothing(stage: Stage, cloud: Cloud, second: Pushed) -> None:
    live = cloud.serve(second)
    play(stage, cloud, scenarios.TEARDOWN_REFUSED, asked(confirmation="yes"))
    assert cloud.traffic() == {live: ALL_PERCENT}

"""promote: whole releases on an emulated workspace, and each thing that stops one."""

import json
import re
from collections.abc import Iterator

import pytest

from deployment.emulator.faults import ControlFault, DataFault, EndOperation
from deployment.phases import Phase
from tests.lib.act import Run, Started, Surroundings
from tests.lib.emulator import wait_until
from tests.lib.fork import Fork
from tests.workflows import scenarios
from tests.workflows.cloud import ALL_PERCENT, APPROVER, ENDPOINT, Cloud, Pushed
from tests.workflows.conftest import Stage
from tests.workflows.events import dispatch
from tests.workflows.scenarios import Scenario

pytestmark = [pytest.mark.workflows, pytest.mark.timeout(600)]  # the first test of a run also makes what all need
ASKED = {
    "image": "",
    "environment": "production",
    "profile": "standard",
    "steps": "",
    "dry_run": "false",
    "confirmation": ENDPOINT,
}


@pytest.fixture
def calm(cloud: Cloud) -> Iterator[Cloud]:
    """The cloud, without the faults of a test once it has ended."""
    yield cloud
    cloud.control.clear()


def promote(stage: Stage, cloud: Cloud, scenario: Scenario, *, visibility: str = "private", **asked: str) -> Run:
    """Promote from main, as somebody asks for it."""
    return stage.judge(scenario, begin(stage, cloud, scenario, visibility=visibility, **asked))


def begin(stage: Stage, cloud: Cloud, scenario: Scenario, *, visibility: str = "private", **asked: str) -> Started:
    surroundings = cloud.surroundings("production-unattended")
    return stage.start(scenario, cloud.fork, dispatch({**ASKED, **asked}, visibility), surroundings)


def test_the_first_release_takes_what_main_has_pushed_verifies_it_and_gives_it_all_traffic(
    stage: Stage, cloud: Cloud, built: Run
) -> None:
    cloud.empty()
    pushed = built.told.jobs["push"].outputs["publish.image"]
    run = promote(stage, cloud, scenarios.FIRST_RELEASE, visibility="public")
    assert run.told.jobs["preflight"].outputs["fetch.image"] == pushed
    assert cloud.deployments() == {cloud.live(): pushed}
    assert f"attestation verify oci://{pushed}" in "\n".join(stage.workbench.gh_calls)
    record = cloud.record()
    assert record is not None
    assert record.release_id == f"run-{run.run_id}"
    assert record.run_url == f"https://github.com/acme/diabetes/actions/runs/{run.run_id}"
    assert "promoted" in run.summary_of("shift").lower()
    assert cloud.live() in run.summary_of("finish")


def test_every_phase_hands_the_release_on_and_the_report_is_one_click_away(
    stage: Stage, cloud: Cloud, second: Pushed
) -> None:
    before = cloud.serve(second)
    run = promote(stage, cloud, scenarios.SECOND_RELEASE, image=second.digest, profile="smoke", steps="20,100")
    after = cloud.live()
    assert after != before
    assert cloud.deployments()[after] == second.image
    # It stays, as the way back, and the last job says so.
    assert cloud.deployments().keys() == {before, after}
    assert f"{before} stays warm" in run.told.jobs["finish"].log
    days = {name: each["retention_days"] for name, each in run.artifacts.items()}
    handed_on = dict.fromkeys(("release-checked", "release-deployed", "release-measured", "release-shifted"), 30)
    assert days == {**handed_on, "report.html": 90}
    report = run.artifact("report.html", "report.html").read_text(encoding="utf-8")
    assert f"run-{run.run_id}" in report
    url = run.told.jobs["load"].outputs["report.artifact-url"]
    assert url in run.summary_of("load")
    assert "PASS" in run.summary_of("load")
    journal = run.artifact("release-shifted", f"reports/run-{run.run_id}/journal.jsonl").read_text(encoding="utf-8")
    seen = [
        entry["traffic"]
        for line in journal.splitlines()
        if (entry := json.loads(line))["verified"] and entry["traffic"]
    ]
    shares = list(dict.fromkeys(traffic.get(after, 0) for traffic in seen if after in traffic))
    assert shares == [20, 100]


def test_a_dry_run_checks_everything_and_touches_nothing(stage: Stage, cloud: Cloud, second: Pushed) -> None:
    cloud.serve(second)
    before = cloud.endpoint()
    run = promote(stage, cloud, scenarios.DRY_RUN, image=second.digest, dry_run="true")
    assert cloud.endpoint() == before
    assert "core quota" in run.summary_of("preflight")
    assert APPROVER in run.summary_of("preflight")


def test_a_wrong_name_a_branch_and_a_stranger_are_told_at_once_and_nothing_is_touched(
    stage: Stage, cloud: Cloud, connected: Fork
) -> None:
    found = cloud.surroundings("production-unattended")
    surroundings = Surroundings({**found.variables, "PROMOTERS": "alice, bob"}, found.environment)
    asked = {**ASKED, "confirmation": "Diabetes", "steps": "50,10", "profile": "none"}
    fork = connected
    run = stage.play(scenarios.WRONG_CONFIRMATION, fork, dispatch(asked, ref="refs/heads/topic"), surroundings)
    told = " ".join(run.annotations("error"))
    for each in ("confirmation", "ref", "actor: octocat", "steps", "profile"):
        assert each in told
    assert not [call for call in stage.workbench.az_calls if "none" in call]


def test_an_image_that_no_workflow_of_main_has_attested_is_not_deployed(
    stage: Stage, cloud: Cloud, second: Pushed
) -> None:
    before = cloud.endpoint()
    run = promote(stage, cloud, scenarios.NOT_ATTESTED, visibility="public", image=second.digest)
    assert cloud.endpoint() == before
    assert any("attestation" in message for message in run.annotations("error"))


def test_a_slow_candidate_is_refused_by_the_gate_and_live_keeps_all_traffic(
    stage: Stage, cloud: Cloud, second: Pushed, slow: Pushed
) -> None:
    live = cloud.serve(second)
    run = promote(stage, cloud, scenarios.SLOW_CANDIDATE, image=slow.digest)
    assert cloud.live() == live
    assert "FAIL" in run.summary_of("load")
    (refused,) = run.annotations("error")
    # On a busy machine its requests pile up until the endpoint refuses some.
    assert re.search(r"is too slow|fails too often", refused)
    assert "report.html" in run.artifacts
    record = cloud.record()
    assert record is not None
    assert record.phase is Phase.REFUSED


def test_a_candidate_that_never_becomes_ready_is_refused_with_its_log(
    stage: Stage, cloud: Cloud, second: Pushed, wrong: Pushed
) -> None:
    live = cloud.serve(second)
    run = promote(stage, cloud, scenarios.NEVER_READY, image=wrong.digest)
    assert cloud.live() == live
    assert "golden" in run.summary_of("deploy")
    assert any("did not become ready" in message for message in run.annotations("error"))


def test_a_platform_that_refuses_the_deployment_leaves_live_as_it_was(
    stage: Stage, calm: Cloud, second: Pushed
) -> None:
    live = calm.serve(second)
    calm.control.add(
        ControlFault(call="deployments.put", effect=EndOperation(ends="Failed", code="OutOfCapacity"), times=None)
    )
    run = promote(stage, calm, scenarios.PLATFORM_REFUSES, image=second.digest)
    assert calm.live() == live
    assert any("OutOfCapacity" in message for message in run.annotations("error"))


def test_a_candidate_that_fails_under_traffic_is_taken_back_at_once(stage: Stage, calm: Cloud, second: Pushed) -> None:
    live = calm.serve(second)
    started = begin(stage, calm, scenarios.BREACH, image=second.digest, profile="soak")
    candidate = wait_for_traffic(calm, live, started)
    calm.control.add(DataFault(endpoint=ENDPOINT, deployment=candidate, status=500))
    run = stage.judge(scenarios.BREACH, started)
    assert calm.traffic() == {live: ALL_PERCENT}
    (told,) = run.annotations("error")
    assert told.startswith("Breach at ")
    record = calm.record()
    assert record is not None
    assert record.phase is Phase.ROLLED_BACK


def test_a_release_that_is_cancelled_under_traffic_gives_it_back(stage: Stage, calm: Cloud, second: Pushed) -> None:
    live = calm.serve(second)
    started = begin(stage, calm, scenarios.CANCELLED, image=second.digest, profile="soak")
    wait_for_traffic(calm, live, started)
    started.cancel()
    run = stage.judge(scenarios.CANCELLED, started)
    assert calm.traffic() == {live: ALL_PERCENT}
    assert "Roll back" in run.told.jobs["shift"].executed
    record = calm.record()
    assert record is not None
    assert record.phase is Phase.ROLLED_BACK


def wait_for_traffic(cloud: Cloud, live: str, started: Started) -> str:
    """Return who shares the traffic with live, once somebody does; fails where the run ends before."""
    shares: set[str] = set()

    def is_shared() -> bool:
        shares.update(cloud.traffic().keys() - {live})
        return bool(shares) or started.process.poll() is not None

    wait_until(is_shared, 120)
    (candidate,) = shares
    return candidate

"""security: workflows, locks and image against what is known."""

import json
from pathlib import Path

import pytest

from tests.lib.act import Surroundings
from tests.lib.fork import Fork
from tests.lib.osv import Osv, running_osv
from tests.workflows import scenarios
from tests.workflows.conftest import Stage
from tests.workflows.events import dispatch, pull_request

pytestmark = [pytest.mark.workflows, pytest.mark.timeout(600)]  # the first test of a run also makes what all need


def surroundings(osv: Osv, **further: str) -> Surroundings:
    return Surroundings(
        environment={"PIP_AUDIT_VULNERABILITY_SERVICE": "osv", "PIP_AUDIT_OSV_URL": f"{osv.url}/v1/query", **further}
    )


def test_where_nothing_is_known_everything_is_green_and_the_score_is_kept(stage: Stage, template: Fork) -> None:
    with running_osv({}) as osv:
        run = stage.play(scenarios.SECURITY, template, dispatch({}, "public"), surroundings(osv))
    assert {"uvicorn", "scikit-learn", "locust", "azure-ai-ml"} <= osv.asked
    assert {name: each["retention_days"] for name, each in run.artifacts.items()} == {"image": 1, "scorecard": 30}
    assert "0 vulnerabilities" in run.told.jobs["scan"].log


def test_a_pull_request_with_a_bad_workflow_lock_or_image_is_red_in_each_place(
    stage: Stage, template: Fork, tmp_path: Path
) -> None:
    fork = template.copy_to(tmp_path / "diabetes")
    fork.replace(".github/workflows/status.yml", "permissions: {}", "permissions: write-all")
    head = fork.commit("more permissions")
    found = {"package": "uvicorn", "id": "GHSA-0000-0000-0000", "severity": "critical", "fixed_in": "99.0"}
    (tmp_path / "vulnerabilities.json").write_text(json.dumps([found]))
    with running_osv({"uvicorn": "GHSA-0000-0000-0000"}) as osv:
        run = stage.play(
            scenarios.SECURITY_FINDS,
            fork,
            pull_request(7, template.head, head),
            surroundings(osv, VULNERABILITIES=str(tmp_path / "vulnerabilities.json")),
        )
    assert "excessive-permissions" in run.told.jobs["workflows"].log
    assert "GHSA-0000-0000-0000" in run.told.jobs["dependencies"].log
    assert "GHSA-0000-0000-0000" in run.told.jobs["scan"].log

"""build-image: built once, tested, scanned, pushed and attested, or stopped on the way."""

import json
from pathlib import Path

import httpx
import pytest

from tests.lib.act import Run, Surroundings
from tests.lib.fork import Fork
from tests.lib.registry import PASSWORD, USERNAME
from tests.workflows import scenarios
from tests.workflows.cloud import Cloud
from tests.workflows.conftest import Stage
from tests.workflows.events import push

pytestmark = [pytest.mark.workflows, pytest.mark.timeout(600)]  # the first test of a run also makes what all need


def manifest(cloud: Cloud, name: str, reference: str) -> httpx.Response:
    accepted = {"accept": "application/vnd.docker.distribution.manifest.v2+json"}
    url = f"http://{cloud.registry.host}/v2/{name}/manifests/{reference}"
    return httpx.get(url, headers=accepted, auth=(USERNAME, PASSWORD), trust_env=False)


def test_what_was_tested_is_what_the_registry_has_under_the_commit_and_the_branch(
    built: Run, cloud: Cloud, connected: Fork
) -> None:
    push_job, tested = built.told.jobs["push"], built.told.jobs["build"].outputs["build.image"]
    host, _, name = push_job.outputs["publish.name"].partition("/")
    digest = push_job.outputs["publish.digest"]
    assert host == cloud.registry.host
    assert push_job.outputs["publish.image"] == f"{host}/{name}@{digest}"
    by_digest = manifest(cloud, name, digest).raise_for_status()
    assert by_digest.json()["config"]["digest"] == tested.partition("@")[2]
    for tag in (connected.head, "main"):
        assert manifest(cloud, name, tag).headers["docker-content-digest"] == digest
    assert digest in built.summary_of("push")


def test_the_list_of_what_is_in_the_image_is_handed_over_for_a_week(built: Run) -> None:
    listed = json.loads(built.artifact("image", "sbom.spdx.json").read_text())
    assert {"scikit-learn", "uvicorn"} <= {each["name"] for each in listed["packages"]}
    assert {name: each["retention_days"] for name, each in built.artifacts.items()} == {"image": 7}


def test_both_attestations_are_of_the_digest_that_was_pushed(built: Run, stage: Stage) -> None:
    digest = built.told.jobs["push"].outputs["publish.digest"].removeprefix("sha256:")
    written = sorted((stage.workbench.folder / "attestations" / digest).glob("*.json"))
    types = [json.loads(each.read_text())["predicate_type"] for each in written]
    assert types == ["https://slsa.dev/provenance/v1", "https://spdx.dev/Document/v2.3"]


def test_who_pushes_has_logged_in_by_an_id_token_and_no_token_is_in_the_log(
    built: Run, stage: Stage, cloud: Cloud
) -> None:
    assert built.told.jobs["push"].executed_inside == ["Python", "Locked environment", "Ids", "Azure", "Registry"]
    assert f"acr login --name {cloud.registry.host}" in stage.workbench.az_calls
    log = "".join(job.log for job in built.told.jobs.values())
    assert cloud.issuer.tokens
    assert not [token for token in cloud.issuer.tokens if token in log]


def test_a_fork_without_azure_builds_and_scans_and_is_told_how_to_connect(stage: Stage, template: Fork) -> None:
    run = stage.play(scenarios.BUILD_UNCONFIGURED, template, push("private"))
    assert "not connected" in run.summary_of("configured")
    assert "sbom.spdx.json" in {path.name for path in run.artifacts_dir.glob("image/files/*")}


def test_something_critical_in_the_image_keeps_it_out_of_the_registry(
    stage: Stage, connected: Fork, cloud: Cloud, tmp_path: Path
) -> None:
    fork = connected.copy_to(tmp_path / "diabetes")
    commit = fork.commit_nothing("one more commit")
    found = {"package": "uvicorn", "id": "GHSA-0000-0000-0000", "severity": "critical", "fixed_in": "99.0"}
    (tmp_path / "vulnerabilities.json").write_text(json.dumps([found]))
    surroundings = cloud.surroundings(
        "registry", with_workspace=False, VULNERABILITIES=str(tmp_path / "vulnerabilities.json")
    )
    run = stage.play(scenarios.BUILD_CRITICAL, fork, push(), surroundings)
    assert any("level 'critical' or higher" in message for message in run.annotations("error"))
    assert manifest(cloud, "diabetes-byoc", commit).status_code == httpx.codes.NOT_FOUND


def test_a_model_that_misses_its_golden_requests_does_not_boot_and_a_half_connected_fork_is_told(
    stage: Stage, template: Fork, tmp_path: Path
) -> None:
    fork = template.copy_to(tmp_path / "diabetes")
    fork.replace("Makefile", "-m model train", "-m model train --variant wrong")
    fork.commit("a model that is not what it says")
    run = stage.play(scenarios.BUILD_WRONG, fork, push(), Surroundings({"ACR_LOGIN_SERVER": "mine.azurecr.io"}))
    assert "golden" in run.summary_of("build")
    assert run.artifacts == {}

"""The stand-ins refuse what the real actions, az and gh refuse: a run must not be green because they are kind."""

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lib import az_program, gh_program
from tests.lib.oidc_issuer import OidcIssuer, running_issuer, subject_of
from tests.workflows.stand_ins.attest import attest
from tests.workflows.stand_ins.azure_login import log_in
from tests.workflows.stand_ins.download_artifact import download
from tests.workflows.stand_ins.inputs import Inputs, RefusedError
from tests.workflows.stand_ins.scan_action import scan
from tests.workflows.stand_ins.scorecard_action import score
from tests.workflows.stand_ins.setup_python import set_up
from tests.workflows.stand_ins.upload_artifact import upload

pytestmark = pytest.mark.workflows
UPLOAD = {"name": "image", "path": "here", "if-no-files-found": "error", "retention-days": "1", "archive": "true"}
UPLOAD |= {"overwrite": "false"}
DIGEST = f"sha256:{'a' * 64}"
VERIFY = ["attestation", "verify", f"oci://mine/diabetes@{DIGEST}", "--repo", "acme/diabetes", "--signer-workflow"]
VERIFY += ["acme/diabetes/.github/workflows/build-image.yml", "--source-ref", "refs/heads/main"]
VERIFY += ["--deny-self-hosted-runners", "--format", "json"]


@pytest.fixture(autouse=True)
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder and the variables of a job."""
    variables = {
        "GHA_ARTIFACTS": str(tmp_path / "artifacts"),
        "GHA_ATTESTATIONS": str(tmp_path / "attestations"),
        "AZ_LOG": str(tmp_path / "az.log"),
        "GH_LOG": str(tmp_path / "gh.log"),
        "GH_TOKEN": "a token",
        "GITHUB_RUN_ID": "1",
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": "acme/diabetes",
        "GITHUB_WORKFLOW": "build-image",
        "GITHUB_REF": "refs/heads/main",
        "GITHUB_SHA": "1" * 40,
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "RUNNER_TEMP": str(tmp_path / "temp"),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for name in ("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    workspace = tmp_path / "workspace"
    (workspace / "here").mkdir(parents=True)
    monkeypatch.chdir(workspace)
    return workspace


@pytest.fixture
def issuer(monkeypatch: pytest.MonkeyPatch) -> Iterator[OidcIssuer]:
    with running_issuer() as issuer:
        for name, value in issuer.variables.items():
            monkeypatch.setenv(name, value)
        yield issuer


def given(**inputs: str) -> Inputs:
    return Inputs({name.replace("_", "-"): value for name, value in inputs.items()})


def test_an_artifact_comes_back_as_it_was_without_hidden_files(job: Path) -> None:
    (job / "here" / "deep").mkdir()
    (job / "here" / "deep" / "file").write_text("content")
    (job / "here" / ".hidden").write_text("secret")
    upload(Inputs(UPLOAD))
    download(Inputs({"name": "image", "path": "there", "merge-multiple": "false"}))
    assert [path.relative_to(job).as_posix() for path in (job / "there").rglob("*") if path.is_file()] == [
        "there/deep/file"
    ]
    outputs = dict(line.split("=", 1) for line in Path(os.environ["GITHUB_OUTPUT"]).read_text().splitlines())
    assert outputs["artifact-url"] == "https://github.com/acme/diabetes/actions/runs/1/artifacts/1"
    assert re.fullmatch("[0-9a-f]{64}", outputs["artifact-digest"])


def test_a_second_artifact_of_a_name_is_refused_unless_it_is_to_overwrite_the_first(job: Path) -> None:
    (job / "here" / "file").write_text("content")
    upload(Inputs(UPLOAD))
    with pytest.raises(RefusedError, match="409"):
        upload(Inputs(UPLOAD))
    (job / "here" / "file").write_text("other content")
    upload(Inputs({**UPLOAD, "overwrite": "true"}))
    download(Inputs({"name": "image", "path": "there", "merge-multiple": "false"}))
    assert (job / "there" / "file").read_text() == "other content"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, "No files were found"),
        ({"path": "*.md"}, "No files were found"),
        ({"path": "../two", "archive": "false"}, "only a single file"),
        ({"path": "../two", "retention-days": "91"}, "retention-days"),
        ({"path": "../two", "archive": "no"}, "YAML 1.2"),
    ],
)
def test_an_upload_that_the_real_action_refuses_is_refused(job: Path, change: dict[str, str], told: str) -> None:
    (job.parent / "two").mkdir()
    for name in ("a", "b"):
        (job.parent / "two" / name).write_text(name)
    with pytest.raises(RefusedError, match=re.escape(told)):
        upload(Inputs({**UPLOAD, **change}))


def test_one_file_as_it_is_is_called_as_the_file(job: Path) -> None:
    (job / "here" / "report.html").write_text("<p>")
    upload(Inputs({**UPLOAD, "name": "artifact", "path": "here/report.html", "archive": "false"}))
    download(given(name="report.html", path="there"))
    assert (job / "there" / "report.html").read_text() == "<p>"


def test_an_artifact_that_nobody_has_uploaded_is_refused() -> None:
    with pytest.raises(RefusedError, match="Artifact not found for name: image"):
        download(given(name="image", path="there"))


def test_an_artifact_that_was_changed_is_refused(job: Path) -> None:
    (job / "here" / "file").write_text("content")
    upload(Inputs(UPLOAD))
    (job.parent / "artifacts" / "1" / "image" / "files" / "file").write_text("other")
    with pytest.raises(RefusedError, match="Digest mismatch"):
        download(given(name="image", path="there"))


def test_a_python_that_is_not_supported_is_refused() -> None:
    with pytest.raises(RefusedError, match=r"'3\.9'"):
        set_up(given(python_version="3.9"))


LOGIN = {"client-id": "c", "tenant-id": "t", "subscription-id": "s", "allow-no-subscriptions": "false"}
LOGIN |= {"audience": az_program.AUDIENCE}


def test_a_job_without_the_permission_cannot_log_in() -> None:
    with pytest.raises(RefusedError, match="Please make sure to give write permissions to id-token"):
        log_in(Inputs(LOGIN))


@pytest.mark.parametrize(
    ("missing", "told"), [("client-id", "Ensure 'client-id'"), ("subscription-id", "subscription-id")]
)
def test_a_login_without_ids_is_refused(missing: str, told: str) -> None:
    with pytest.raises(RefusedError, match=told):
        log_in(Inputs({**LOGIN, missing: ""}))


def az(*arguments: str) -> int:
    return az_program.main(list(arguments))


def login_with(token: str) -> int:
    return az("login", "--service-principal", "--username", "c", "--tenant", "t", "--federated-token", token)


def test_az_takes_the_token_of_the_environment_that_it_trusts_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], issuer: OidcIssuer
) -> None:
    monkeypatch.setenv("AZ_SUBJECTS", subject_of("production"))
    token = issuer.token(az_program.AUDIENCE)
    assert login_with(token) == 0
    assert az("account", "set", "--subscription", "s") == 0
    assert token not in Path(os.environ["AZ_LOG"]).read_text()
    assert login_with(issuer.token(az_program.AUDIENCE, "staging")) == 1
    assert "AADSTS700213" in capsys.readouterr().err
    assert login_with(issuer.token("sigstore")) == 1
    assert "AADSTS700212" in capsys.readouterr().err
    assert login_with("no token") == 1


def test_az_logs_docker_in_nowhere_without_its_own_login_and_to_no_other_registry(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], issuer: OidcIssuer
) -> None:
    monkeypatch.setenv("AZ_SUBJECTS", subject_of("production"))
    monkeypatch.setenv("REGISTRY_HOST", "127.0.0.1:5000")
    assert az("acr", "login", "--name", "127.0.0.1:5000") == 1
    assert "az login" in capsys.readouterr().err
    assert login_with(issuer.token(az_program.AUDIENCE)) == 0
    assert az("acr", "login", "--name", "another") == 1
    assert "could not be found" in capsys.readouterr().err


@pytest.mark.parametrize("program", [az_program.main, gh_program.main])
def test_a_call_that_nobody_has_thought_of_is_refused(program: Callable[[list[str]], int]) -> None:
    with pytest.raises(SystemExit, match="2"):
        program(["vm", "delete"])


def test_gh_verifies_what_the_workflow_of_main_has_attested(
    capsys: pytest.CaptureFixture[str], issuer: OidcIssuer
) -> None:
    assert issuer
    attest(
        Inputs({"subject-name": "mine/diabetes", "subject-digest": DIGEST, "sbom-path": "", "show-summary": "false"})
    )
    capsys.readouterr()
    assert gh_program.main(VERIFY) == 0
    (verified,) = json.loads(capsys.readouterr().out)
    assert verified["verificationResult"]["statement"]["predicateType"] == "https://slsa.dev/provenance/v1"


@pytest.mark.parametrize(
    ("variable", "value"),
    [("GITHUB_WORKFLOW", "promote"), ("GITHUB_REF", "refs/heads/topic"), ("GITHUB_REPOSITORY", "mallory/diabetes")],
)
def test_gh_refuses_what_another_workflow_branch_or_repository_has_attested(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], issuer: OidcIssuer, variable: str, value: str
) -> None:
    assert issuer
    monkeypatch.setenv(variable, value)
    attest(
        Inputs({"subject-name": "mine/diabetes", "subject-digest": DIGEST, "sbom-path": "", "show-summary": "false"})
    )
    assert gh_program.main(VERIFY) == 1
    assert "matches the expected signer" in capsys.readouterr().err


def test_gh_refuses_what_nobody_has_attested_and_whoever_has_no_token(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gh_program.main(VERIFY) == 1
    assert "no attestations found" in capsys.readouterr().err
    monkeypatch.delenv("GH_TOKEN")
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    assert gh_program.main(VERIFY) == 4


def test_attesting_needs_a_digest_a_name_and_the_permission() -> None:
    inputs = {"subject-name": "mine/diabetes", "subject-digest": DIGEST, "sbom-path": "", "show-summary": "false"}
    for change in ({"subject-digest": "latest"}, {"subject-name": ""}, {}):
        with pytest.raises(RefusedError):
            attest(Inputs({**inputs, **change}))


SCAN = {"image": "", "path": "", "sbom": "sbom.json", "fail-build": "true", "output-format": "table"}
SCAN |= {"severity-cutoff": "critical", "only-fixed": "true"}


def write_scene(job: Path, monkeypatch: pytest.MonkeyPatch, **changes: str) -> None:
    found = {"package": "uvicorn", "id": "GHSA-1", "severity": "critical", "fixed_in": "2", **changes}
    (job / "sbom.json").write_text(json.dumps({"packages": [{"name": "uvicorn", "versionInfo": "1"}]}))
    (job / "known.json").write_text(json.dumps([found]))
    monkeypatch.setenv("VULNERABILITIES", str(job / "known.json"))


def test_a_scan_fails_for_what_is_critical_can_be_mended_and_is_in_the_image(
    job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_scene(job, monkeypatch)
    with pytest.raises(RefusedError, match="level 'critical' or higher"):
        scan(Inputs(SCAN))


@pytest.mark.parametrize("changes", [{"severity": "high"}, {"fixed_in": ""}, {"package": "flask"}])
def test_a_scan_is_content_with_what_is_less(
    job: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str]
) -> None:
    write_scene(job, monkeypatch, **changes)
    scan(Inputs(SCAN))


def test_a_scan_that_may_not_fail_only_warns(
    job: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_scene(job, monkeypatch)
    scan(Inputs({**SCAN, "fail-build": "false"}))
    assert "::warning::" in capsys.readouterr().out


@pytest.mark.parametrize(
    "change", [{"sbom": ""}, {"path": "."}, {"sbom": "none.json"}, {"severity-cutoff": "bad"}, {"output-format": "xml"}]
)
def test_a_scan_that_is_asked_for_wrongly_is_refused(
    job: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, str]
) -> None:
    write_scene(job, monkeypatch)
    with pytest.raises(RefusedError):
        scan(Inputs({**SCAN, **change}))


def test_a_score_is_not_published_without_the_permission_for_it() -> None:
    with pytest.raises(RefusedError, match="id-token"):
        score(Inputs({"results_file": "x", "results_format": "sarif", "publish_results": "true"}))

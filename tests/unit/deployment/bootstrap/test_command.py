"""`python -m deployment bootstrap` as a command: its options, when it asks, and the two programs as processes."""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deployment.bootstrap.facts import Repository
from deployment.bootstrap.subjects import subjects_of
from deployment.bootstrap.wishes import SubjectForm, Wishes, default_registry, short_name
from deployment.cli import app
from deployment.outcomes import BadInputError, PlatformError
from tests.lib.recorded_programs import put_on_path
from tests.lib.shipped import SHIPPED

pytestmark = pytest.mark.unit
OURS = "AZURE", "AZUREML", "ACR_", "ARM_", "GITHUB_"


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a state, with an `az` and a `gh` on PATH that answer by it."""
    for name in tuple(os.environ):
        if name.startswith(OURS):
            monkeypatch.delenv(name)
    variables = put_on_path(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))  # and no other program
    monkeypatch.setenv("RECORDED", variables["RECORDED"])
    monkeypatch.chdir(SHIPPED)
    return Path(variables["RECORDED"])


def test_the_programs_are_called_as_processes_and_find_it_all_afterwards(recorded: Path) -> None:
    arguments = ["bootstrap", "--yes", "--no-staging", "--no-region-role", "--reviewer", "hubot"]
    first = CliRunner().invoke(app, arguments)
    assert first.exit_code == 0, first.output
    state = json.loads(recorded.read_text())
    assert list(state["environments"]) == ["registry", "production", "production-unattended"]
    assert len(state["variables"]) == 6
    dry = CliRunner().invoke(app, ["bootstrap", "--dry-run", *arguments[2:]])
    assert "nothing is to be done" in dry.output
    assert json.loads(recorded.read_text())["changes"] == state["changes"]


def test_without_a_terminal_it_shows_the_plan_and_refuses(recorded: Path) -> None:
    ended = CliRunner().invoke(app, ["bootstrap", "--no-staging"])
    assert isinstance(ended.exception, BadInputError)
    assert "there is no terminal to ask in" in str(ended.exception)
    assert "az group create" in ended.output
    assert "changes" not in json.loads(recorded.read_text())


def test_without_az_the_way_to_get_it_is_told(recorded: Path) -> None:
    (recorded.parent / "bin" / "az").unlink()
    ended = CliRunner().invoke(app, ["bootstrap", "--dry-run"])
    assert isinstance(ended.exception, PlatformError)
    assert "az: No such file or directory; install the Azure CLI" in str(ended.exception)


def test_in_the_environment_of_an_emulator_it_refuses(recorded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZUREML_CURRENT_CLOUD", "LocalAzureML")
    ended = CliRunner().invoke(app, ["bootstrap", "--dry-run"])
    assert isinstance(ended.exception, BadInputError)
    assert "AZUREML_CURRENT_CLOUD lead to an emulator" in str(ended.exception)
    assert "calls" not in json.loads(recorded.read_text())


@pytest.mark.parametrize(
    ("wishes", "told"),
    [
        ({"repository": "hello-world"}, "--repository 'hello-world' is not OWNER/REPO"),
        ({"reviewers": tuple("abcdefg")}, "7 were named where GitHub takes 6"),
        ({"registry": "my-registry.azurecr.io"}, "named by 5 to 50 letters and digits"),
    ],
    ids=["repository", "reviewers", "registry"],
)
def test_what_cannot_be_is_refused_before_anything_is_asked(wishes: dict[str, str], told: str) -> None:
    with pytest.raises(BadInputError, match=told):
        Wishes(**wishes)  # type: ignore[arg-type]


def test_a_new_registrys_name_is_the_same_at_every_run_and_another_in_every_subscription() -> None:
    name = default_registry("octocat/My_Model.Release-2026-Long-Name", "1")
    assert name == default_registry("octocat/my_model.release-2026-long-name", "1")
    assert name != default_registry("octocat/My_Model.Release-2026-Long-Name", "2")
    assert name.isalnum()
    assert name.startswith("crmymodelrelease2026")
    assert short_name("octocat/...") == "release"


def a_repository(**changes: object) -> Repository:
    known = {
        "full_name": "octo/repo",
        "id": 2,
        "owner_id": 1,
        "created_at": "2026-07-14T23:59:59Z",
        "private": False,
        "default_branch": "main",
        "is_admin": True,
    }
    return Repository(**{**known, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "form", "prefix", "why"),
    [
        ({}, "auto", "repo:octo/repo", "made on 2026-07-14, before 2026-07-15"),
        ({"created_at": "2026-07-15T00:00:00Z"}, "auto", "repo:octo@1/repo@2", "made on 2026-07-15, and since"),
        ({"immutable_subject": True}, "auto", "repo:octo@1/repo@2", "GitHub tells it (use_immutable_subject)"),
        ({"immutable_subject": False, "created_at": "2026-10-01"}, "auto", "repo:octo/repo", "GitHub tells it"),
        ({"subject_prefix": "repo:octo@1/renamed@2"}, "auto", "repo:octo@1/renamed@2", "GitHub tells it"),
        ({"subject_prefix": "repo:octo@1/repo@2"}, "name", "repo:octo/repo", "--subject-form name asks for it"),
        ({"default_subject": False}, "immutable", "repo:octo@1/repo@2", "--subject-form immutable asks for it"),
    ],
    ids=["older", "newer", "immutable", "not-immutable", "prefix", "name-asked", "immutable-asked"],
)
def test_the_subjects_form_is_what_github_tells_then_what_the_day_tells_unless_it_is_asked_for(
    changes: dict[str, object], form: str, prefix: str, why: str
) -> None:
    subjects = subjects_of(a_repository(**changes), SubjectForm(form))
    assert subjects.of("production") == f"{prefix}:environment:production"
    assert why in subjects.why


def test_a_subject_of_somebodys_own_making_is_refused_unless_its_form_is_named() -> None:
    with pytest.raises(BadInputError, match="use_default is false"):
        subjects_of(a_repository(default_subject=False), SubjectForm.AUTO)

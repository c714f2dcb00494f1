"""What doctor says of the repository on GitHub, by a recorded `gh` and `az`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from deployment.bootstrap.tools import Reader, run_tool
from deployment.doctor.repository import repository_rows
from deployment.doctor.rows import Row, Standing
from deployment.outcomes import PlatformError
from tests.lib import gh_recorded
from tests.lib.az_recorded import SUBSCRIPTION
from tests.lib.programs import put_program
from tests.unit.deployment.bootstrap.scene import Scene

pytestmark = pytest.mark.unit
CONNECTED = {
    "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
    "AZURE_RESOURCE_GROUP": "rg-hello-world",
    "AZUREML_WORKSPACE_NAME": "mlw-hello-world",
}
EVERY_BRANCH: dict[str, Any] = {"deployment_branch_policy": None}


@pytest.fixture
def connected() -> Scene:
    """A repository that bootstrap has connected, with a required check."""
    scene = Scene()
    scene.bootstrap(reviewers=("hubot",))
    scene.github["required_checks"] = {"contexts": ["required"]}
    return scene


def rows(scene: Scene, environ: Mapping[str, str] = CONNECTED) -> dict[str, Row]:
    return {row.name: row for row in repository_rows(Reader(scene.run), environ)}


def not_ok(scene: Scene) -> dict[str, Standing]:
    return {name: row.standing for name, row in rows(scene).items() if row.standing is not Standing.OK}


def test_what_bootstrap_has_connected_is_good(connected: Scene) -> None:
    found = rows(connected)
    assert {row.standing for row in found.values()} == {Standing.OK}
    assert found["environment production"].found == "for main alone; asks hubot"
    assert found["environment production-unattended"].found == "for main alone; asks nobody"
    assert found["subject"].found.startswith("repo:octocat@583231/hello-world@1296269:environment:NAME (")
    assert found["federated credentials"].found.startswith("one for each of registry, production,")
    assert found["required check"].found == "main waits for required"


def test_nothing_is_changed(connected: Scene) -> None:
    connected.forget_changes()
    rows(connected)
    assert connected.changes == []


def test_a_fresh_repository_is_not_connected_and_has_one_thing_to_set_up_on_github() -> None:
    assert not_ok(Scene()) == {"environments": Standing.SKIPPED, "required check": Standing.WARN}


def test_an_environment_that_every_branch_may_use_is_named(connected: Scene) -> None:
    unprotected = gh_recorded.an_environment("staging", EVERY_BRANCH)
    connected.github["environments"]["staging"] = unprotected
    row = rows(connected)["environment staging"]
    assert row.standing is Standing.WARN
    assert row.found == "unprotected: every branch may use it, and so the identity"


def test_an_environment_that_other_branches_may_use_is_named(connected: Scene) -> None:
    connected.github["policies"]["registry"].append({"id": 9, "name": "v*", "type": "tag"})
    assert "the tag v* may use it" in rows(connected)["environment registry"].found


def test_an_environment_that_protected_branches_may_use_is_named(connected: Scene) -> None:
    protected = {"deployment_branch_policy": {"protected_branches": True, "custom_branch_policies": False}}
    connected.github["environments"]["registry"] = gh_recorded.an_environment("registry", protected)
    assert "every protected branch may use it" in rows(connected)["environment registry"].found


def test_production_without_reviewers_is_a_warning_unless_promoters_are_named(connected: Scene) -> None:
    connected.github["environments"]["production"]["protection_rules"] = []
    row = rows(connected)["environment production"]
    assert (row.standing, "nobody is asked before traffic moves" in row.found) == (Standing.WARN, True)
    connected.github["variables"]["PROMOTERS"] = "octocat"
    assert rows(connected)["environment production"].standing is Standing.OK


def test_a_missing_environment_is_a_warning_and_no_staging_is_a_choice(connected: Scene) -> None:
    for name in ("registry", "staging", "staging-unattended"):
        del connected.github["environments"][name]
    assert not_ok(connected) == {
        "environment registry": Standing.WARN,
        "environment staging": Standing.SKIPPED,
        "environment staging-unattended": Standing.SKIPPED,
    }


def test_variables_that_are_missing_are_named(connected: Scene) -> None:
    del connected.github["variables"]["AZURE_TENANT_ID"], connected.github["variables"]["ACR_LOGIN_SERVER"]
    assert rows(connected)["variables"].found == "not set for the repository: AZURE_TENANT_ID, ACR_LOGIN_SERVER"


def test_a_repository_that_was_renamed_is_trusted_no_more(connected: Scene) -> None:
    connected.github["subject"] = {"use_default": True, "sub_claim_prefix": "repo:octocat@583231/renamed@1296269"}
    row = rows(connected)["federated credentials"]
    assert row.standing is Standing.FAIL
    assert "Azure does not trust repo:octocat@583231/renamed@1296269:environment:registry" in row.found
    assert "it trusts repo:octocat@583231/hello-world@1296269:environment:registry" in row.found
    assert "AADSTS700213" in row.fix


def test_an_apps_credentials_are_looked_up_where_no_managed_identity_has_the_client_id() -> None:
    scene = Scene()
    scene.bootstrap(app=True)
    assert rows(scene)["federated credentials"].standing is Standing.OK


def test_without_az_the_trust_is_not_looked_at(connected: Scene) -> None:
    connected.fail("az identity list", "ERROR: Please run 'az login' to setup account.")
    row = rows(connected)["federated credentials"]
    assert row.standing is Standing.SKIPPED
    assert "az login" in row.fix


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {**CONNECTED, "AZUREML_WORKSPACE_NAME": ""},
        {**CONNECTED, "AZUREML_CURRENT_CLOUD": "LocalAzureML"},
        {**CONNECTED, "ARM_CLOUD_METADATA_URL": "https://127.0.0.1:1/metadata/endpoints"},
    ],
    ids=["nothing", "half", "emulator", "address"],
)
def test_where_the_environment_names_no_workspace_of_azure_az_is_not_asked(
    connected: Scene, environ: dict[str, str]
) -> None:
    connected.azure["calls"] = []
    row = rows(connected, environ)["federated credentials"]
    assert (row.standing, "export AZURE_SUBSCRIPTION_ID" in row.fix) == (Standing.SKIPPED, True)
    assert connected.azure["calls"] == []


def test_an_environment_that_may_not_be_read_is_no_missing_one(connected: Scene) -> None:
    says = "gh: Resource not accessible by personal access token (HTTP 403)"
    connected.fail("gh api repos/octocat/hello-world/environments/production$", says)
    (row,) = rows(connected).values()
    assert (row.standing, "and read Actions" in row.fix) == (Standing.WARN, True)


def test_in_a_clone_of_a_fork_it_is_the_fork_that_is_looked_at(connected: Scene) -> None:
    assert rows(connected)["repository"].found == "octocat/hello-world, public, main"


def test_a_subject_of_somebodys_own_making_is_a_warning(connected: Scene) -> None:
    connected.github["subject"] = {"use_default": False, "include_claim_keys": ["repo", "context"]}
    assert rows(connected)["subject"].standing is Standing.WARN


def test_a_required_check_of_a_ruleset_counts(connected: Scene) -> None:
    connected.github["required_checks"] = None
    checks = {"required_status_checks": [{"context": "required"}]}
    connected.github["rules"] = [{"type": "deletion"}, {"type": "required_status_checks", "parameters": checks}]
    assert rows(connected)["required check"].standing is Standing.OK


def test_another_default_branch_is_a_warning(connected: Scene) -> None:
    connected.github["repository"]["default_branch"] = "master"
    assert rows(connected)["repository"].standing is Standing.WARN


@pytest.mark.parametrize(
    ("at", "says", "standing", "found"),
    [
        (
            "gh repo view",
            "To get started with GitHub CLI, please run:  gh auth login",
            Standing.SKIPPED,
            "gh is not logged in",
        ),
        ("git remote", "error: No such remote 'origin'", Standing.SKIPPED, "no repository on GitHub"),
        ("git remote", "fatal: not a git repository", Standing.SKIPPED, "no repository on GitHub"),
        ("gh repo view", "something unheard of", Standing.WARN, "something unheard of"),
    ],
    ids=["login", "remote", "folder", "else"],
)
def test_where_gh_cannot_tell_there_is_one_row(at: str, says: str, standing: Standing, found: str) -> None:
    scene = Scene()
    scene.fail(at, says)
    (row,) = rows(scene).values()
    assert row.standing is standing
    assert found in row.found
    assert row.fix


def test_without_git_or_gh_there_is_one_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (row,) = repository_rows(Reader(run_tool), {})
    assert (row.standing, row.found) == (Standing.SKIPPED, "git not found")
    put_program(tmp_path, "git", prints="git@github.com:octocat/hello-world.git\n")
    (row,) = repository_rows(Reader(run_tool), {})
    assert (row.standing, row.found) == (Standing.SKIPPED, "gh not found")


def test_the_repository_that_the_environment_names_is_looked_at(connected: Scene) -> None:
    def run(command: Sequence[str], timeout_s: float) -> str:
        assert list(command[1:3]) != ["repo", "view"]
        return connected.run(command, timeout_s)

    (row, *_) = repository_rows(Reader(run), {"GITHUB_REPOSITORY": "octocat/hello-world"})
    assert row.found == "octocat/hello-world, public, main"


def test_an_answer_that_is_no_json_is_an_error_with_the_command() -> None:
    with pytest.raises(PlatformError, match="gh api x: its answer is no JSON"):
        Reader(lambda *_: "<html>").gh("api", "x")

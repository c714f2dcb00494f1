"""The identity's roles, and what az or gh refuses."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from deployment.outcomes import BadInputError, PlatformError
from tests.lib.az_recorded import a_workspace
from tests.lib.shipped import SHIPPED
from tests.unit.deployment.bootstrap.scene import IMMUTABLE, PREFIX, Scene, subjects

pytestmark = pytest.mark.unit


def test_an_app_registration_is_made_with_its_service_principal(scene: Scene) -> None:
    scene.azure["apps"].append({"displayName": "release-of-others", "appId": "x", "id": "y"})
    scene.fail("az ad sp create", "The appId 'z' does not reference a valid application object.")
    scene.bootstrap(app=True, identity="release")
    app = scene.azure["apps"][1]
    (principal,) = scene.azure["principals"]
    assert principal["appId"] == app["appId"]
    assert subjects(scene, app["appId"])["github-registry"] == f"{IMMUTABLE}:registry"
    assert scene.github["variables"]["AZURE_CLIENT_ID"] == app["appId"]
    assert {each["properties"]["principalId"] for each in scene.azure["assignments"]} == {principal["id"]}
    assert scene.azure["identities"] == []


def test_a_role_is_assigned_again_while_the_principal_is_not_known_everywhere(scene: Scene) -> None:
    says = "ERROR: (PrincipalNotFound) Principal abc does not exist in the directory xyz."
    scene.fail("az role assignment create", says, times=3)
    scene.bootstrap()
    assert len(scene.azure["assignments"]) == 4
    assert "refused" not in scene.output


def test_without_the_right_to_make_a_custom_role_the_rest_is_done_and_what_is_lost_is_told(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deployment.bootstrap.acting.PATIENCE_S", 0.05)
    scene.fail(
        "az role definition create",
        "ERROR: (AuthorizationFailed) The client 'me@example.org' with object id 'o' does not have authorization to "
        "perform action 'Microsoft.Authorization/roleDefinitions/write' over scope '/subscriptions/s/providers/"
        "Microsoft.Authorization/roleDefinitions/r' or the scope is invalid.",
    )
    scene.bootstrap()
    assert scene.output.count("preflight cannot look at the quota and the sizes of the region then") == 1
    assert scene.output.count("│ left out") == 1
    # That the role is not there would be said again and again, as of one that is not around yet.
    assert not [each for each in scene.azure["calls"] if "Azure ML region reader (11111111)" in each[4:6]]
    assert len(scene.azure["assignments"]) == 3
    assert len(scene.github["variables"]) == 6


def test_a_custom_role_that_was_just_made_is_assigned_once_it_is_around(scene: Scene) -> None:
    says = "ERROR: Role 'Azure ML region reader (11111111)' doesn't exist."
    scene.fail("az role assignment create --role Azure", says, times=3)
    scene.bootstrap()
    assert len(scene.azure["assignments"]) == 4


def test_the_role_for_autoscale_is_given_where_release_toml_has_it_on(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(SHIPPED / "deployment", tmp_path / "deployment")
    settings = tmp_path / "deployment" / "release.toml"
    text = settings.read_text(encoding="utf-8")
    assert text.count("enabled = false") == 1
    settings.write_text(text.replace("enabled = false", "enabled = true"), encoding="utf-8")
    scene.bootstrap()
    assert "Monitoring Contributor" not in scene.output
    scene.forget_changes()
    monkeypatch.chdir(tmp_path)
    scene.bootstrap()
    (assign,) = scene.changes
    assert assign[:6] == ["az", "role", "assignment", "create", "--role", "749f88d5-cbae-40b8-bcfc-e573ddc772fa"]
    assert assign[assign.index("--scope") + 1] == PREFIX
    assert "role Monitoring Contributor on resource group rg-hello-world" in scene.output


def test_without_the_right_to_register_a_provider_the_rest_is_done(scene: Scene) -> None:
    scene.fail("az provider register --namespace Microsoft.Cdn", "(AuthorizationFailed) register/action")
    scene.bootstrap()
    assert "what needs Microsoft.Cdn cannot be made until somebody with rights on the subscription" in scene.output
    assert len(scene.github["variables"]) == 6


@pytest.mark.parametrize(
    ("at", "says", "advice"),
    [
        ("az account show", "ERROR: Please run 'az login' to setup account.", "log in by `az login`"),
        ("gh repo view", "To get started with GitHub CLI, please run:  gh auth login", "log in by `gh auth login`"),
        ("gh api repos", "gh: Not Found (HTTP 404)", "look at --repository"),
        (
            "az role assignment create",
            "(AuthorizationFailed) no authorization over 'Microsoft.Authorization/roleAssignments/write'",
            "need the role Owner, User Access Administrator",
        ),
        ("az group create", "(AuthorizationFailed) The client does not have authorization", "the role Contributor"),
        (
            "az acr create",
            "(RequestDisallowedByPolicy) Resource was disallowed by policy.",
            "a policy of the subscription",
        ),
        ("az ml workspace create", "ERROR: 'ml' is misspelled or not recognized by the system.", "az extension add"),
        (
            "gh variable set",
            "HTTP 403: Resource not accessible by personal access token",
            "gh auth refresh --scopes repo",
        ),
        (
            "gh api --method PUT",
            "gh: Upgrade to GitHub Pro or make this repository public (HTTP 403)",
            "paid plans alone",
        ),
        ("az identity create", "ERROR: something unheard of", "run this again"),
    ],
    ids=["login", "gh-login", "no-repo", "roles", "rights", "policy", "extension", "scope", "plan", "else"],
)
def test_what_az_or_gh_refuses_is_told_with_the_command_and_what_to_do(
    scene: Scene, at: str, says: str, advice: str
) -> None:
    scene.fail(at, says, times=99)
    with pytest.raises(PlatformError) as raised:
        scene.bootstrap()
    assert at in str(raised.value)
    assert says in str(raised.value)
    assert advice in str(raised.value)


def test_a_registrys_name_that_somebody_else_has_is_refused_before_anything_is_made(scene: Scene) -> None:
    scene.azure["taken"] = ["theirs"]
    with pytest.raises(BadInputError, match=r"the name is not free \(The registry theirs\.azurecr\.io is"):
        scene.bootstrap(registry="theirs")
    assert scene.changes == []


def test_two_workspaces_of_one_name_have_to_be_told_apart(scene: Scene) -> None:
    for group in ("one", "two"):
        scene.azure["workspaces"].append(a_workspace("ml", group, ""))
    with pytest.raises(BadInputError, match="there are several, in one, two; name one of them by --resource-group"):
        scene.bootstrap(workspace="ml")


def test_an_answer_that_lacks_what_the_next_steps_need_ends_it(scene: Scene) -> None:

    def without_ids(command: Sequence[str], timeout_s: float) -> str:
        answered = scene.run(command, timeout_s)
        return "{}" if list(command[1:3]) == ["identity", "create"] else answered

    scene.around = without_ids
    with pytest.raises(PlatformError, match="the answer of az does not tell clientId, principalId"):
        scene.bootstrap()

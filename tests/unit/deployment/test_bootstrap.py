"""`bootstrap` against a recorded `az` and `gh`: what it asks for, what it makes, and what it leaves alone."""

import json
import shutil
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from deployment.bootstrap.github_plan import VARIABLES
from deployment.outcomes import BadInputError, PlatformError
from pipeline.variables import NEEDED
from tests.lib import az_recorded, gh_recorded
from tests.lib.az_recorded import SUBSCRIPTION, TENANT, a_credential, a_group, a_registry, a_workspace, an_identity
from tests.lib.shipped import SHIPPED
from tests.unit.deployment.bootstrap_scene import Scene

pytestmark = pytest.mark.unit
PREFIX = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-hello-world"
REGISTRY = "crhelloworld40ca1b"
REGISTRY_ID = f"{PREFIX}/providers/Microsoft.ContainerRegistry/registries/{REGISTRY}"
WORKSPACE_ID = f"{PREFIX}/providers/Microsoft.MachineLearningServices/workspaces/mlw-hello-world"
QUIET = ["--output", "json", "--only-show-errors"]
OF_SUBSCRIPTION = ["--subscription", SUBSCRIPTION]
IMMUTABLE = "repo:octocat@583231/hello-world@1296269:environment"
ENVIRONMENTS = ["registry", "production", "production-unattended", "staging", "staging-unattended"]
ISSUER, AUDIENCE = "https://token.actions.githubusercontent.com", "api://AzureADTokenExchange"


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.chdir(SHIPPED)
    return Scene()


def subjects(scene: Scene, owner: str = "id-hello-world-github") -> dict[str, str]:
    return {each["name"]: each["subject"] for each in scene.azure["credentials"].get(owner, [])}


def fields_of(call: list[str]) -> list[str]:
    return [value for flag, value in pairwise(call) if flag in ("-F", "-f")]


def put_of(scene: Scene, environment: str) -> list[str]:
    path = f"repos/octocat/hello-world/environments/{environment}"
    (put,) = [each for each in scene.github["changes"] if each[:5] == ["gh", "api", "--method", "PUT", path]]
    return list(put)


def test_a_first_run_makes_everything_in_azure_by_these_commands(scene: Scene) -> None:
    scene.bootstrap(location="northeurope")
    (identity,) = scene.azure["identities"]
    (role,) = scene.azure["roles"]
    where = ["--resource-group", "rg-hello-world", "--location", "northeurope", *OF_SUBSCRIPTION]
    made = [each[1:] for each in scene.azure["changes"] if each[1] != "provider"]
    assign = [*("role", "assignment", "create", "--role")]
    whom = ["--assignee-object-id", identity["principalId"], "--assignee-principal-type", "ServicePrincipal", "--scope"]
    definition = made[-2][4]
    assert made == [
        ["group", "create", "--name", "rg-hello-world", "--location", "northeurope", *OF_SUBSCRIPTION, *QUIET],
        ["acr", "create", "--name", REGISTRY, *where, "--sku", "Basic", "--admin-enabled", "false", *QUIET],
        [
            *("ml", "workspace", "create", "--name", "mlw-hello-world", "--resource-group", "rg-hello-world"),
            *(*OF_SUBSCRIPTION, "--location", "northeurope", *QUIET, "--container-registry", REGISTRY_ID),
        ],
        ["identity", "create", "--name", "id-hello-world-github", *where, *QUIET],
        *(
            [
                *("identity", "federated-credential", "create", "--name", f"github-{each}"),
                *("--identity-name", "id-hello-world-github", "--resource-group", "rg-hello-world", *OF_SUBSCRIPTION),
                *("--issuer", ISSUER, "--subject", f"{IMMUTABLE}:{each}", "--audiences", AUDIENCE, *QUIET),
            ]
            for each in ENVIRONMENTS
        ),
        [*assign, "f6c7c914-8db3-469d-8ca1-694a8f32e121", *whom, WORKSPACE_ID, *OF_SUBSCRIPTION, *QUIET],
        [*assign, "8311e382-0749-4cb8-b61a-304f252e45ec", *whom, REGISTRY_ID, *OF_SUBSCRIPTION, *QUIET],
        [*assign, "acdd72a7-3385-48ef-bd42-f606fba81ae7", *whom, PREFIX, *OF_SUBSCRIPTION, *QUIET],
        ["role", "definition", "create", "--role-definition", definition, *OF_SUBSCRIPTION, *QUIET],
        [*assign, role["roleName"], *whom, f"/subscriptions/{SUBSCRIPTION}", *OF_SUBSCRIPTION, *QUIET],
    ]
    assert json.loads(definition)["AssignableScopes"] == [f"/subscriptions/{SUBSCRIPTION}"]
    assert all(each.endswith("/read") for each in json.loads(definition)["Actions"])
    registered = {each[4] for each in scene.azure["changes"] if each[1] == "provider"}
    assert {"Microsoft.MachineLearningServices", "Microsoft.ContainerRegistry"} <= registered
    assert "Microsoft.Storage" not in registered


def test_a_first_run_sets_up_github_with_main_alone_and_the_reviewers_asked_for(scene: Scene) -> None:
    scene.bootstrap(reviewers=("octocat", "hubot"))
    (identity,) = scene.azure["identities"]
    assert scene.github["variables"] == {
        "AZURE_CLIENT_ID": identity["clientId"],
        "AZURE_TENANT_ID": TENANT,
        "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
        "AZURE_RESOURCE_GROUP": "rg-hello-world",
        "AZUREML_WORKSPACE_NAME": "mlw-hello-world",
        "ACR_LOGIN_SERVER": f"{REGISTRY}.azurecr.io",
    }
    assert list(scene.github["environments"]) == ENVIRONMENTS
    for each in ENVIRONMENTS:
        assert [policy["name"] for policy in scene.github["policies"][each]] == ["main"]
    policy = [
        "deployment_branch_policy[protected_branches]=false",
        "deployment_branch_policy[custom_branch_policies]=true",
    ]
    asked = ["reviewers[][type]=User", "reviewers[][id]=583231", "reviewers[][type]=User", "reviewers[][id]=480938"]
    assert fields_of(put_of(scene, "production")) == [*policy, *asked]
    assert fields_of(put_of(scene, "staging")) == policy
    assert "Connected." in scene.output


def test_the_variables_are_those_that_the_workflows_need() -> None:
    assert list(VARIABLES) == [each.name for each in NEEDED]


def test_in_a_clone_of_a_fork_it_is_the_fork_that_is_connected(scene: Scene) -> None:
    scene.bootstrap()
    assert len(scene.github["variables"]) == 6
    assert "octocat/hello-world" in scene.output


@pytest.mark.parametrize(
    ("origin", "asked"),
    [
        ("https://me:ghp_secret@github.com/octocat/hello-world.git", "https://github.com/octocat/hello-world.git"),
        ("ssh://git@github.com/octocat/hello-world", "ssh://github.com/octocat/hello-world"),
    ],
    ids=["https", "ssh"],
)
def test_who_and_a_token_in_the_address_of_origin_go_to_no_other_process(scene: Scene, origin: str, asked: str) -> None:
    scene.github["origin"] = origin
    scene.bootstrap(dry_run=True)
    assert ["gh", "repo", "view", asked, "--json", "nameWithOwner"] in scene.github["calls"]


def test_a_checkout_without_origin_has_to_be_told_its_repository(scene: Scene) -> None:
    scene.github["origin"] = ""
    with pytest.raises(
        PlatformError, match=r"No such remote 'origin'\n.*name the repository by --repository OWNER/REPO"
    ):
        scene.bootstrap()
    scene.bootstrap(repository="octocat/hello-world")
    assert len(scene.github["variables"]) == 6


def test_who_is_no_admin_of_the_repository_is_refused_before_anything_is_made(scene: Scene) -> None:
    scene.github["repository"]["permissions"]["admin"] = False
    with pytest.raises(BadInputError, match="octocat/hello-world: whoever `gh` is logged in as is no admin there"):
        scene.bootstrap()
    assert scene.changes == []


def test_an_environment_is_restricted_before_azure_trusts_it(scene: Scene) -> None:
    order: list[str] = []

    def noted(command: Sequence[str], timeout_s: float) -> str:
        order.append(" ".join(command))
        return scene.run(command, timeout_s)

    scene.around = noted
    scene.bootstrap()
    first_trust = next(index for index, each in enumerate(order) if "federated-credential create" in each)
    last_rule = max(index for index, each in enumerate(order) if "deployment-branch-policies -f" in each)
    assert last_rule < first_trust


@pytest.mark.parametrize(
    "wishes",
    [
        {},
        {"app": True, "identity": "release"},
        {"reviewers": ("hubot",), "review_staging": True},
        {"staging": False, "region_role": False, "resource_group": "models", "workspace": "ml", "registry": "ours12"},
    ],
    ids=["defaults", "app", "reviewers", "names"],
)
def test_a_second_run_finds_everything_and_changes_nothing(scene: Scene, wishes: dict[str, Any]) -> None:
    scene.bootstrap(**wishes)
    assert scene.changes
    scene.forget_changes()
    scene.bootstrap(**wishes)
    assert scene.changes == []
    assert "nothing is to be done" in scene.output


def test_a_dry_run_shows_every_command_and_changes_nothing(scene: Scene) -> None:
    scene.bootstrap(dry_run=True)
    assert scene.changes == []
    assert f"az acr create --name {REGISTRY} --resource-group rg-hello-world" in scene.output
    assert "gh variable set AZURE_CLIENT_ID --repo octocat/hello-world --body '<client id>'" in scene.output
    assert "immutable: the repository was made on 2026-09-01, and since 2026-07-15 all are so" in scene.output
    assert "nobody is asked before traffic moves in production: name who is by --reviewer LOGIN" in scene.output


def test_who_says_no_has_nothing_changed(scene: Scene) -> None:
    scene.bootstrap(agree=False)
    assert scene.changes == []
    assert "Nothing was touched." in scene.output


@pytest.mark.parametrize("cut", range(0, 32, 3))
def test_a_run_that_was_cut_off_anywhere_is_finished_by_the_next(scene: Scene, cut: int) -> None:
    whole = Scene()
    whole.bootstrap()
    left = cut

    def cut_off(command: Sequence[str], timeout_s: float) -> str:
        nonlocal left
        before = len(scene.changes)
        answered = scene.run(command, timeout_s)
        left -= len(scene.changes) - before
        if left < 0:
            raise SystemExit(143)
        return answered

    scene.around = cut_off
    with pytest.raises(SystemExit):
        scene.bootstrap()
    assert len(scene.changes) == cut + 1
    assert "Run this again: it goes on from there." in scene.output
    # What was done by then is told.
    assert scene.output.count("│ made") == cut
    scene.around = None
    scene.bootstrap()
    assert len(scene.changes) == len(whole.changes)
    scene.forget_changes()
    scene.bootstrap()
    assert scene.changes == []


def test_a_registry_that_exists_elsewhere_is_used_and_the_roles_are_given_there(scene: Scene) -> None:
    elsewhere = a_registry("ours12", "shared", admin=True)
    scene.azure["registries"].append(elsewhere)
    scene.bootstrap(registry="ours12.azurecr.io")
    assert not [each for each in scene.changes if each[1:3] == ["acr", "create"]]
    assert scene.azure["workspaces"][0]["properties"]["containerRegistry"] == elsewhere["id"]
    at_registry = [
        each[5] for each in scene.azure["changes"] if each[1:3] == ["role", "assignment"] and elsewhere["id"] in each
    ]
    # AcrPush, and Reader, as that of the workspace's group does not reach there.
    assert at_registry == ["8311e382-0749-4cb8-b61a-304f252e45ec", "acdd72a7-3385-48ef-bd42-f606fba81ae7"]
    assert "registry ours12 has its admin user switched on" in scene.output


def with_workspace(scene: Scene, registry_id: str) -> None:
    scene.azure["groups"].append(a_group("models", "norwayeast"))
    scene.azure["registries"].append(a_registry("own12", "models"))
    scene.azure["workspaces"].append(a_workspace("ml", "models", registry_id, "norwayeast"))


def test_an_existing_workspace_brings_its_group_and_its_registry(scene: Scene) -> None:
    with_workspace(scene, a_registry("own12", "models")["id"].upper())
    scene.bootstrap(workspace="ML")
    made = [each[1:4] for each in scene.azure["changes"] if each[1] in {"group", "acr", "ml", "identity"}]
    assert made == [["identity", "create", "--name"], *[["identity", "federated-credential", "create"]] * 5]
    assert scene.github["variables"]["ACR_LOGIN_SERVER"] == "own12.azurecr.io"
    assert scene.github["variables"]["AZURE_RESOURCE_GROUP"] == "models"


def test_a_workspace_without_a_registry_gets_ours_for_its_own(scene: Scene) -> None:
    with_workspace(scene, "")
    scene.bootstrap(workspace="ml", registry="own12")
    (update,) = [each for each in scene.azure["changes"] if each[1] == "ml"]
    assert update[1:4] == ["ml", "workspace", "update"]
    assert update[-1] == "--update-dependent-resources"
    assert scene.azure["endpoints"] == []


def test_where_the_registry_is_not_the_workspaces_own_the_endpoints_are_made_and_may_pull(scene: Scene) -> None:
    with_workspace(scene, a_registry("own12", "models")["id"])
    scene.azure["registries"].append(a_registry("other12", "shared"))
    # Not on the first page of the list.
    scene.azure["endpoints"].append(az_recorded.an_endpoint("another", "principal-8"))
    scene.azure["endpoints"].append(az_recorded.an_endpoint("diabetes-staging", "principal-9"))
    scene.bootstrap(workspace="ml", registry="other12")
    (create,) = [each for each in scene.azure["changes"] if each[1] == "ml"]
    assert create[1:] == [
        *("ml", "online-endpoint", "create", "--name", "diabetes", "--file", "deployment/endpoint.yml"),
        *("--resource-group", "models", "--workspace-name", "ml", *OF_SUBSCRIPTION, *QUIET),
    ]
    principals = [
        each["properties"]["principalId"]
        for each in scene.azure["assignments"]
        if each["properties"]["roleDefinitionId"].endswith("7f951dda-4ed3-4680-a7ca-43fe172d538d")
    ]
    made = next(each for each in scene.azure["endpoints"] if each["name"] == "diabetes")
    assert principals == [made["identity"]["principalId"], "principal-9"]
    scene.forget_changes()
    scene.bootstrap(workspace="ml", registry="other12")
    assert scene.changes == []


def test_an_endpoint_with_an_identity_that_was_given_to_it_is_left_to_people(scene: Scene) -> None:
    with_workspace(scene, a_registry("own12", "models")["id"])
    scene.azure["registries"].append(a_registry("other12", "shared"))
    scene.azure["endpoints"].append(az_recorded.an_endpoint("diabetes", ""))
    scene.bootstrap(workspace="ml", registry="other12", staging=False)
    assert "endpoint diabetes has no identity of its own: give AcrPull on other12" in scene.output
    assert not [each for each in scene.changes if "7f951dda-4ed3-4680-a7ca-43fe172d538d" in each]


def test_the_extension_is_added_once_where_the_cli_has_it_not(scene: Scene) -> None:
    scene.azure["extensions"] = []
    scene.bootstrap()
    added = [each for each in scene.azure["changes"] if each[1] == "extension"]
    assert added == [["az", "extension", "add", "--name", "ml", "--yes"]]


def test_an_older_repository_is_trusted_by_its_name(scene: Scene) -> None:
    scene.github = gh_recorded.new_github(created_at="2024-02-03T10:00:00Z")
    scene.bootstrap()
    assert subjects(scene)["github-production"] == "repo:octocat/hello-world:environment:production"
    assert "if it was renamed or transferred since then, give --subject-form immutable" in scene.output


def test_trust_in_another_subject_is_shown_and_replaced(scene: Scene) -> None:
    old = "repo:octocat/hello-world:environment:production"
    scene.azure["groups"].append(a_group("rg-hello-world", "westeurope"))
    scene.azure["identities"].append(an_identity("id-hello-world-github", "rg-hello-world"))
    scene.azure["credentials"]["id-hello-world-github"] = [
        a_credential("github-production", ISSUER, old, AUDIENCE),
        a_credential("by-hand", ISSUER, f"{IMMUTABLE}:staging", AUDIENCE),
    ]
    scene.bootstrap()
    (update,) = [each for each in scene.azure["changes"] if "update" in each]
    assert update[1:6] == ["identity", "federated-credential", "update", "--name", "github-production"]
    assert subjects(scene)["github-production"] == f"{IMMUTABLE}:production"
    # What somebody has made under another name is found by what it says.
    assert "github-staging" not in subjects(scene)
    assert f"instead of: {old} of {ISSUER} for {AUDIENCE}" in scene.output


def trusted(scene: Scene, subject: str) -> None:
    scene.azure["groups"].append(a_group("rg-hello-world", "westeurope"))
    scene.azure["identities"].append(an_identity("id-hello-world-github", "rg-hello-world"))
    scene.azure["credentials"]["id-hello-world-github"] = [
        a_credential("github-production", ISSUER, subject, AUDIENCE),
    ]


OTHERS = pytest.mark.parametrize(
    "subject",
    [
        "repo:other/hello-world:environment:production",
        "repo:other@1/hello-world@2:environment:production",
        "repo:octocat@583231/hello-world@2:environment:production",
    ],
    ids=["name", "immutable", "made-anew"],
)


@OTHERS
def test_an_identity_that_another_repository_uses_is_not_taken_from_it(scene: Scene, subject: str) -> None:
    trusted(scene, subject)
    with pytest.raises(BadInputError) as raised:
        scene.bootstrap()
    assert f"id-hello-world-github: it is trusted as {subject}" in str(raised.value)
    assert "give octocat/hello-world an identity of its own by --identity NAME" in str(raised.value)
    assert scene.changes == []


@OTHERS
def test_an_identity_that_was_named_is_replaced_whosever_it_was(scene: Scene, subject: str) -> None:
    trusted(scene, subject)
    scene.bootstrap(identity="id-hello-world-github")
    assert subjects(scene)["github-production"] == f"{IMMUTABLE}:production"
    assert f"instead of: {subject}" in scene.output


def test_the_repositorys_own_trust_from_before_it_was_renamed_is_replaced(scene: Scene) -> None:
    trusted(scene, "repo:octocat@583231/hello@1296269:environment:production")
    scene.bootstrap()
    assert subjects(scene)["github-production"] == f"{IMMUTABLE}:production"


def test_more_credentials_than_azure_takes_are_refused_before_anything_is_made(scene: Scene) -> None:
    scene.azure["identities"].append(an_identity("many", "rg-hello-world"))
    scene.azure["credentials"]["many"] = [
        a_credential(f"c{each}", ISSUER, f"repo:o/r:environment:e{each}", AUDIENCE) for each in range(16)
    ]
    with pytest.raises(BadInputError, match="it has 16 federated credentials, and 5 more would be above the 20"):
        scene.bootstrap(identity="many")
    assert scene.changes == []


def test_an_environments_other_rules_are_sent_again_as_a_put_would_drop_them(scene: Scene) -> None:
    there = {
        "wait_timer": 30,
        "prevent_self_review": True,
        "can_admins_bypass": False,
        "reviewers": [{"type": "User", "id": 480938}],
        "deployment_branch_policy": {"protected_branches": True, "custom_branch_policies": False},
    }
    scene.github["environments"]["production"] = gh_recorded.an_environment("production", there)
    scene.bootstrap(reviewers=("octocat", "hubot"))
    assert fields_of(put_of(scene, "production"))[2:] == [
        *("wait_timer=30", "prevent_self_review=true", "can_admins_bypass=false"),
        *("reviewers[][type]=User", "reviewers[][id]=480938", "reviewers[][type]=User", "reviewers[][id]=583231"),
    ]
    assert "instead of: every protected branch may use it" in scene.output


@pytest.mark.parametrize(
    ("says", "advice"),
    [
        ("gh: Resource not accessible by personal access token (HTTP 403)", "and read Actions"),
        ("gh: API rate limit exceeded for user ID 583231. (HTTP 403)", "run this again in an hour"),
    ],
    ids=["token", "rate"],
)
def test_an_environment_that_may_not_be_read_is_not_taken_for_a_new_one(scene: Scene, says: str, advice: str) -> None:
    there = {"wait_timer": 30, "reviewers": [{"type": "User", "id": 480938}]}
    scene.github["environments"]["production"] = gh_recorded.an_environment("production", there)
    scene.fail("gh api repos/octocat/hello-world/environments", says, times=99)
    with pytest.raises(PlatformError, match=advice):
        scene.bootstrap()
    assert scene.changes == []


def test_other_branches_that_may_use_an_environment_are_shown_and_taken_away(scene: Scene) -> None:
    custom = {"deployment_branch_policy": {"protected_branches": False, "custom_branch_policies": True}}
    scene.github["environments"]["registry"] = gh_recorded.an_environment("registry", custom)
    scene.github["policies"]["registry"] = [{"id": 7, "name": "release/*", "type": "branch"}]
    scene.bootstrap()
    path = "repos/octocat/hello-world/environments/registry"
    changed = [each for each in scene.github["changes"] if each[4].startswith(path + "/") or each[4] == path]
    assert changed == [
        ["gh", "api", "--method", "POST", f"{path}/deployment-branch-policies", "-f", "name=main"],
        ["gh", "api", "--method", "DELETE", f"{path}/deployment-branch-policies/7"],
    ]
    assert "instead of: the branch release/* may use it" in scene.output


def test_a_private_repository_without_reviewers_in_its_plan_is_connected_and_told_of_promoters(scene: Scene) -> None:
    scene.github = gh_recorded.new_github(private=True)
    scene.github["has_reviewers"] = False
    scene.bootstrap(reviewers=("hubot",))
    told = " ".join(scene.output.split())
    assert "gh variable set PROMOTERS --repo octocat/hello-world --body hubot" in told
    assert [each["name"] for each in scene.github["policies"]["production"]] == ["main"]
    assert len(scene.github["variables"]) == 6


def test_a_variable_with_another_value_is_shown_and_replaced(scene: Scene) -> None:
    scene.github["variables"]["AZURE_TENANT_ID"] = "another-tenant"
    scene.bootstrap()
    assert scene.github["variables"]["AZURE_TENANT_ID"] == TENANT
    assert "instead of: another-tenant" in scene.output


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

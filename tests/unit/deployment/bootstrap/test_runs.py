"""`bootstrap` from the first run to the last: what it makes, and what it leaves alone."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from deployment.bootstrap.github_plan import VARIABLES
from deployment.outcomes import BadInputError, PlatformError
from pipeline.variables import NEEDED
from tests.lib.az_recorded import SUBSCRIPTION, TENANT
from tests.unit.deployment.bootstrap.scene import (
    AUDIENCE,
    ENVIRONMENTS,
    IMMUTABLE,
    ISSUER,
    OF_SUBSCRIPTION,
    PREFIX,
    QUIET,
    REGISTRY,
    REGISTRY_ID,
    WORKSPACE_ID,
    Scene,
    fields_of,
    put_of,
)

pytestmark = pytest.mark.unit


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

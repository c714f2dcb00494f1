"""The registry and the workspace that `bootstrap` finds, or makes."""

import pytest

from tests.lib import az_recorded
from tests.lib.az_recorded import a_registry
from tests.unit.deployment.bootstrap.scene import OF_SUBSCRIPTION, QUIET, Scene, with_workspace

pytestmark = pytest.mark.unit


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

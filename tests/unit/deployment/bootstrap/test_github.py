"""Environments and variables of the repository that `bootstrap` connects."""

import pytest

from deployment.outcomes import PlatformError
from tests.lib import gh_recorded
from tests.lib.az_recorded import TENANT
from tests.unit.deployment.bootstrap.scene import Scene, fields_of, put_of

pytestmark = pytest.mark.unit


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

"""Whom the identity of `bootstrap` trusts."""

import pytest

from deployment.outcomes import BadInputError
from tests.lib import gh_recorded
from tests.lib.az_recorded import a_credential, a_group, an_identity
from tests.unit.deployment.bootstrap.scene import AUDIENCE, IMMUTABLE, ISSUER, Scene, subjects

pytestmark = pytest.mark.unit


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

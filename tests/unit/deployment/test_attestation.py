"""Where an image was built: what gh is asked, and what is made of each of its answers."""

import json
from pathlib import Path
from typing import Any

import pytest

from deployment.attestation import Attested, verify
from deployment.outcomes import BadInputError
from tests.lib.programs import put_program

pytestmark = pytest.mark.unit

DIGEST = "0a" * 32
IMAGE = f"mine.azurecr.io/diabetes-byoc@sha256:{DIGEST}"
PROVENANCE = "https://slsa.dev/provenance/v1"
CERTIFICATE = {
    "sourceRepositoryDigest": "c0ffee",
    "buildSignerURI": "https://github.com/me/models/.github/workflows/build-image.yml@refs/heads/main",
    "runInvocationURI": "https://github.com/me/models/actions/runs/1/attempts/1",
    "issuer": "https://token.actions.githubusercontent.com",
}


def an_attestation(digest: str = DIGEST) -> dict[str, Any]:
    subject = {"name": "mine.azurecr.io/diabetes-byoc", "digest": {"sha256": digest}}
    statement = {"predicateType": PROVENANCE, "subject": [subject], "predicate": {}}
    return {"verificationResult": {"signature": {"certificate": CERTIFICATE}, "statement": statement}}


def an_answer() -> str:
    return json.dumps([an_attestation()])


@pytest.fixture
def bin_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return tmp_path / "bin"


def test_gh_is_asked_for_this_image_workflow_and_branch_and_github_s_own_machines(bin_dir: Path) -> None:
    asked = put_program(bin_dir, "gh", prints=an_answer())
    verify(IMAGE, repository="me/models", branch="main")
    assert asked.read_text().splitlines() == [
        *("attestation", "verify", f"oci://{IMAGE}", "--repo", "me/models"),
        *("--signer-workflow", "me/models/.github/workflows/build-image.yml"),
        *("--source-ref", "refs/heads/main", "--deny-self-hosted-runners", "--format", "json"),
    ]


def test_what_is_attested_is_told_with_commit_workflow_and_run(bin_dir: Path) -> None:
    put_program(bin_dir, "gh", prints=an_answer())
    assert verify(IMAGE, repository="me/models", branch="main") == (
        Attested(PROVENANCE, "c0ffee", CERTIFICATE["buildSignerURI"], CERTIFICATE["runInvocationURI"]),
    )


def test_what_gh_refuses_is_refused_with_its_words(bin_dir: Path) -> None:
    put_program(bin_dir, "gh", complains="Error: no attestations found for subject sha256:0a0a", exit_code=1)
    with pytest.raises(BadInputError) as refused:
        verify(IMAGE, repository="me/models", branch="main")
    assert f"image {IMAGE}: it is not verified to come from .github/workflows/build-image.yml" in str(refused.value)
    assert "exit code 1: Error: no attestations found" in str(refused.value)
    assert "Nothing was touched." in str(refused.value)
    assert refused.value.exit_code == 2


def test_without_gh_the_way_to_get_it_is_told(bin_dir: Path) -> None:
    del bin_dir  # there is none
    with pytest.raises(BadInputError, match=r"gh: No such file or directory; GitHub's own command.*: install it"):
        verify(IMAGE, repository="me/models", branch="main")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("verified", "gh: its answer is no JSON"),
        ("[]", "of 0 attestations none is of this digest"),
        ("null", "gh's answer cannot be read"),
        ("[{}]", "gh's answer cannot be read"),
        (json.dumps([an_attestation("0b" * 32)]), "of 1 attestations none is of this digest"),
    ],
)
def test_an_answer_that_does_not_attest_this_image_is_a_refusal(bin_dir: Path, answer: str, told: str) -> None:
    put_program(bin_dir, "gh", prints=answer)
    with pytest.raises(BadInputError, match=told):
        verify(IMAGE, repository="me/models", branch="main")


@pytest.mark.parametrize(
    ("image", "repository", "told"),
    [
        ("mine.azurecr.io/diabetes-byoc:main", "me/models", "a tag can change"),
        (IMAGE, "models", "it is not OWNER/NAME"),
        (IMAGE, "", "it is not OWNER/NAME"),
    ],
)
def test_gh_is_not_asked_about_what_cannot_be_verified(bin_dir: Path, image: str, repository: str, told: str) -> None:
    asked = put_program(bin_dir, "gh", prints=an_answer())
    with pytest.raises(BadInputError, match=told):
        verify(image, repository=repository, branch="main")
    assert not asked.exists()

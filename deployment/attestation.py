"""Where an image was built, as GitHub has attested it and `gh attestation verify` says."""

import json
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deployment.outcomes import BadInputError
from deployment.programs import MissingProgramError, ProgramError, run_program
from deployment.registry import read_reference

WORKFLOW = ".github/workflows/build-image.yml"
TIMEOUT_S = 120.0
UNTOUCHED = "Nothing was touched."


@dataclass(frozen=True)
class Attested:
    """What an attestation says of an image: what it states, from which commit, and by which run."""

    predicate: str
    commit: str
    workflow: str
    run_url: str


class Answered(BaseModel):
    """A part of gh's JSON; what it does not name is not looked at."""

    model_config = ConfigDict(frozen=True)


class Certificate(Answered):
    """Who signed: GitHub names the commit, the workflow and the run in it."""

    commit: str = Field("", alias="sourceRepositoryDigest")
    workflow: str = Field("", alias="buildSignerURI")
    run_url: str = Field("", alias="runInvocationURI")


class Signature(Answered):
    """What the statement is signed by."""

    certificate: Certificate


class Subject(Answered):
    """What the statement is about."""

    digest: dict[str, str]


class Statement(Answered):
    """What is attested."""

    predicate: str = Field(alias="predicateType")
    subjects: tuple[Subject, ...] = Field(alias="subject", min_length=1)


class VerificationResult(Answered):
    """What gh has verified."""

    signature: Signature
    statement: Statement


class Verified(Answered):
    """An attestation that holds."""

    result: VerificationResult = Field(alias="verificationResult")


def verify(image: str, *, repository: str, branch: str) -> tuple[Attested, ...]:
    """Return what is attested of an image that this repository's build-image has made of that branch.

    Raises BadInputError, with what gh said, where that is not so.
    """
    reference = read_reference(image)
    if reference is None:
        raise BadInputError(f"--image {image}: it is not name@sha256:<64 hex digits>; a tag can change. {UNTOUCHED}")
    if repository.count("/") != 1:
        raise BadInputError(
            f"--repository {repository!r}: it is not OWNER/NAME; GITHUB_REPOSITORY has it in a workflow"
        )
    answered = ask_gh(
        f"oci://{image}",
        *("--repo", repository, "--signer-workflow", f"{repository}/{WORKFLOW}"),
        *("--source-ref", f"refs/heads/{branch}", "--deny-self-hosted-runners", "--format", "json"),
    )
    try:
        results = [Verified.model_validate(each).result for each in answered]
    except (TypeError, ValidationError) as error:
        raise BadInputError(f"image {image}: gh's answer cannot be read ({error}). {UNTOUCHED}") from error
    algorithm, _, digest = reference.digest.partition(":")
    of_image = [each for each in results if any(one.digest.get(algorithm) == digest for one in each.statement.subjects)]
    if not of_image:
        raise BadInputError(f"image {image}: of {len(results)} attestations none is of this digest. {UNTOUCHED}")
    return tuple(attested(each) for each in of_image)


def attested(result: VerificationResult) -> Attested:
    certificate = result.signature.certificate
    return Attested(result.statement.predicate, certificate.commit, certificate.workflow, certificate.run_url)


def ask_gh(subject: str, *options: str) -> Any:
    """Return what gh answers in JSON; raises BadInputError where it refuses or is not there."""
    try:
        answered = run_program(["gh", "attestation", "verify", subject, *options], timeout_s=TIMEOUT_S)
    except MissingProgramError as error:
        raise BadInputError(
            f"{error}; GitHub's own command, which verifies attestations: install it. {UNTOUCHED}"
        ) from error
    except ProgramError as error:
        raise BadInputError(
            f"image {subject.removeprefix('oci://')}: it is not verified to come from {WORKFLOW}. {error}\n{UNTOUCHED} "
            "Release one that build-image has pushed and attested."
        ) from error
    try:
        return json.loads(answered)
    except ValueError as error:
        raise BadInputError(f"gh: its answer is no JSON ({error}); is it an old version? {UNTOUCHED}") from error

"""What whoever runs bootstrap asks for, and the names that follow where nothing was said."""

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum

from deployment.outcomes import BadInputError

DEFAULT_LOCATION = "westeurope"
REPOSITORY_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?/[A-Za-z0-9._-]+")
REGISTRY_NAME = re.compile(r"[a-zA-Z0-9]{5,50}")
HASH_CHARACTERS = 6
MOST_NAME_CHARACTERS = 24
MOST_REVIEWERS = 6


class SubjectForm(StrEnum):
    """How the subject of a workflow's token names the repository."""

    AUTO = "auto"  # as GitHub says, or by the day that the repository was made
    IMMUTABLE = "immutable"  # repo:OWNER@OWNER_ID/REPO@REPO_ID:...
    NAME = "name"  # repo:OWNER/REPO:...


class RegistrySku(StrEnum):
    """What a new registry costs and holds."""

    BASIC = "Basic"
    STANDARD = "Standard"


@dataclass(frozen=True)
class Wishes:
    """The command line; an empty string is a default that depends on the repository or on what exists."""

    subscription: str = ""
    location: str = ""
    resource_group: str = ""
    workspace: str = ""
    registry: str = ""
    registry_sku: RegistrySku = RegistrySku.BASIC
    identity: str = ""
    app: bool = False
    repository: str = ""
    reviewers: tuple[str, ...] = ()
    review_staging: bool = False
    staging: bool = True
    subject_form: SubjectForm = SubjectForm.AUTO
    region_role: bool = True

    def __post_init__(self) -> None:
        if self.repository and not REPOSITORY_NAME.fullmatch(self.repository):
            raise BadInputError(f"--repository {self.repository!r} is not OWNER/REPO; write it as octocat/hello-world")
        if len(set(self.reviewers)) > MOST_REVIEWERS:
            raise BadInputError(
                f"--reviewer: {len(set(self.reviewers))} were named where GitHub takes {MOST_REVIEWERS}; name fewer"
            )
        if self.registry and not REGISTRY_NAME.fullmatch(self.registry_name):
            raise BadInputError(
                f"--registry {self.registry!r}: a registry is named by 5 to 50 letters and digits, as mine or "
                "mine.azurecr.io"
            )

    @property
    def registry_name(self) -> str:
        """The registry as Azure names it; a login server may be given too."""
        return self.registry.removesuffix(".azurecr.io")

    @property
    def environments(self) -> tuple[str, ...]:
        """The environments of the repository that the workflows use."""
        of_staging = ("staging", "staging-unattended") if self.staging else ()
        return ("registry", "production", "production-unattended", *of_staging)

    def reviewed(self, environment: str) -> bool:
        return environment == "production" or (environment == "staging" and self.review_staging)


def short_name(repository: str) -> str:
    """Return the repository's name as names of Azure may have it."""
    name = re.sub(r"[^a-z0-9]+", "-", repository.partition("/")[2].lower()).strip("-")
    return name[:MOST_NAME_CHARACTERS].strip("-") or "release"


def default_registry(repository: str, subscription_id: str) -> str:
    """Return the name of a new registry: the same at every run, and hardly anybody else's in the world."""
    digest = hashlib.sha256(f"{subscription_id}/{repository}".lower().encode()).hexdigest()
    return f"cr{short_name(repository).replace('-', '')}{digest[:HASH_CHARACTERS]}"

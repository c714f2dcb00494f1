"""What of GitHub is there already, asked of `gh`."""

import re
from collections.abc import Sequence

from deployment.bootstrap.facts import (
    BranchPolicy,
    Environment,
    GitHubFacts,
    Repository,
    Reviewer,
    environment_of,
)
from deployment.bootstrap.tools import Reader
from deployment.bootstrap.wishes import Wishes


def read_repository(read: Reader, wishes: Wishes) -> Repository:
    """Return the repository that was named, or that of this checkout's `origin`.

    Without being told which, `gh` would take a fork for the repository that it was forked from.
    """
    name = wishes.repository or read.gh("repo", "view", read_origin(read), "--json", "nameWithOwner")["nameWithOwner"]
    found = read.gh("api", f"repos/{name}")
    subject = read.gh_if("api", f"repos/{found['full_name']}/actions/oidc/customization/sub") or {}
    return Repository(
        full_name=found["full_name"],
        id=int(found["id"]),
        owner_id=int(found["owner"]["id"]),
        created_at=found["created_at"],
        private=bool(found["private"]),
        default_branch=found["default_branch"],
        is_admin=bool((found.get("permissions") or {}).get("admin")),
        subject_prefix=subject.get("sub_claim_prefix"),
        immutable_subject=subject.get("use_immutable_subject"),
        default_subject=subject.get("use_default"),
    )


def read_origin(read: Reader) -> str:
    """Return the URL of the remote `origin`, without a user or a token that it may have in it."""
    return re.sub(r"(?<=://)[^/]*@", "", read.text(("git", "remote", "get-url", "origin")).strip())


def read_github(read: Reader, wishes: Wishes, repository: Repository) -> GitHubFacts:
    """Read all that the plan depends on; nothing is changed."""
    variables = read.gh("variable", "list", "--repo", repository.full_name, "--json", "name,value")
    return GitHubFacts(
        repository=repository,
        environments=read_environments(read, repository.full_name, wishes.environments),
        variables={each["name"]: each["value"] for each in variables},
        reviewers=tuple(read_reviewer(read, login) for login in dict.fromkeys(wishes.reviewers)),
    )


def read_environments(read: Reader, repository: str, names: Sequence[str]) -> dict[str, Environment]:
    """Return those of the environments that exist, with the branches that may use them.

    Raises PlatformError where one may not be read: taken for a new one, it would lose its rules.
    """
    found = {}
    for name in names:
        document = read.gh_if("api", f"repos/{repository}/environments/{name}", absent="HTTP 404")
        if document is not None:
            custom = (document.get("deployment_branch_policy") or {}).get("custom_branch_policies")
            found[name] = environment_of(document, read_policies(read, repository, name) if custom else ())
    return found


def read_policies(read: Reader, repository: str, environment: str) -> tuple[BranchPolicy, ...]:
    path = f"repos/{repository}/environments/{environment}/deployment-branch-policies?per_page=100"
    return tuple(
        BranchPolicy(int(each["id"]), each["name"], each.get("type") or "branch")
        for each in read.gh("api", path)["branch_policies"]
    )


def read_reviewer(read: Reader, login: str) -> Reviewer:
    found = read.gh("api", f"users/{login}")
    return Reviewer("User", int(found["id"]), found["login"])

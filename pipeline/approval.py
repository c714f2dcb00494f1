"""Whether anybody is asked before traffic moves, looked up before it does: GitHub lets a job without reviewers run."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from deployment.github import add_summary, annotate
from pipeline.endpoint import ENVIRONMENTS
from pipeline.environment import require
from pipeline.errors import PipelineError
from pipeline.github_api import VARIABLES, ApiError, GitHubApi, api_from
from pipeline.markdown import plain

HINTS: Mapping[int, str] = {
    HTTPStatus.FORBIDDEN: "the job needs `permissions: actions: read`",
}
REVIEWERS_RULE = "required_reviewers"


def approval(environ: Mapping[str, str]) -> None:
    """Say in the summary who is asked before traffic moves; nobody, or what cannot be looked up, is a warning."""
    environment, *_ = require(environ, "ENVIRONMENT", *VARIABLES)
    if environment not in ENVIRONMENTS:
        raise PipelineError(f"ENVIRONMENT: {environment!r} is none; set it to {' or '.join(ENVIRONMENTS)}")
    api = api_from(environ, HINTS)
    try:
        reviewers = reviewers_of(api, environment)
    except ApiError as error:
        told = f"whether anybody is asked before traffic moves on {environment} could not be looked up: {error}"
        warn("The reviewers could not be looked up", told)
        return
    if not reviewers:
        warn("Nobody will be asked", nobody_is_asked(environment))
        return
    add_summary(f"Before traffic moves on {environment}, one of them is asked: {plain(', '.join(reviewers))}.")


def reviewers_of(api: GitHubApi, environment: str) -> list[str]:
    """Return the logins and teams that a job of the environment waits for; none where there is no such environment."""
    try:
        found = api.call("GET", f"/repos/{api.repository}/environments/{environment}")
    except ApiError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return []
        raise
    return list(names_in(found))


def names_in(found: Any) -> Iterator[str]:
    """Yield whom the environment's rules name as reviewers: a person by the login, a team by its slug."""
    for rule in found.get("protection_rules") or ():
        if rule.get("type") != REVIEWERS_RULE:
            continue
        for each in rule.get("reviewers") or ():
            reviewer = each.get("reviewer") or {}
            yield str(reviewer.get("login") or f"team {reviewer.get('slug')}")


def nobody_is_asked(environment: str) -> str:
    return (
        f"nobody will be asked before traffic moves on {environment}: its environment has no required reviewers; add "
        f"them in Settings > Environments > {environment} > Required reviewers (private repositories have them on "
        "GitHub Enterprise only)"
    )


def warn(title: str, told: str) -> None:
    annotate("warning", title, told)
    add_summary(f"**Warning:** {plain(told)}.")

"""A comment of a pull request that each run writes anew in place of adding one more."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from deployment.github import add_summary
from pipeline.errors import PipelineError
from pipeline.github_api import ApiError, GitHubApi, api_from

# What load/report_comment.py puts into the first line.
MARKER = re.compile(r"<!-- release report of [0-9A-Za-z._-]+ -->")
PER_PAGE = 100
HINTS: Mapping[int, str] = {
    HTTPStatus.FORBIDDEN: "the job needs `permissions: pull-requests: write`, which no fork's token has",
    HTTPStatus.NOT_FOUND: "see that the repository and the pull request exist, and that the token may read them",
}


@dataclass(frozen=True)
class Comments:
    """The comments of one repository's pull requests."""

    api: GitHubApi

    def of(self, pull_request: int) -> Iterator[dict[str, Any]]:
        """Yield all comments, page by page."""
        page, full = 1, True
        while full:
            path = f"{self.issues}/{pull_request}/comments?per_page={PER_PAGE}&page={page}"
            found = self.api.call("GET", path)
            yield from found
            page, full = page + 1, len(found) == PER_PAGE

    def edit(self, comment_id: int, body: str) -> str:
        """Write a comment anew; return its address."""
        return str(self.api.call("PATCH", f"{self.issues}/comments/{comment_id}", {"body": body})["html_url"])

    def add(self, pull_request: int, body: str) -> str:
        """Add a comment; return its address."""
        return str(self.api.call("POST", f"{self.issues}/{pull_request}/comments", {"body": body})["html_url"])

    def own_login(self) -> str:
        """Return who the token speaks for; empty where that is not told, as to a workflow's own token."""
        try:
            return str(self.api.call("GET", "/user")["login"])
        except ApiError:
            return ""

    @property
    def issues(self) -> str:
        return f"/repos/{self.api.repository}/issues"


def comment(environ: Mapping[str, str], file: Path, pull_request: int) -> None:
    """Put the file's content into this repository's comment with its marker; where there is none, add one."""
    body = read_body(file)
    comments = Comments(api_from(environ, HINTS))
    found = find(comments, pull_request, body.splitlines()[0])
    url = comments.edit(found, body) if found is not None else comments.add(pull_request, body)
    add_summary(f"[The comment]({url}) of pull request {pull_request} was {'written anew' if found else 'added'}.")


def find(comments: Comments, pull_request: int, marker: str) -> int | None:
    """Return the comment that may be written anew: it begins with the marker, and is a bot's or the token's own."""
    marked = [each for each in comments.of(pull_request) if first_line(each) == marker]
    bots = [each for each in marked if (each.get("user") or {}).get("type") == "Bot"]
    if not bots and marked and (login := comments.own_login()):
        bots = [each for each in marked if (each.get("user") or {}).get("login") == login]
    return int(bots[0]["id"]) if bots else None


def first_line(found: Mapping[str, Any]) -> str:
    lines = str(found.get("body") or "").splitlines()
    return lines[0].strip() if lines else ""


def read_body(file: Path) -> str:
    """Return the file's content; raises PipelineError unless it begins with a marker."""
    try:
        body = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PipelineError(f"--file {file}: it cannot be read ({error}); name a report's comment.md") from error
    if not MARKER.fullmatch(body.partition("\n")[0]):
        raise PipelineError(f"--file {file}: its first line is no marker of a report; name a report's comment.md")
    return body

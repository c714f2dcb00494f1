"""A comment of a pull request that each run writes anew in place of adding one more."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from deployment.github import add_summary
from pipeline.environment import require
from pipeline.errors import EXIT_REFUSED, PipelineError

# What load/report_comment.py puts into the first line.
MARKER = re.compile(r"<!-- release report of [0-9A-Za-z._-]+ -->")
PER_PAGE = 100
TIMEOUT_S = 30.0
MOST_TOLD_CHARACTERS = 300
HINTS: Mapping[int, str] = {
    HTTPStatus.UNAUTHORIZED: "GITHUB_TOKEN is not, or no longer, valid",
    HTTPStatus.FORBIDDEN: "the job needs `permissions: pull-requests: write`, which no fork's token has",
    HTTPStatus.NOT_FOUND: "see that the repository and the pull request exist, and that the token may read them",
}


@dataclass(frozen=True)
class GitHub:
    """The comments of one repository's pull requests, by GitHub's REST API."""

    api_url: str
    repository: str
    token: str

    def comments(self, pull_request: int) -> Iterator[dict[str, Any]]:
        """Yield all comments, page by page."""
        page, full = 1, True
        while full:
            path = f"/repos/{self.repository}/issues/{pull_request}/comments?per_page={PER_PAGE}&page={page}"
            found = self.call("GET", path)
            yield from found
            page, full = page + 1, len(found) == PER_PAGE

    def edit(self, comment_id: int, body: str) -> str:
        """Write a comment anew; return its address."""
        return str(self.call("PATCH", f"/repos/{self.repository}/issues/comments/{comment_id}", body)["html_url"])

    def add(self, pull_request: int, body: str) -> str:
        """Add a comment; return its address."""
        return str(self.call("POST", f"/repos/{self.repository}/issues/{pull_request}/comments", body)["html_url"])

    def own_login(self) -> str:
        """Return who the token speaks for; empty where that is not told, as to a workflow's own token."""
        try:
            return str(self.call("GET", "/user")["login"])
        except PipelineError:
            return ""

    def call(self, method: str, path: str, body: str | None = None) -> Any:
        """Return the answer's JSON; raises PipelineError with what GitHub says and what to do."""
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/json",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        content = json.dumps({"body": body}).encode() if body is not None else None
        request = Request(f"{self.api_url}{path}", content, headers, method=method)  # noqa: S310 - see require_web
        try:
            with urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310 - see require_web
                return json.load(answer)
        except HTTPError as error:
            with error:
                said = error.read().decode(errors="replace")[:MOST_TOLD_CHARACTERS]
            hint = HINTS.get(error.code, "run the job again")
            told = f"{method} {path}: GitHub answered {error.code} ({said}); {hint}"
        except (URLError, OSError, ValueError) as error:
            told = f"{method} {path}: {self.api_url} cannot be asked ({error}); run the job again"
        raise PipelineError(told, exit_code=EXIT_REFUSED)


def comment(environ: Mapping[str, str], file: Path, pull_request: int) -> None:
    """Put the file's content into this repository's comment with its marker; where there is none, add one."""
    body = read_body(file)
    api_url, repository, token = require(environ, "GITHUB_API_URL", "GITHUB_REPOSITORY", "GITHUB_TOKEN")
    github = GitHub(require_web(api_url), repository, token)
    found = find(github, pull_request, body.splitlines()[0])
    url = github.edit(found, body) if found is not None else github.add(pull_request, body)
    add_summary(f"[The comment]({url}) of pull request {pull_request} was {'written anew' if found else 'added'}.")


def find(github: GitHub, pull_request: int, marker: str) -> int | None:
    """Return the comment that may be written anew: it begins with the marker, and is a bot's or the token's own."""
    marked = [each for each in github.comments(pull_request) if first_line(each) == marker]
    bots = [each for each in marked if (each.get("user") or {}).get("type") == "Bot"]
    if not bots and marked and (login := github.own_login()):
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


def require_web(api_url: str) -> str:
    if urlsplit(api_url).scheme not in {"http", "https"}:
        raise PipelineError(f"GITHUB_API_URL: {api_url!r} is no address of the web; GitHub sets it in every step")
    return api_url.rstrip("/")

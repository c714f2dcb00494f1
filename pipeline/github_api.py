"""GitHub's REST API, for a step of a workflow."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from pipeline.environment import require
from pipeline.errors import EXIT_REFUSED, PipelineError

VARIABLES = ("GITHUB_API_URL", "GITHUB_REPOSITORY", "GITHUB_TOKEN")
TIMEOUT_S = 30.0
MOST_TOLD_CHARACTERS = 300
INVALID_TOKEN = "GITHUB_TOKEN is not, or no longer, valid"  # noqa: S105 - what is said of one


class ApiError(PipelineError):
    """GitHub has refused a call, or could not be asked; `status` is what it answered."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message, exit_code=EXIT_REFUSED)
        self.status = status


@dataclass(frozen=True)
class GitHubApi:
    """The API for one repository; `hints` say what to do where it answers with a status."""

    url: str
    repository: str
    token: str
    hints: Mapping[int, str]

    def call(self, method: str, path: str, document: Mapping[str, Any] | None = None) -> Any:
        """Return the answer's JSON; raises ApiError with what GitHub says and what to do."""
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/json",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        content = json.dumps(document).encode() if document is not None else None
        request = Request(f"{self.url}{path}", content, headers, method=method)  # noqa: S310 - see require_web
        try:
            with urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310 - see require_web
                return json.load(answer)
        except HTTPError as error:
            raise self.refusal(f"{method} {path}", error) from error
        except (URLError, OSError, ValueError) as error:
            raise ApiError(f"{method} {path}: {self.url} cannot be asked ({error}); run the job again") from error

    def refusal(self, call: str, error: HTTPError) -> ApiError:
        with error:
            said = error.read().decode(errors="replace")[:MOST_TOLD_CHARACTERS]
        known = {HTTPStatus.UNAUTHORIZED.value: INVALID_TOKEN, **self.hints}
        hint = known.get(error.code, "run the job again")
        return ApiError(f"{call}: GitHub answered {error.code} ({said}); {hint}", error.code)


def api_from(environ: Mapping[str, str], hints: Mapping[int, str]) -> GitHubApi:
    """Return the API that the step's environment names; raises PipelineError where it names none."""
    url, repository, token = require(environ, *VARIABLES)
    return GitHubApi(require_web(url), repository, token, hints)


def require_web(url: str) -> str:
    if urlsplit(url).scheme not in {"http", "https"}:
        raise PipelineError(f"GITHUB_API_URL: {url!r} is no address of the web; GitHub sets it in every step")
    return url.rstrip("/")

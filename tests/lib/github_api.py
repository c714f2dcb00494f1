"""GitHub's REST API on loopback: comments of pull requests by pages, and who may edit which; rules of environments."""

import contextlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

BOT = {"login": "github-actions[bot]", "type": "Bot"}
COMMENTS = re.compile(r"/repos/(?P<repository>[\w.-]+/[\w.-]+)/issues/(?P<number>\d+)/comments")
COMMENT = re.compile(r"/repos/(?P<repository>[\w.-]+/[\w.-]+)/issues/comments/(?P<id>\d+)")
ENVIRONMENT = re.compile(r"/repos/(?P<repository>[\w.-]+/[\w.-]+)/environments/(?P<environment>[\w.-]+)")
BRANCH_POLICY = {"id": 1, "type": "branch_policy"}
PER_PAGE = 30
MOST_PER_PAGE = 100


@dataclass
class GitHubApi:
    """A running API: the comments of each pull request, the rules of each environment, every request (method, path).

    With `refusing` it answers every request so.
    """

    url: str
    repository: str
    token: str
    comments: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    environments: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    refusing: HTTPStatus | None = None

    def add(self, number: int, body: str, user: dict[str, str]) -> dict[str, Any]:
        """Add a comment to a pull request."""
        comment_id = 1 + sum(len(each) for each in self.comments.values())
        comment = {"id": comment_id, "body": body, "user": user, "html_url": f"{self.url}/comments/{comment_id}"}
        self.comments.setdefault(number, []).append(comment)
        return comment

    def add_environment(self, name: str, *reviewers: dict[str, Any]) -> None:
        """Add an environment that main alone deploys to, and whose jobs wait for these reviewers."""
        rule = {"id": 2, "type": "required_reviewers", "prevent_self_review": False, "reviewers": list(reviewers)}
        self.environments[name] = [BRANCH_POLICY, *([rule] if reviewers else [])]

    def answer(self, method: str, target: str, authorization: str, body: bytes) -> tuple[int, Any, str]:
        """Answer a request with a status, a document, and a Link header."""
        path, query = urlsplit(target).path, parse_qs(urlsplit(target).query)
        self.requests.append((method, path))
        if self.refusing is not None:
            return self.refusing, {"message": "Resource not accessible by integration"}, ""
        if authorization.partition(" ")[2] != self.token:
            return HTTPStatus.UNAUTHORIZED, {"message": "Bad credentials"}, ""
        if method == "GET" and (environment := ENVIRONMENT.fullmatch(path)):
            return self.rules(environment["repository"], environment["environment"])
        return self.answer_of_comments(method, path, query, body)

    def answer_of_comments(
        self, method: str, path: str, query: dict[str, list[str]], body: bytes
    ) -> tuple[int, Any, str]:
        matched = COMMENTS.fullmatch(path) or COMMENT.fullmatch(path)
        if matched is None or matched["repository"] != self.repository:
            return HTTPStatus.NOT_FOUND, {"message": "Not Found"}, ""
        if method == "GET" and "number" in matched.groupdict():
            return self.page(path, int(matched["number"]), query)
        text = json.loads(body)["body"]
        if method == "POST" and "number" in matched.groupdict():
            return HTTPStatus.CREATED, self.add(int(matched["number"]), text, BOT), ""
        if method == "PATCH" and "id" in matched.groupdict():
            return self.edit(int(matched["id"]), text)
        return HTTPStatus.METHOD_NOT_ALLOWED, {"message": method}, ""

    def page(self, path: str, number: int, query: dict[str, list[str]]) -> tuple[int, Any, str]:
        size = min(int(query.get("per_page", [str(PER_PAGE)])[0]), MOST_PER_PAGE)
        page = int(query.get("page", ["1"])[0])
        found = self.comments.get(number, [])
        following = (
            f'<{self.url}{path}?per_page={size}&page={page + 1}>; rel="next"' if page * size < len(found) else ""
        )
        return HTTPStatus.OK, found[(page - 1) * size : page * size], following

    def rules(self, repository: str, environment: str) -> tuple[int, Any, str]:
        if repository != self.repository or environment not in self.environments:
            return HTTPStatus.NOT_FOUND, {"message": "Not Found"}, ""
        return HTTPStatus.OK, {"name": environment, "protection_rules": self.environments[environment]}, ""

    def edit(self, comment_id: int, text: str) -> tuple[int, Any, str]:
        for comment in (each for all_of in self.comments.values() for each in all_of):
            if comment["id"] == comment_id:
                if comment["user"] != BOT:
                    return HTTPStatus.FORBIDDEN, {"message": "Resource not accessible by integration"}, ""
                comment["body"] = text
                return HTTPStatus.OK, comment, ""
        return HTTPStatus.NOT_FOUND, {"message": "Not Found"}, ""


def a_person(login: str) -> dict[str, Any]:
    """Return a reviewer of an environment."""
    return {"type": "User", "reviewer": {"login": login, "id": 1, "type": "User"}}


def a_team(slug: str) -> dict[str, Any]:
    """Return a team that reviews."""
    return {"type": "Team", "reviewer": {"name": slug.title(), "id": 2, "slug": slug}}


@contextlib.contextmanager
def running_github_api(repository: str, token: str) -> Iterator[GitHubApi]:
    """Run the API on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, document, link = api.answer(self.command, self.path, self.headers.get("authorization", ""), body)
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json; charset=utf-8")
            self.send_header("content-length", str(len(content)))
            if link:
                self.send_header("link", link)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = respond  # noqa: N815 - http.server's names

        def log_message(self, format: str, *_: Any) -> None:  # noqa: A002 - http.server's name
            """Keep it off the terminal."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        api = GitHubApi(f"http://127.0.0.1:{server.server_address[1]}", repository, token)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield api
        finally:
            server.shutdown()
            thread.join()

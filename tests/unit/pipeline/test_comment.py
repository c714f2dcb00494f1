"""The report's comment in a pull request, against a small API of GitHub's kind."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from load.report_comment import marker
from pipeline.comment import comment
from pipeline.errors import PipelineError
from tests.lib.github_step import Step

pytestmark = pytest.mark.unit

MARKER = marker("diabetes")
BODY = f"{MARKER}\n### PASSED\n"
BOT = {"login": "github-actions[bot]", "type": "Bot"}
PERSON = {"login": "octo-cat", "type": "User"}
COMMENTS = "/repos/acme/demo/issues/7/comments"


@dataclass
class Api:
    """Comments of pull request 7 of acme/demo; `failing` answers every request so, `own` is whose token it is."""

    comments: list[dict[str, Any]] = field(default_factory=list)
    failing: HTTPStatus | None = None
    own: str = ""
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def __post_init__(self) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(self))
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def add(self, body: str | None, user: dict[str, str] | None = None) -> int:
        number = 1000 + len(self.comments)
        self.comments.append({"id": number, "body": body, "user": user, "html_url": f"https://github.test/{number}"})
        return number

    def bodies(self) -> dict[int, str]:
        return {each["id"]: each["body"] for each in self.comments}

    def answer(self, method: str, path: str, authorization: str | None, document: Any) -> tuple[int, Any]:
        self.asked.append(f"{method} {path}")
        if self.failing is not None:
            return self.failing, {"message": "Resource not accessible by integration"}
        assert authorization == "Bearer a-token"
        parts = urlsplit(path)
        match method, parts.path:
            case "GET", "/user":
                return (200, {"login": self.own}) if self.own else (403, {"message": "not for integrations"})
            case "GET", path if path == COMMENTS:
                asked = parse_qs(parts.query)
                size, page = int(asked["per_page"][0]), int(asked["page"][0])
                return 200, self.comments[(page - 1) * size : page * size]
            case "POST", path if path == COMMENTS:
                number = self.add(document["body"], BOT)
                return 201, self.comments[number - 1000]
            case "PATCH", path:
                found = self.comments[int(path.rpartition("/")[2]) - 1000]
                assert path == f"/repos/acme/demo/issues/comments/{found['id']}"
                found["body"] = document["body"]
                return 200, found
        return 404, {"message": "Not Found"}


def handler_of(api: Api) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do(self) -> None:
            sent = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, answer = api.answer(
                self.command, self.path, self.headers.get("authorization"), json.loads(sent) if sent else None
            )
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do  # noqa: N815 - the names that http.server asks for

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@pytest.fixture
def api() -> Iterator[Api]:
    api = Api()
    thread = Thread(target=api.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield api
    api.server.shutdown()
    thread.join()
    api.server.server_close()


def write(api: Api, folder: Path, body: str = BODY) -> None:
    file = folder / "comment.md"
    file.write_text(body, encoding="utf-8")
    environ = {"GITHUB_API_URL": api.url, "GITHUB_REPOSITORY": "acme/demo", "GITHUB_TOKEN": "a-token"}
    comment(environ, file, 7)


def test_the_first_run_adds_a_comment(api: Api, tmp_path: Path, step: Step) -> None:
    api.add("looks good to me", PERSON)
    write(api, tmp_path)
    assert api.bodies()[1001] == BODY
    assert "[The comment](https://github.test/1001) of pull request 7 was added." in step.summary


def test_the_next_run_writes_it_anew(api: Api, tmp_path: Path, step: Step) -> None:
    old = api.add(f"{MARKER}\r\n### FAIL\r\n", BOT)
    write(api, tmp_path)
    assert api.bodies() == {old: BODY}
    assert "was written anew" in step.summary


def test_it_is_found_on_a_later_page(api: Api, tmp_path: Path) -> None:
    for number in range(200):
        api.add(f"comment {number}", PERSON)
    old = api.add(f"{MARKER}\nold", BOT)
    write(api, tmp_path)
    assert api.bodies()[old] == BODY
    assert len(api.comments) == 201
    assert sum(each.startswith("GET") for each in api.asked) == 3


def test_pages_that_end_exactly_are_the_last(api: Api, tmp_path: Path) -> None:
    for number in range(100):
        api.add(f"comment {number}", PERSON)
    write(api, tmp_path)
    assert api.bodies()[1100] == BODY
    assert sum(each.startswith("GET") for each in api.asked) == 2


def test_a_comment_of_somebody_else_with_the_same_marker_is_left_alone(api: Api, tmp_path: Path) -> None:
    theirs = api.add(f"{MARKER}\ncopied by hand", PERSON)
    write(api, tmp_path)
    assert api.bodies() == {theirs: f"{MARKER}\ncopied by hand", 1001: BODY}


def test_a_comment_that_quotes_the_marker_is_another(api: Api, tmp_path: Path) -> None:
    quoting = api.add(f"> {MARKER}\n\nwhat is this?", BOT)
    api.add(None, None)
    api.add(f"hello\n{MARKER}", BOT)
    other = api.add(f"{marker('other')}\nof another endpoint", BOT)
    write(api, tmp_path)
    assert api.bodies()[quoting].startswith("> ")
    assert "another" in api.bodies()[other]
    assert api.bodies()[1004] == BODY


def test_whoever_runs_it_by_hand_writes_their_own_comment_anew(api: Api, tmp_path: Path) -> None:
    api.own = "octo-cat"
    mine = api.add(f"{MARKER}\nmine", PERSON)
    write(api, tmp_path)
    assert api.bodies() == {mine: BODY}


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (HTTPStatus.UNAUTHORIZED, "GITHUB_TOKEN is not, or no longer, valid"),
        (HTTPStatus.FORBIDDEN, "pull-requests: write"),
        (HTTPStatus.NOT_FOUND, "see that the repository and the pull request exist"),
        (HTTPStatus.BAD_GATEWAY, "run the job again"),
    ],
)
def test_a_refusal_of_the_api_is_told_with_what_to_do(
    status: HTTPStatus, hint: str, api: Api, tmp_path: Path, step: Step
) -> None:
    api.failing = status
    with pytest.raises(PipelineError, match=hint) as raised:
        write(api, tmp_path)
    assert f"GET {COMMENTS}?per_page=100&page=1: GitHub answered {status}" in str(raised.value)
    assert "Resource not accessible" in str(raised.value)
    assert "a-token" not in str(raised.value)
    assert raised.value.exit_code == 1
    assert step.summary == ""


def test_an_api_that_cannot_be_reached_is_named(api: Api, tmp_path: Path) -> None:
    dead = Api()
    dead.server.server_close()
    with pytest.raises(PipelineError, match=f"{dead.url} cannot be asked"):
        write(dead, tmp_path)
    assert api.asked == []


@pytest.mark.parametrize("body", ["", "### PASSED\n", f" {MARKER}\n", "<!-- something else -->\n"])
def test_a_file_without_a_marker_is_refused_before_anything_is_sent(body: str, api: Api, tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="its first line is no marker of a report"):
        write(api, tmp_path, body)
    assert api.asked == []


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"--file .*nothing.md: it cannot be read"):
        comment({}, tmp_path / "nothing.md", 7)


def test_what_the_environment_lacks_is_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "comment.md").write_text(BODY, encoding="utf-8")
    with pytest.raises(PipelineError) as raised:
        comment({}, tmp_path / "comment.md", 7)
    assert [message.partition(" ")[0] for message in raised.value.messages] == [
        *("GITHUB_API_URL", "GITHUB_REPOSITORY", "GITHUB_TOKEN")
    ]
    elsewhere = {"GITHUB_API_URL": "file:///etc", "GITHUB_REPOSITORY": "acme/demo", "GITHUB_TOKEN": "a-token"}
    with pytest.raises(PipelineError, match="GITHUB_API_URL: 'file:///etc' is no address of the web"):
        comment(elsewhere, tmp_path / "comment.md", 7)

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from deployment.outcomes import PlatformError
from deployment.registry import ImageReference, has_manifest, read_reference

pytestmark = pytest.mark.unit
DIGEST = "sha256:" + "0a" * 32


@contextmanager
def answering(status: int, location: str = "") -> Iterator[tuple[str, list[str]]]:
    """A registry that answers everything so; yields its host and what was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            asked.append(f"{self.path} {self.headers.get('authorization', '-')}")
            self.send_response(status)
            if location:
                self.send_header("location", location)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("image", "host", "repository"),
    [
        (f"mine.azurecr.io/team/diabetes@{DIGEST}", "mine.azurecr.io", "team/diabetes"),
        (f"127.0.0.1:5000/diabetes:3@{DIGEST}", "127.0.0.1:5000", "diabetes"),
        (f"registry:5000/diabetes@{DIGEST}", "registry:5000", "diabetes"),
        (f"localhost/diabetes@{DIGEST}", "localhost", "diabetes"),
        (f"library/python@{DIGEST}", "", "library/python"),
        (f"diabetes@{DIGEST}", "", "diabetes"),
    ],
)
def test_a_reference_by_digest_is_read(image: str, host: str, repository: str) -> None:
    assert read_reference(image) == ImageReference(host, repository, DIGEST)


@pytest.mark.parametrize(
    "image",
    [
        "diabetes",
        "diabetes:1",
        f"diabetes@{DIGEST}0",
        f"diabetes@{DIGEST.upper()}",
        f"me:secret@mine.azurecr.io/diabetes@{DIGEST}",
        f"https://mine.azurecr.io/diabetes@{DIGEST}",
        f"mine.azurecr.io/../diabetes@{DIGEST}",
        f"@{DIGEST}",
        "",
    ],
)
def test_anything_else_is_no_reference_by_digest(image: str) -> None:
    assert read_reference(image) is None


@pytest.mark.parametrize(("status", "has_it"), [(200, True), (404, False)])
def test_a_registry_without_a_login_is_asked_for_the_manifest(status: int, has_it: bool) -> None:  # noqa: FBT001 - a case
    with answering(status) as (host, asked):
        assert has_manifest(ImageReference(host, "diabetes", DIGEST)) is has_it
    assert asked == [f"/v2/diabetes/manifests/{DIGEST} -"]


@pytest.mark.parametrize("status", [301, 307, 401, 403, 429, 503])
def test_a_registry_that_does_not_say_is_an_error_with_its_status(status: int) -> None:
    with answering(200) as (elsewhere, asked), answering(status, f"http://{elsewhere}/") as (host, _):
        with pytest.raises(PlatformError, match=f"registry {host}: it answers {status}"):
            has_manifest(ImageReference(host, "diabetes", DIGEST))
        assert asked == []


def test_a_registry_that_does_not_answer_is_an_error() -> None:
    with answering(200) as (host, _):
        pass
    with pytest.raises(PlatformError, match=f"registry {host}: no answer"):
        has_manifest(ImageReference(host, "diabetes", DIGEST))

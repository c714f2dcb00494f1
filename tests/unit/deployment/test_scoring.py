"""Requests to the endpoint, and a key that is rotated while they are sent."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from deployment.outcomes import PlatformError
from deployment.scoring import DEPLOYMENT_HEADER, ScoringClient, asking

pytestmark = pytest.mark.unit

URI = "https://fake.test/score"
Handler = Callable[[httpx.Request], httpx.Response]
Make = Callable[..., ScoringClient]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Return what makes a client that a function answers in place of a network."""
    opened: list[ScoringClient] = []
    real = httpx.Client

    def make_client(handler: Handler, *, new_key: Callable[[], str] | None = None) -> ScoringClient:
        monkeypatch.setattr(
            httpx,
            "Client",
            lambda **options: real(**{**options, "transport": httpx.MockTransport(handler), "verify": True}),
        )
        client = ScoringClient(URI, "old", new_key=new_key)
        opened.append(client)
        return client

    yield make_client
    for client in opened:
        client.__exit__(None, None, None)


class Keyring:
    """Keys that are given out one after the other, and counted."""

    def __init__(self, *keys: str) -> None:
        self.keys = list(keys)
        self.given = 0

    def __call__(self) -> str:
        self.given += 1
        return self.keys[min(self.given, len(self.keys)) - 1]


def accepts(*keys: str) -> Handler:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.headers["authorization"] not in {f"Bearer {key}" for key in keys}:
            return httpx.Response(401)
        return httpx.Response(200, json=[1.0], headers={DEPLOYMENT_HEADER: "green"})

    return answer


def test_a_request_goes_to_the_scoring_uri_with_the_key_and_the_name(make: Make) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=[1.5], headers={DEPLOYMENT_HEADER: "green", "x-request-id": "id-1"})

    client = make(answer)
    named = client.score({"data": [[1.0]]}, deployment="green")
    client.score({"data": [[1.0]]})
    assert (named.status, named.deployment, named.body, named.request_id) == (200, "green", [1.5], "id-1")
    assert [str(request.url) for request in seen] == [URI, URI]
    assert json.loads(seen[0].content) == {"data": [[1.0]]}
    assert [request.headers.get(DEPLOYMENT_HEADER) for request in seen] == ["green", None]
    assert {request.headers["authorization"] for request in seen} == {"Bearer old"}


def test_a_ping_asks_the_root_route(make: Make) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, text="Healthy")

    assert make(answer).ping("green").ok
    assert [(request.method, str(request.url)) for request in seen] == [("GET", "https://fake.test/")]
    assert seen[0].headers[DEPLOYMENT_HEADER] == "green"


def test_a_key_that_is_refused_is_fetched_anew_and_the_request_repeated(make: Make) -> None:
    keyring = Keyring("new")
    client = make(accepts("new"), new_key=keyring)
    assert client.score({}, deployment="green").ok
    assert client.score({}).ok
    assert keyring.given == 1


def test_a_new_key_that_is_refused_too_is_not_asked_for_again_by_that_request(make: Make) -> None:
    keyring = Keyring("also-wrong")
    assert make(accepts("another"), new_key=keyring).score({}).status == 401
    assert keyring.given == 1


def test_without_a_way_to_a_new_key_the_refusal_is_the_answer(make: Make) -> None:
    assert make(accepts("new")).score({}).status == 401


def test_a_platform_that_gives_no_key_leaves_the_refusal_as_the_answer(make: Make) -> None:
    def refuse() -> str:
        raise PlatformError("endpoint: 403")

    assert make(accepts("new"), new_key=refuse).score({}).status == 401


@pytest.mark.parametrize("status", [403, 404, 424, 429, 500, 503])
def test_no_other_refusal_asks_for_a_key_or_is_repeated(status: int, make: Make) -> None:
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(status, text="no")

    keyring = Keyring("new")
    answered = make(answer, new_key=keyring).score({})
    assert (answered.status, answered.ok, answered.body) == (status, False, "no")
    assert (keyring.given, len(sent)) == (0, 1)


def test_of_many_threads_that_are_refused_at_once_only_one_fetches_a_key(make: Make) -> None:
    threads = 8
    all_refused = threading.Barrier(threads, timeout=10)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.headers["authorization"] == "Bearer old":
            all_refused.wait()  # nobody is told before everybody has asked with the old key
        return accepts("new")(request)

    keyring = Keyring("new", "newer")
    client = make(answer, new_key=keyring)
    with ThreadPoolExecutor(threads) as pool:
        answers = list(pool.map(lambda _: client.score({}), range(threads)))
    assert [answer.status for answer in answers] == [200] * threads
    assert keyring.given == 1


def test_a_key_rotated_twice_is_fetched_twice(make: Make) -> None:
    valid = ["first"]

    def answer(request: httpx.Request) -> httpx.Response:
        return accepts(*valid)(request)

    keyring = Keyring("first", "second")
    client = make(answer, new_key=keyring)
    assert client.score({}).ok
    valid[:] = ["second"]
    assert client.score({}).ok
    assert keyring.given == 2


@pytest.mark.parametrize("error", [httpx.ConnectError("refused"), httpx.ReadTimeout("too late")], ids=repr)
def test_a_request_without_an_answer_is_told_as_status_0(error: httpx.HTTPError, make: Make) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise error

    answer = make(fail).score({})
    assert (answer.status, answer.ok, answer.deployment) == (0, False, "")
    assert type(error).__name__ in answer.body


def test_an_answer_that_is_no_json_is_cut_to_what_can_be_told(make: Make) -> None:
    answer = make(lambda _: httpx.Response(502, text="<html>" + "x" * 1000)).score({})
    assert len(answer.body) == 500


def test_each_body_is_asked_in_turn(make: Make) -> None:
    bodies: list[object] = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        return httpx.Response(200, json=[1.0])

    ask = asking(make(answer), ["a", "b"])
    for name in ("green", None, None):
        ask(name)
    assert bodies == ["a", "b", "a"]

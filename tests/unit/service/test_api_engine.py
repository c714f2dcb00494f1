import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from model.faulty import Variant
from service.engine.api_engine import create_app
from service.engine.front import ScoreFront
from service.engine.scoring import ReadyModel
from service.engine.startup import prepare_model
from service.model_artefacts import LoadedModel
from service.request_body import BodyLimits
from service.settings import EngineSettings
from tests.lib.asgi_client import AsgiClient, asgi_client
from tests.lib.model_artefacts import ROW, rows, write_artefacts

pytestmark = pytest.mark.unit

JSON = {"content-type": "application/json"}
LIMITS = BodyLimits(body_bytes=20_000, rows=50)


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_artefacts(tmp_path_factory.mktemp("model"), version="7")


@pytest.fixture(scope="module")
def client(model_dir: Path) -> Iterator[AsgiClient]:
    settings = EngineSettings(model_path=model_dir / "model.joblib", release_id="release-3")
    with asgi_client(create_app(settings, LIMITS)) as started:
        yield started


def body_with(value: str, *, row: int = 3, column: int = 7, rows_sent: int = 5) -> bytes:
    """Return a body with one cell replaced by a piece of JSON."""
    cells = [[str(cell) for cell in ROW] for _ in range(rows_sent)]
    cells[row][column] = value
    return ('{"data": [' + ",".join(f"[{','.join(line)}]" for line in cells) + "]}").encode()


def error_of(answer: Any) -> dict[str, str]:
    document = answer.json()
    assert set(document) == {"error"}
    assert set(document["error"]) == {"code", "message", "location"}
    assert document["error"]["message"].endswith(".")
    error: dict[str, str] = document["error"]
    return error


def test_golden_requests_are_answered_as_in_training(client: AsgiClient, model_dir: Path) -> None:
    golden = json.loads((model_dir / "golden_requests.json").read_text())
    for request in golden["requests"]:
        answer = client.post("/score", json=request["body"])
        assert answer.status_code == 200
        assert answer.json() == pytest.approx(
            request["predictions"], rel=golden["relative_tolerance"], abs=golden["absolute_tolerance"]
        )


def test_predict_answers_the_same_and_names_the_model(client: AsgiClient) -> None:
    answer = client.post("/predict", json=rows(3))
    assert answer.status_code == 200
    assert answer.json() == {
        "predictions": client.post("/score", json=rows(3)).json(),
        "model": {"name": "diabetes", "version": "7"},
    }


def test_the_probe_names_the_process_and_the_model(client: AsgiClient) -> None:
    answer = client.get("/")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ready"
    assert answer.json()["model"] == {"name": "diabetes", "version": "7"}


def test_the_probe_is_503_with_a_reason_before_a_model_is_loaded(model_dir: Path) -> None:
    app = create_app(EngineSettings(model_path=model_dir / "model.joblib"))
    with asgi_client(app, with_lifespan=False) as client:
        answer = client.get("/")
        assert answer.status_code == 503
        assert error_of(answer)["code"] == "model_loading"
        assert client.post("/score", json=rows(1)).status_code == 503


@pytest.mark.parametrize(
    ("body", "status", "code", "location"),
    [
        (b"", 400, "malformed_json", "body"),
        (b"{", 400, "malformed_json", "body"),
        (b'{"data": [[1,]]}', 400, "malformed_json", "body"),
        (b'\xff{"data": []}', 400, "malformed_json", "body"),
        (json.dumps(rows(1)).encode("utf-16"), 400, "malformed_json", "body"),
        (body_with("9" * 5000), 422, "not_finite", "data[3][7]"),
        (b"[" * 10_000, 400, "malformed_json", "body"),
        (b'{"data":' * 2_000, 400, "malformed_json", "body"),
        (b"null", 422, "wrong_type", "body"),
        (b"[[1.0]]", 422, "wrong_type", "body"),
        (b"{}", 422, "missing_field", "data"),
        (b'{"input_data": []}', 422, "missing_field", "data"),
        (json.dumps({**rows(1), "columns": []}).encode(), 422, "empty", "columns"),
        (json.dumps({**rows(1), "index": []}).encode(), 422, "unknown_field", "index"),
        (json.dumps({**rows(1), "\ud800": []}).encode(), 422, "unknown_field", "\ud800"),
        (json.dumps({**rows(1), "k" * 1000: []}).encode(), 422, "unknown_field", "k" * 80),
        (b'{"data": null}', 422, "wrong_type", "data"),
        (b'{"data": "1,2"}', 422, "wrong_type", "data"),
        (b'{"data": []}', 422, "empty", "data"),
        (b'{"data": [[]]}', 422, "empty", "data[0]"),
        (b'{"data": [1, 2]}', 422, "wrong_type", "data[0]"),
        (b'{"data": [[1, 2]]}', 422, "wrong_shape", "data[0]"),
        (json.dumps({"data": [ROW, [*ROW, 1.0]]}).encode(), 422, "wrong_shape", "data[1]"),
        (json.dumps(rows(51)).encode(), 422, "too_many_rows", "data"),
        (body_with('"1.5"'), 422, "wrong_type", "data[3][7]"),
        (body_with("true"), 422, "wrong_type", "data[3][7]"),
        (body_with("null"), 422, "wrong_type", "data[3][7]"),
        (body_with("[1.5]"), 422, "wrong_type", "data[3][7]"),
        (body_with('{"a": 1}'), 422, "wrong_type", "data[3][7]"),
        (body_with("NaN"), 422, "not_finite", "data[3][7]"),
        (body_with("-Infinity"), 422, "not_finite", "data[3][7]"),
        (body_with("1e999"), 422, "not_finite", "data[3][7]"),
        (body_with("9" * 400), 422, "not_finite", "data[3][7]"),
        (b" " * 20_001, 413, "body_too_large", "body"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_body_that_is_not_rows_of_numbers_is_refused_with_its_place(
    client: AsgiClient, body: bytes, status: int, code: str, location: str
) -> None:
    answer = client.post("/score", content=body, headers=JSON)
    error = error_of(answer)
    assert (answer.status_code, error["code"], error["location"]) == (status, code, location)
    assert client.post("/predict", content=body, headers=JSON).json() == answer.json()


def test_a_body_without_content_length_is_cut_off_at_the_limit(client: AsgiClient) -> None:
    sent = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(100):
            sent += 1_000
            yield b" " * 1_000

    answer = client.post("/score", content=chunks(), headers=JSON)
    assert answer.status_code == 413
    assert error_of(answer)["code"] == "body_too_large"
    assert sent <= LIMITS.body_bytes + 2_000


@pytest.mark.parametrize(
    ("headers", "location"),
    [
        ({}, "headers.content-type"),
        ({"content-type": "text/plain"}, "headers.content-type"),
        ({"content-type": "application/x-www-form-urlencoded"}, "headers.content-type"),
        ({"content-type": "application/json; charset=latin-1"}, "headers.content-type"),
        ({**JSON, "content-encoding": "gzip"}, "headers.content-encoding"),
    ],
    ids=repr,
)
def test_a_body_that_is_not_said_to_be_json_is_refused(
    client: AsgiClient, headers: dict[str, str], location: str
) -> None:
    answer = client.post("/score", content=json.dumps(rows(1)).encode(), headers=headers)
    assert answer.status_code == 415
    assert error_of(answer)["location"] == location


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=UTF-8"])
def test_json_in_utf_8_is_accepted_however_it_is_written(client: AsgiClient, content_type: str) -> None:
    body = json.dumps(rows(1)).encode()
    assert client.post("/score", content=body, headers={"content-type": content_type}).status_code == 200


def test_whole_numbers_and_numbers_as_large_as_a_float_are_predicted(client: AsgiClient) -> None:
    assert client.post("/score", json={"data": [[1] * 10]}).status_code == 200
    assert client.post("/score", content=body_with("1" + "0" * 300), headers=JSON).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/score", 405, "method_not_allowed"),
        ("PUT", "/predict", 405, "method_not_allowed"),
        ("POST", "/", 405, "method_not_allowed"),
        ("POST", "/score/", 404, "not_found"),
        ("GET", "/metrics", 404, "not_found"),
    ],
)
def test_what_is_not_served_is_refused_in_the_same_form(
    client: AsgiClient, method: str, path: str, status: int, code: str
) -> None:
    answer = client.request(method, path, follow_redirects=False)
    assert answer.status_code == status
    assert error_of(answer)["code"] == code


def test_answers_carry_the_callers_ids_and_what_answered(client: AsgiClient) -> None:
    sent = {"x-request-id": "id-1", "x-ms-client-request-id": "theirs-2"}
    for answer in (
        client.post("/score", json=rows(1), headers=sent),
        client.post("/score", content=b"{", headers={**JSON, **sent}),
        client.get("/nowhere", headers=sent),
    ):
        assert {name: answer.headers[name] for name in sent} == sent
        assert answer.headers["x-model-version"] == "7"
        assert answer.headers["x-release-id"] == "release-3"
        assert answer.headers["server-timing"].startswith("total;dur=")


def test_the_time_in_the_model_is_told_apart(client: AsgiClient) -> None:
    answer = client.post("/score", json=rows(1))
    timings = dict(entry.split(";dur=") for entry in answer.headers["server-timing"].split(", "))
    assert 0 < float(timings["predict"]) <= float(timings["total"])


@pytest.mark.parametrize("request_id", ["", "x" * 101, "two words", "caf\u00e9"])
def test_an_id_that_is_no_id_is_replaced(client: AsgiClient, request_id: str) -> None:
    answer = client.post("/score", json=rows(1), headers={"x-request-id": request_id.encode("latin-1")})
    assert len(answer.headers["x-request-id"]) == 36


class FailingModel:
    def predict(self, rows_in: Any) -> Any:
        raise RuntimeError(f"cannot take {rows_in.tolist()}")


class AnsweringModel:
    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def predict(self, _: Any) -> Any:
        return self._answer


@pytest.mark.parametrize(
    "predictor",
    [FailingModel(), AnsweringModel([float("nan")]), AnsweringModel([1.0, 2.0]), AnsweringModel(None)],
    ids=lambda predictor: repr(vars(predictor)),
)
def test_a_model_that_fails_is_503_and_the_log_quotes_nothing_of_the_request(
    model_dir: Path, predictor: Any, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(EngineSettings(model_path=model_dir / "model.joblib"))
    assert isinstance(app, ScoreFront)
    with asgi_client(app) as client, caplog.at_level(logging.DEBUG):
        served = app.scoring.model.predictor
        served.set_model(LoadedModel(predictor, served.metadata))
        answer = client.post("/score", json={"data": [[123456.75] * 10]})
        assert client.get("/").status_code == 200
    assert answer.status_code == 503
    assert error_of(answer)["code"] == "prediction_failed"
    assert "123456" not in caplog.text + answer.text


@pytest.mark.parametrize("path", ["/score", "/predict"])
def test_a_fault_of_the_service_itself_is_503_in_the_same_form(
    client: AsgiClient, path: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret of the request")

    monkeypatch.setattr("service.engine.decoding.RowsDecoder.decode", fail)
    with caplog.at_level(logging.DEBUG):
        answer = client.post(path, json=rows(1))
    assert answer.status_code == 503
    assert error_of(answer)["code"] == "service_fault"
    assert "RuntimeError" in caplog.text
    assert "secret" not in caplog.text + answer.text


@pytest.fixture(scope="module")
def slow_model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model that takes a fiftieth of a second a row."""
    return write_artefacts(tmp_path_factory.mktemp("slow"), variant=Variant.SLOW)


def settings_of(folder: Path, **more: Any) -> EngineSettings:
    return EngineSettings(model_path=folder / "model.joblib", **more)


def test_probes_answer_while_the_model_predicts(slow_model_dir: Path) -> None:
    with asgi_client(create_app(settings_of(slow_model_dir))) as client, ThreadPoolExecutor(1) as pool:
        scored = pool.submit(client.post, "/score", json=rows(50))
        for path in ("/", "/readyz", "/livez"):
            assert client.get(path).status_code == 200
        assert not scored.done()
        assert scored.result().status_code == 200


def test_more_requests_than_may_wait_are_refused_at_once_and_told_when_to_come_again(slow_model_dir: Path) -> None:
    app = create_app(settings_of(slow_model_dir, queue_limit_requests=2))
    with asgi_client(app) as client, ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: client.post("/score", json=rows(10)), range(12)))
    refused = [answer for answer in answers if answer.status_code != 200]
    assert refused
    assert len(refused) < len(answers)
    assert {(answer.status_code, error_of(answer)["code"]) for answer in refused} == {(503, "overloaded")}
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}


def test_a_request_that_cannot_be_answered_in_time_is_told_so(slow_model_dir: Path) -> None:
    with asgi_client(create_app(settings_of(slow_model_dir, deadline_s=0.3))) as client:
        answer = client.post("/score", json=rows(100))
    assert (answer.status_code, error_of(answer)["code"]) == (503, "deadline_exceeded")
    assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize("path", ["/score", "/predict"])
@pytest.mark.parametrize("parts", [[], [b'{"data": ']], ids=["nothing", "a part"])
def test_a_body_that_does_not_come_is_given_up(model_dir: Path, path: str, parts: list[bytes]) -> None:
    app = create_app(settings_of(model_dir, deadline_s=0.2))
    messages: list[Any] = []

    async def ask() -> None:
        answered = asyncio.Event()
        unsent = [{"type": "http.request", "body": part, "more_body": True} for part in parts]

        async def receive() -> dict[str, Any]:
            if unsent:
                return unsent.pop()
            await answered.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            messages.append(message)
            if message["type"] == "http.response.body":
                answered.set()

        headers = [(b"content-type", b"application/json")]
        await app(
            {"type": "http", "method": "POST", "path": path, "headers": headers, "query_string": b""}, receive, send
        )

    with asgi_client(app) as client:
        client.run(ask())
    start, body = messages
    assert start["status"] == 408
    assert json.loads(body["body"])["error"]["code"] == "request_timeout"
    assert (b"connection", b"close") in start["headers"]


def test_while_the_model_loads_the_probe_says_so_and_the_process_is_live(
    model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    def wait_and_prepare(*arguments: Any, **options: Any) -> ReadyModel:
        assert go_on.wait(30)
        return prepare_model(*arguments, **options)

    monkeypatch.setattr("service.engine.api_engine.prepare_model", wait_and_prepare)
    with asgi_client(create_app(settings_of(model_dir)), until_ready=False) as client:
        for answer in (client.get("/"), client.get("/readyz"), client.post("/score", json=rows(1))):
            assert (answer.status_code, error_of(answer)["code"]) == (503, "model_loading")
            assert answer.headers["retry-after"] == "1"
        assert client.get("/livez").status_code == 200
        go_on.set()
        client.run(client.wait_until_ready())
        assert client.post("/score", json=rows(1)).status_code == 200


def test_a_model_that_predicts_otherwise_than_in_training_is_never_served(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_artefacts(tmp_path / "wrong", variant=Variant.WRONG)
    refused = threading.Event()
    app = create_app(settings_of(folder), on_model_refused=refused.set)
    with asgi_client(app, until_ready=False) as client, caplog.at_level(logging.CRITICAL):
        assert refused.wait(30)
        assert client.get("/").status_code == 503
        assert client.post("/score", json=rows(1)).status_code == 503
    assert "golden-00" in caplog.text


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(rows(3)).encode(),
        json.dumps({"data": [ROW, ROW[:3]]}).encode(),
        b'{"data": [[1e999]]}',
        b'{"data": 7}',
        b"{",
        b"",
        b" " * 20_001,
    ],
    ids=lambda body: repr(body)[:30],
)
@pytest.mark.parametrize("headers", [JSON, {"content-type": "text/csv"}, {**JSON, "x-request-id": "mine"}], ids=repr)
def test_the_front_and_the_route_behind_it_answer_alike(
    client: AsgiClient, body: bytes, headers: dict[str, str]
) -> None:
    front = client.app
    assert isinstance(front, ScoreFront)
    answers = [client.post("/score", content=body, headers=headers, app=app) for app in (front, front.app)]
    assert answers[0].status_code == answers[1].status_code
    assert answers[0].content == answers[1].content
    assert set(answers[0].headers) == set(answers[1].headers)
    for name in ("content-type", "content-length", "x-model-version", "x-release-id"):
        assert answers[0].headers[name] == answers[1].headers[name]


def test_the_documentation_describes_both_routes_and_their_errors(client: AsgiClient) -> None:
    document = client.get("/swagger.json").json()
    for path in ("/score", "/predict"):
        operation = document["paths"][path]["post"]
        forms = operation["requestBody"]["content"]["application/json"]["schema"]["oneOf"]
        assert [sorted(form["properties"]) for form in forms] == [["data"], ["columns", "data"], ["data"]]
        assert {"200", "400", "413", "415", "422", "503"} <= set(operation["responses"])

"""What the service sends to Application Insights where it is told to, and what it never sends."""

import json
import logging
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from service.engine.api_engine import create_app
from service.settings import EngineSettings
from tests.lib.asgi_client import AsgiClient, asgi_client
from tests.lib.ingestion import Ingestion, ingestion_server
from tests.lib.model_artefacts import ROW, rows, write_artefacts

pytestmark = pytest.mark.unit

# A value that is found nowhere else, in a request and, as it is outside the range of training, in a metric's count.
STRANGE = 90871.25
SECRET = "secret-of-the-caller"  # noqa: S105 - that it is sent nowhere is the test
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_artefacts(tmp_path_factory.mktemp("model"), version="7")


@dataclass(frozen=True)
class Session:
    """A service that lived a little: what was received of it, its answers, and which hosts this process looked for."""

    server: Ingestion
    answers: list[str]
    hosts: set[Any]


@pytest.fixture(scope="module")
def session(model_dir: Path) -> Session:
    hosts: set[Any] = set()
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def connect_noting(self: socket.socket, address: Any) -> None:
        hosts.add(address[0])
        connect(self, address)

    def look_up_noting(host: Any, *arguments: Any, **more: Any) -> Any:
        hosts.add(host)
        return look_up(host, *arguments, **more)

    with ingestion_server() as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect_noting)
        patch.setattr(socket, "getaddrinfo", look_up_noting)
        patch.setattr(logging.getLogger("service"), "propagate", False)
        settings = EngineSettings(
            model_dir / "model.joblib", release_id="release-3", connection_string=server.connection_string
        )
        with asgi_client(create_app(settings)) as client:
            answers = live_a_little(client)
    return Session(server, answers, hosts)


def live_a_little(client: AsgiClient) -> list[str]:
    named = {
        "authorization": f"Bearer {SECRET}",
        "cookie": SECRET,
        "user-agent": SECRET,
        "x-request-id": "asked-1",
        "x-ms-client-request-id": "client-1",
        "traceparent": f"00-{TRACE}-{SPAN}-01",
        "azureml-model-deployment": "blue",
    }
    strange = [*ROW[:2], STRANGE, *ROW[3:]]
    told = [
        client.post("/score", json={"data": [strange, ROW, ROW]}, headers=named),
        client.post("/predict", json=rows(2), headers={"x-request-id": "asked-2", "traceparent": "no trace"}),
        client.post("/score", json={"data": [[SECRET]]}, headers={"x-request-id": "asked-3"}),
    ]
    client.get("/livez")
    logging.getLogger("service.test").info("this stays in the log")
    logging.getLogger("service.test").warning("told %d", 3, extra={"fields": {"request_id": "asked-4"}})
    try:
        int("no number")
    except ValueError:
        logging.getLogger("service.test").exception("failed")
    return [answer.text for answer in told]


def test_each_scored_request_is_told_with_what_answered_it(session: Session) -> None:
    server = session.server
    told = server.request_of("asked-1")["data"]["baseData"]
    assert (told["name"], told["responseCode"], told["success"]) == ("POST /score", "200", True)
    assert told["properties"] == {
        "request_id": "asked-1",
        "ms_client_request_id": "client-1",
        "model_name": "diabetes",
        "model_version": "7",
        "release_id": "release-3",
        "deployment": "blue",
        "rows": "3",
    }
    predicted = server.request_of("asked-2")["data"]["baseData"]
    assert (predicted["name"], predicted["properties"]["rows"]) == ("POST /predict", "2")
    assert {each["name"] for each in server.of_type("RequestData")} == {"POST /score", "POST /predict"}


def test_a_callers_trace_is_gone_on_with_and_a_malformed_one_is_not(
    session: Session,
) -> None:
    server = session.server
    tags = server.request_of("asked-1")["tags"]
    assert (tags["ai.operation.id"], tags["ai.operation.parentId"]) == (TRACE, SPAN)
    assert "ai.operation.parentId" not in server.request_of("asked-2")["tags"]


def test_a_refused_request_is_told_as_failed_and_without_rows(session: Session) -> None:
    server = session.server
    told = server.request_of("asked-3")["data"]["baseData"]
    assert (told["responseCode"], told["success"]) == ("422", False)
    assert "rows" not in told["properties"]


def test_warnings_and_exceptions_of_the_log_are_sent_once_and_no_other_lines(
    session: Session,
) -> None:
    server = session.server
    (warning,) = [each for each in server.of_type("MessageData") if each["message"] == "told 3"]
    assert warning["properties"] == {"logger": "service.test", "request_id": "asked-4"}
    (error,) = server.of_type("ExceptionData")
    assert error["exceptions"][0]["typeName"] == "ValueError"
    assert "no number" in error["exceptions"][0]["stack"]
    assert b"this stays in the log" not in server.received


def test_the_metrics_are_sent(session: Session) -> None:
    server = session.server
    of_version = {"model_name": "diabetes", "model_version": "7", "release_id": "release-3"}
    sent = {
        (metric["name"], *sorted(each["properties"].items() - of_version.items())): metric["value"]
        for each in server.of_type("MetricData")
        for metric in each["metrics"]
    }
    assert sent["scoring_requests_total", ("route", "/score"), ("status", "200")] == 1
    assert sent["scoring_refusals_total", ("code", "wrong_shape")] == 1
    assert sent["scoring_values_outside_training_range_total", ("feature", "bmi")] == 1
    assert sent["scoring_batch_rows_sum",] == 5
    assert sent["scoring_predict_duration_seconds_count",] == 2
    assert sent["scoring_request_duration_seconds_sum",] > 0
    assert sent["scoring_queue_requests",] == 0


def test_no_value_prediction_header_or_key_is_ever_sent(session: Session) -> None:
    scored, predicted = map(json.loads, session.answers[:2])
    predictions = [str(each) for each in scored + predicted["predictions"]]
    assert len(predictions) == 5
    sent = session.server.received.decode()
    for secret in (SECRET, str(STRANGE), str(ROW[2]), *predictions):
        assert secret not in sent


def test_nobody_else_is_asked_for_anything(session: Session) -> None:
    assert session.hosts == {"127.0.0.1"}

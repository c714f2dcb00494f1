"""What the service sends to Application Insights where it is told to, and what it never does."""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from deployment.emulator.processes import free_loopback_ports
from service.engine.api_engine import create_app
from service.engine.front import ScoreFront
from service.settings import EngineSettings, SettingsError, connection_string_from
from service.telemetry_logs import INTERVAL_S, LibraryWarnings
from tests.lib.asgi_client import AsgiClient, asgi_client
from tests.lib.emulator import REPOSITORY, wait_until
from tests.lib.ingestion import KEY, Ingestion, connection_string, ingestion_server
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


def request_of(server: Ingestion, request_id: str) -> dict[str, Any]:
    (found,) = [
        item for item in server.items if item["data"]["baseData"].get("properties", {}).get("request_id") == request_id
    ]
    return found


def test_each_scored_request_is_told_with_what_answered_it(session: Session) -> None:
    server = session.server
    told = request_of(server, "asked-1")["data"]["baseData"]
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
    predicted = request_of(server, "asked-2")["data"]["baseData"]
    assert (predicted["name"], predicted["properties"]["rows"]) == ("POST /predict", "2")
    assert {each["name"] for each in server.of_type("RequestData")} == {"POST /score", "POST /predict"}


def test_a_callers_trace_is_gone_on_with_and_a_malformed_one_is_not(
    session: Session,
) -> None:
    server = session.server
    tags = request_of(server, "asked-1")["tags"]
    assert (tags["ai.operation.id"], tags["ai.operation.parentId"]) == (TRACE, SPAN)
    assert "ai.operation.parentId" not in request_of(server, "asked-2")["tags"]


def test_a_refused_request_is_told_as_failed_and_without_rows(session: Session) -> None:
    server = session.server
    told = request_of(server, "asked-3")["data"]["baseData"]
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


@pytest.mark.parametrize("is_there", [True, False], ids=["never answers", "refuses"])
def test_an_ingestion_that_does_not_answer_slows_no_request_and_the_end_by_two_seconds_at_most(
    model_dir: Path, *, is_there: bool
) -> None:
    with ingestion_server() as server:
        (closed,) = free_loopback_ports(1)
        server.release.clear()
        where = server.connection_string if is_there else connection_string(closed)
        settings = EngineSettings(model_dir / "model.joblib", connection_string=where)
        with asgi_client(create_app(settings)) as client:
            for _ in range(600):  # more than a batch, so that sending has begun
                assert client.post("/score", json=rows(1)).status_code == 200
            started_s = time.monotonic()
            assert client.post("/score", json=rows(1)).status_code == 200
            asked_s = time.monotonic()
            assert asked_s - started_s < 0.5
        assert time.monotonic() - asked_s < 3


def test_what_is_under_way_at_sigterm_is_sent_and_the_key_is_in_no_line_of_the_log(
    model_dir: Path, tmp_path: Path
) -> None:
    with ingestion_server() as server:
        process, port = start_scorer(model_dir, tmp_path / "log", server.connection_string)
        try:
            wait_until(lambda: is_ready(port), 30, tmp_path / "log")
            headers = {"x-request-id": "the-last"}
            assert httpx.post(f"http://127.0.0.1:{port}/score", json=rows(1), headers=headers).status_code == 200
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) in {0, -signal.SIGTERM}
        finally:
            process.kill()
            process.wait()
        assert request_of(server, "the-last")["data"]["baseData"]["responseCode"] == "200"
        assert KEY not in (tmp_path / "log").read_text()


def test_a_model_that_is_refused_is_told_before_the_process_ends(model_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "model.joblib").write_bytes(b"no model")
    (tmp_path / "metadata.json").write_bytes((model_dir / "metadata.json").read_bytes())
    with ingestion_server() as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr(logging.getLogger("service"), "propagate", False)
        told: list[dict[str, Any]] = []
        settings = EngineSettings(tmp_path / "model.joblib", connection_string=server.connection_string)
        app = create_app(settings, on_model_refused=lambda: told.extend(server.of_type("MessageData")))
        with asgi_client(app, until_ready=False):
            wait_until(lambda: bool(told), 10)
    assert any("is not the file that was trained" in each["message"] for each in told)


def test_a_malformed_connection_string_ends_the_start_and_is_not_quoted(model_dir: Path, tmp_path: Path) -> None:
    process, _ = start_scorer(model_dir, tmp_path / "log", "InstrumentationKey=hush-hush")
    assert process.wait(20) != 0
    log = (tmp_path / "log").read_text()
    assert "APPLICATIONINSIGHTS_CONNECTION_STRING: not a connection string" in log
    assert "hush" not in log


def start_scorer(model_dir: Path, log_path: Path, where: str) -> tuple[subprocess.Popen[bytes], int]:
    (port,) = free_loopback_ports(1)
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "service.uvicorn_server", "--host", "127.0.0.1", "--port", str(port)),
                *("--parent-pid", str(os.getpid()), "--drain-timeout-s", "5"),
            ],
            cwd=REPOSITORY,
            env={
                "APPLICATIONINSIGHTS_CONNECTION_STRING": where,
                "AZUREML_MODEL_PATH": str(model_dir / "model.joblib"),
                "LOG_LEVEL": "debug",
            },
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    return process, port


def is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("hush", "not KEY=VALUE"),
        ("InstrumentationKey=hush", "no UUID"),
        ("IngestionEndpoint=https://hush/", "missing"),
        (f"InstrumentationKey={KEY};IngestionEndpoint=http://hush.example/", "no https"),
        (f"InstrumentationKey={KEY};IngestionEndpoint=hush", "no https"),
        (f"InstrumentationKey={KEY};a=b=hush", "not KEY=VALUE"),
        ("${{keyvault:https://hush.vault.example/secrets/x}}", "has not replaced"),
    ],
    ids=range(7),
)
def test_a_refused_connection_string_is_described_and_not_quoted(given: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why) as raised:
        connection_string_from({"APPLICATIONINSIGHTS_CONNECTION_STRING": given})
    assert "hush" not in str(raised.value)
    assert KEY not in str(raised.value)


def test_a_connection_string_as_the_portal_shows_it_is_taken_and_no_settings_show_it() -> None:
    given = (
        f"InstrumentationKey={KEY};IngestionEndpoint=https://northeurope-0.in.applicationinsights.example/;"
        "LiveEndpoint=https://northeurope.livediagnostics.example/;ApplicationId=4711;"
    )
    settings = EngineSettings.from_environ(
        {"AZUREML_MODEL_PATH": "m", "APPLICATIONINSIGHTS_CONNECTION_STRING": f" {given}\n"}
    )
    assert settings.connection_string == given.rstrip(";")
    assert KEY not in repr(settings)


def test_off_by_default_nothing_of_it_is_imported(model_dir: Path) -> None:
    program = (
        "import os, sys\n"
        "from service.engine.api_engine import app\n"
        "print(type(app()).__name__)\n"
        "names = ('opentelemetry', 'azure', 'requests', 'service.telemetry_azure', 'service.telemetry_requests')\n"
        "print([name for name in sys.modules if name.startswith(names)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        env={"AZUREML_MODEL_PATH": str(model_dir / "model.joblib")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [ScoreFront.__name__, "[]"]


def test_what_its_libraries_warn_of_is_one_line_a_minute_without_what_they_say(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("service"), "propagate", True)
    clock_s = [1000.0]
    monkeypatch.setattr("service.telemetry_logs.time.monotonic", lambda: clock_s[0])
    warnings = LibraryWarnings()
    try:
        for _ in range(3):
            logging.getLogger("azure.monitor.x").error("dropped %s", KEY)
        clock_s[0] += INTERVAL_S
        logging.getLogger("opentelemetry.y").warning("failed with %s", KEY)
    finally:
        warnings.close()
    told = [record.getMessage() for record in caplog.records]
    assert [line.partition(" since")[0] for line in told] == [
        "telemetry: its libraries have warned 1 times",
        "telemetry: its libraries have warned 3 times",
    ]
    assert KEY not in "".join(told)

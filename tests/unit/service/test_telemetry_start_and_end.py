"""When the service's telemetry begins and ends, what refuses it, and that it holds nothing up."""

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from deployment.emulator.processes import free_loopback_ports
from service.engine.api_engine import create_app
from service.engine.front import ScoreFront
from service.settings import EngineSettings, SettingsError, connection_string_from
from service.telemetry_logs import INTERVAL_S, LibraryWarnings
from tests.lib.asgi_client import asgi_client
from tests.lib.emulator import REPOSITORY, wait_until
from tests.lib.ingestion import KEY, connection_string, ingestion_server
from tests.lib.model_artefacts import rows, write_artefacts

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_artefacts(tmp_path_factory.mktemp("model"), version="7")


@pytest.mark.parametrize("is_there", [True, False], ids=["never answers", "refuses"])
def test_an_ingestion_that_does_not_answer_holds_up_neither_a_request_nor_the_end(
    model_dir: Path, monkeypatch: pytest.MonkeyPatch, *, is_there: bool
) -> None:
    # Longer than any test: nothing but what is tested ends the waiting, or else the client's time-out fails the test.
    monkeypatch.setattr("service.telemetry_azure.SEND_TIMEOUT_S", 600.0)
    with ingestion_server() as server:
        (closed,) = free_loopback_ports(1)
        server.release.clear()
        where = server.connection_string if is_there else connection_string(closed)
        settings = EngineSettings(model_dir / "model.joblib", connection_string=where)
        with asgi_client(create_app(settings)) as client:
            for _ in range(600):  # more than a batch, so that sending begins
                assert client.post("/score", json=rows(1)).status_code == 200
            if is_there:
                wait_until(server.asked.is_set, 30)
            assert client.post("/score", json=rows(1)).status_code == 200
        assert not server.release.is_set()
        assert server.received == b""


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
        assert server.request_of("the-last")["data"]["baseData"]["responseCode"] == "200"
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

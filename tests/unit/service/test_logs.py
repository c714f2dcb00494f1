import importlib.util
import io
import json
import logging
import logging.config
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from service.line_forwarder import LAST_LINES, LineForwarder
from service.logs import JsonFormatter, LogLines, level_from
from service.telemetry import CLIENT_MODULE, NoTelemetry, leave_out_telemetry
from tests.lib.emulator import REPOSITORY

pytestmark = pytest.mark.unit


def run(program: str, **variables: str) -> list[dict[str, object]]:
    """Run a program with the service's logging; return its log, whatever stream it came on."""
    head = "import json, logging.config, logging, pathlib, sys, warnings\n"
    head += "logging.config.dictConfig(json.loads(pathlib.Path('service/logging.json').read_text()))\n"
    done = subprocess.run(
        [sys.executable, "-c", head + program],
        cwd=REPOSITORY,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_line_has_time_level_process_logger_message_and_the_requests_id() -> None:
    record = logging.LogRecord("service.x", logging.INFO, "x.py", 1, "answered %d", (3,), None)
    record.fields = {"request_id": "abc"}
    line = json.loads(JsonFormatter().format(record))
    assert line["time"].endswith("+00:00")
    assert {key: line[key] for key in ("level", "logger", "message", "request_id")} == {
        "level": "info",
        "logger": "service.x",
        "message": "answered 3",
        "request_id": "abc",
    }
    assert line["pid"] == record.process


def test_a_warning_and_what_nobody_catches_are_log_lines() -> None:
    lines = run("warnings.warn('old')\nraise ValueError('no')")
    assert [(line["level"], line["logger"]) for line in lines] == [("warning", "py.warnings"), ("critical", "service")]
    assert "UserWarning: old" in str(lines[0]["message"])
    assert str(lines[1]["message"]).endswith("ValueError: no")


def test_what_is_printed_becomes_log_lines_without_rulers_and_blank_ones() -> None:
    lines = run(
        "from service import logs\nlogs.capture_output()\n"
        "print('a', 'b')\nprint('-----')\nprint()\nprint('half', end='')\nprint(' whole')\n"
        "print('bad', file=sys.stderr)\n"
        "logging.getLogger('service').info('own')"
    )
    assert [(line["logger"], line["level"], line["message"]) for line in lines] == [
        ("stdout", "info", "a b"),
        ("stdout", "info", "half whole"),
        ("stderr", "warning", "bad"),
        ("service", "info", "own"),
    ]


def test_a_log_line_that_is_printed_goes_on_as_it_is() -> None:
    stdout = io.StringIO()
    LogLines("stdout", logging.INFO, stdout).write('{"message": "is one already"}\n')
    assert stdout.getvalue() == '{"message": "is one already"}\n'


def test_the_level_is_the_environments() -> None:
    program = "logging.getLogger('service').info('a')\nlogging.getLogger('azmlinfsrv').error('b')"
    assert [line["message"] for line in run(program, LOG_LEVEL="error")] == ["b"]
    assert [line["message"] for line in run(program, LOG_LEVEL="debug")] == ["a", "b"]
    assert level_from({}) == level_from({"LOG_LEVEL": "loud"}) == "INFO"


def forwarded(lines: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(sys, "__stdout__", sys.stdout)
    forwarder = LineForwarder(io.StringIO(lines), pid=7)
    forwarder.start()
    forwarder.join(10)
    return capsys.readouterr().out.splitlines()


def test_the_childs_json_lines_go_on_as_they_are_and_others_become_messages(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "service.line_forwarder")
    monkeypatch.setattr(logging.getLogger("service"), "propagate", True)
    assert forwarded('{"a": 1}\nplain\n{"half\n\n[1]\n', capsys, monkeypatch) == ['{"a": 1}']
    assert [record.getMessage() for record in caplog.records] == ["plain", '{"half', "[1]"]
    assert caplog.records[0].__dict__["fields"] == {"pid": 7}


def test_no_line_of_very_many_is_lost(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [json.dumps({"n": n}) for n in range(5000)]
    assert forwarded("\n".join(lines) + "\n", capsys, monkeypatch) == lines


def test_the_last_lines_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "__stdout__", io.StringIO())
    forwarder = LineForwarder(io.StringIO("".join(f'{{"n": {n}}}\n' for n in range(100))), pid=7)
    forwarder.start()
    forwarder.join(10)
    assert [json.loads(line)["n"] for line in forwarder.last_lines().splitlines()] == list(range(100 - LAST_LINES, 100))


def test_where_nobody_reads_stdout_the_child_is_not_held_up_and_the_loss_is_counted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("service.line_forwarder.QUEUED_LINES", 10)
    monkeypatch.setattr(logging.getLogger("service"), "propagate", True)
    stdout = StuckStdout()
    monkeypatch.setattr(sys, "__stdout__", stdout)
    source = io.StringIO("".join(f'{{"n": {n}}}\n' for n in range(100)))
    forwarder = LineForwarder(source, pid=7)
    forwarder.start()
    forwarder.join(1)  # the writer is stuck, the reader is not
    assert "99" in forwarder.last_lines()
    stdout.go_on.set()
    forwarder.join(10)
    written = len(stdout.getvalue().splitlines())
    (loss,) = [record.getMessage() for record in caplog.records if "were lost" in record.getMessage()]
    assert loss.startswith(f"{100 - written} log lines")


class StuckStdout(io.StringIO):
    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()

    def write(self, text: str) -> int:
        self.go_on.wait(30)
        return super().write(text)


def test_telemetry_is_left_out_unless_it_is_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, CLIENT_MODULE, raising=False)
    assert not leave_out_telemetry({"AML_APP_INSIGHTS_ENABLED": "true"})
    assert CLIENT_MODULE not in sys.modules
    assert leave_out_telemetry({})
    assert sys.modules.pop(CLIENT_MODULE).AppInsightsClient is NoTelemetry


def test_what_stands_in_for_telemetry_has_each_method_that_azmlinfsrv_calls() -> None:
    spec = importlib.util.find_spec("azureml_inference_server_http")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    called = {
        line.split("appinsights_client.", 1)[1].split("(")[0]
        for path in package.rglob("*.py")
        for line in path.read_text().splitlines()
        if "appinsights_client." in line and "(" in line and "import" not in line
    }
    assert {"log_request", "send_exception_log", "wait_for_upload"} <= called
    assert called <= set(dir(NoTelemetry))

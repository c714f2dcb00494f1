import json
from collections import deque
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployment.container_log import parse_log, reason_of_end
from deployment.emulator.container_events import ContainerEvent, InstanceStatus
from deployment.emulator.deployments import _preamble
from load.report_data import ContainerLog, LogEvent

pytestmark = pytest.mark.unit

SERVER = "inference-server"
STATUS = """\
Instance status:
SystemSetup: Succeeded
UserContainerImagePull: Succeeded
ModelDownload: InProgress
UserContainerStart: Waiting
"""
EVENTS = """\
Container events:
Kind: Pod, Name: Downloading, Type: Normal, Time: 2025-10-16T11:51:39.965418Z, Message: Start downloading models
Kind: Pod, Name: DownloadFailed, Type: Warning, Time: 20251016-11:51:40.972334, Message: Failed, retrying. See: log
"""
LOGS = """\
Container logs:
first
Container events:
Kind: Pod, Name: Faked, Type: Warning, Time: now, Message: by the container

Container logs:
last
"""
PARSED_STATUS = (
    ("SystemSetup", "Succeeded"),
    ("UserContainerImagePull", "Succeeded"),
    ("ModelDownload", "InProgress"),
    ("UserContainerStart", "Waiting"),
)
PARSED_EVENTS = (
    LogEvent("2025-10-16T11:51:39.965418Z", "Downloading", "Normal", "Start downloading models"),
    LogEvent("20251016-11:51:40.972334", "DownloadFailed", "Warning", "Failed, retrying. See: log"),
)

TRACEBACK = "Traceback (most recent call last):"
WRAPPED = """\
  File "/app/azureml_inference_server_http/server/user_script.py", line 121, in invoke_init
    raise UserScriptException(ex) from ex
azureml_inference_server_http.server.user_script.UserScriptException: Caught an unhandled exception from the user script
"""
# As azmlinfsrv 1.5.1 logs it in this repository's format.
ENCOUNTERED = f"""\
Encountered Exception {TRACEBACK}
  File "/app/azureml_inference_server_http/server/user_script.py", line 119, in invoke_init
    self._user_init()
  File "/app/service/score.py", line 23, in init
    raise RuntimeError("out of order")
RuntimeError: out of order

The above exception was the direct cause of the following exception:

{TRACEBACK}
  File "/app/azureml_inference_server_http/server/aml_blueprint.py", line 109, in setup
    self.user_script.invoke_init()
{WRAPPED}"""
INIT_RAISED = "\n".join(
    json.dumps({"time": "2026-11-26T05:40:55.004+00:00", "level": level, "pid": 17, "logger": logger, "message": told})
    for level, logger, told in (
        ("info", "azmlinfsrv.user_script", "Invoking user's init function"),
        ("error", "azmlinfsrv", "User's init function failed"),
        ("error", "azmlinfsrv", ENCOUNTERED),
        ("info", "gunicorn.error", "Worker exiting (pid: 17)"),
        ("error", "gunicorn.error", "Worker (pid:17) exited with code 3."),
        ("error", "gunicorn.error", "Shutting down: Master"),
        ("error", "gunicorn.error", "Reason: Worker failed to boot."),
    )
)


def line(level: str, message: str) -> str:
    return json.dumps({"level": level, "message": message})


def test_the_last_critical_line_is_the_reason() -> None:
    log = [line("critical", "first"), line("critical", "model: changed"), line("error", "init failed"), "plain text"]
    assert reason_of_end("\n".join(log)) == "model: changed"


@pytest.mark.parametrize("log", ["", "plain text\n{", line("error", "no reason"), "[]\n1\nnull"])
def test_a_log_without_such_a_line_has_no_reason(log: str) -> None:
    assert reason_of_end(log) is None


def test_without_a_critical_line_what_init_raised_is_the_reason() -> None:
    assert reason_of_end(INIT_RAISED) == "RuntimeError: out of order"
    assert reason_of_end(f"{INIT_RAISED}\n{line('critical', 'model: changed')}") == "model: changed"


def test_what_was_raised_last_is_the_reason() -> None:
    later = line("error", f'refused\n{TRACEBACK}\n  File "x", line 1\nKeyError: 1')
    assert reason_of_end(f"{INIT_RAISED}\n{later}") == "KeyError: 1"


def test_a_traceback_may_be_plain_lines_with_others_in_between() -> None:
    log = [TRACEBACK, '  File "score.py", line 3, in init', line("info", "Worker exiting"), "", "    load()"]
    assert reason_of_end("\r\n".join([*log, "models.LoadError: no file: x", "Shutting down: Master"])) == (
        "models.LoadError: no file: x"
    )


def test_an_azmlinfsrv_that_tells_no_cause_gives_its_own_words() -> None:
    log = line("error", f"Encountered Exception {TRACEBACK}\n{WRAPPED}")
    assert reason_of_end(log) == WRAPPED.splitlines()[-1]


def test_a_traceback_that_is_cut_off_has_no_reason() -> None:
    assert reason_of_end(f'{TRACEBACK}\n  File "score.py", line 3, in init\n    load()') is None


def test_a_long_exception_is_cut() -> None:
    assert len(reason_of_end(f"{TRACEBACK}\nValueError: {'x' * 1000}") or "") == 400


def test_a_long_reason_is_cut() -> None:
    assert len(reason_of_end(line("critical", "x" * 1000)) or "") == 400


def test_a_log_is_taken_apart_and_what_the_container_wrote_is_left_as_it_is() -> None:
    log = parse_log(SERVER, f"{STATUS}\n{EVENTS}\n{LOGS}")
    assert log == ContainerLog(SERVER, PARSED_STATUS, PARSED_EVENTS, LOGS.partition("\n")[2])


@pytest.mark.parametrize(
    ("content", "events", "lines"),
    [
        (f"{STATUS}\n{EVENTS}", PARSED_EVENTS, ""),
        (STATUS, (), ""),
        (f"{STATUS}\nContainer logs:\nit began", (), "it began"),
        (f"{STATUS}\nContainer events:\n\n\nContainer logs:\n", (), ""),
        (f"{STATUS}\n{EVENTS}\nContainer logs:", PARSED_EVENTS, ""),
    ],
)
def test_a_section_that_is_missing_or_empty_is_empty(content: str, events: tuple[LogEvent, ...], lines: str) -> None:
    assert parse_log(SERVER, content) == ContainerLog(SERVER, PARSED_STATUS, events, lines)


def test_lines_may_end_as_on_windows() -> None:
    log = parse_log(SERVER, f"{STATUS}\n{EVENTS}\n{LOGS}".replace("\n", "\r\n"))
    assert (log.status, log.events) == (PARSED_STATUS, PARSED_EVENTS)
    assert log.lines.startswith("first\r\n")


def test_a_message_may_have_several_lines() -> None:
    log = parse_log(SERVER, f"{STATUS}\n{EVENTS}caused by: 401\nunauthorized\n\n{LOGS}")
    assert log.events[0] == PARSED_EVENTS[0]
    assert log.events[1].message == "Failed, retrying. See: log\ncaused by: 401\nunauthorized"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "no logs: the platform refused\n",
        LOGS,
        EVENTS,
        f"{EVENTS}\n{LOGS}",
        f"hello\n{STATUS}\n{EVENTS}\n{LOGS}",
        f"{STATUS}not a step\n\n{EVENTS}\n{LOGS}",
        f"{STATUS}\nContainer events:\nnot an event\n\n{LOGS}",
        f"{STATUS}\n{EVENTS}\nOutput of the container\nfirst",
    ],
)
def test_another_format_comes_out_whole(content: str) -> None:
    assert parse_log(SERVER, content) == ContainerLog(SERVER, (), (), content)


@given(st.lists(st.one_of(st.text(), st.sampled_from([STATUS, EVENTS, LOGS, "Instance status:", "\n"]))))
def test_nothing_raises_and_no_output_is_lost(parts: list[str]) -> None:
    content = "".join(parts)
    log = parse_log(SERVER, content)
    assert content.endswith(log.lines)
    assert log.lines == content or content.lstrip().startswith("Instance status:")


def test_what_the_emulator_writes_is_understood() -> None:
    at = datetime(2026, 11, 23, 3, 42, 10, 250_000, tzinfo=UTC)
    colour: Any = SimpleNamespace(
        status=InstanceStatus(image_pull="Failed"),
        events=deque([ContainerEvent(at, "ImagePullFailed", "Warning", "image: not found, 404")]),
    )
    log = parse_log(SERVER, f"{_preamble(colour)}\n\nContainer logs:\nonly line\n")
    assert dict(log.status)["UserContainerImagePull"] == "Failed"
    assert log.events == (
        LogEvent("2026-11-23T03:42:10.250000Z", "ImagePullFailed", "Warning", "image: not found, 404"),
    )
    assert log.lines == "only line\n"

"""What a container's log says of its start and of its own end."""

import json
import re
from collections.abc import Iterator
from typing import Any

from load.report_data import ContainerLog, LogEvent

MAX_REASON_CHARACTERS = 400

TRACEBACK = "Traceback (most recent call last):"
# What a traceback ends with, in a log in which other processes may have written meanwhile.
RAISED = re.compile(r"[^\W\d][\w.]*(?:: .*)?")
# What azmlinfsrv wraps around what the entry script has raised.
WRAPPER = "azureml_inference_server_http."

LOGS_HEADING = re.compile(r"^Container logs:[ \t]*\r?(?:\n|\Z)", re.MULTILINE)
STATUS_HEADING = "Instance status:"
EVENTS_HEADING = "Container events:"
STATUS = re.compile(r"(?P<step>\w+): *(?P<state>.*)")
EVENT = re.compile(
    r"Kind: [^,]*, Name: (?P<name>[^,]*), Type: (?P<kind>[^,]*), Time: (?P<at>[^,]*), Message: ?(?P<message>.*)"
)


class _OtherFormatError(Exception):
    """What stands before the output is not what Azure ML writes there."""


def reason_of_end(log: str) -> str | None:
    """Return the message of the last critical line, else what the last traceback says was raised; None without both.

    The service logs JSON lines. What azmlinfsrv raises because of the entry script is passed over for its cause.
    """
    records = [_read_record(line) for line in log.splitlines()]
    critical = [record for record in records if record.get("level") == "critical"]
    if critical:
        return str(critical[-1].get("message"))[:MAX_REASON_CHARACTERS]
    raised = list(_raised(line for record in records for line in str(record.get("message", "")).splitlines()))
    own = [line for line in raised if not line.startswith(WRAPPER)]
    found = next(reversed(own or raised), None)
    return found[:MAX_REASON_CHARACTERS] if found else None


def _read_record(line: str) -> dict[str, Any]:
    """Return a line's JSON object; any other line is the message of one."""
    try:
        record = json.loads(line)
    except ValueError:
        return {"message": line}
    return record if isinstance(record, dict) else {"message": line}


def _raised(lines: Iterator[str]) -> Iterator[str]:
    """Yield the last line of each traceback: the exception's type and message."""
    inside = False
    for line in lines:
        if line.endswith(TRACEBACK):
            inside = True
        elif inside and RAISED.fullmatch(line):
            inside = False
            yield line


def parse_log(container: str, content: str) -> ContainerLog:
    """Take apart what Azure ML's getLogs answers for a container; content in another format is all lines.

    The sections are "Instance status:", "Container events:" and "Container logs:", in this order; the first has to be
    there. Only the first "Container logs:" is a heading: below it a container writes what it likes.
    """
    heading = LOGS_HEADING.search(content)
    preamble, lines = (content[: heading.start()], content[heading.end() :]) if heading else (content, "")
    try:
        status, events = _read_preamble(preamble)
    except _OtherFormatError:
        return ContainerLog(container, (), (), content)
    return ContainerLog(container, status, events, lines)


def _read_preamble(preamble: str) -> tuple[tuple[tuple[str, str], ...], tuple[LogEvent, ...]]:
    first, *rest = [line.rstrip() for line in preamble.strip().split("\n")]
    if first != STATUS_HEADING:
        raise _OtherFormatError
    at = rest.index(EVENTS_HEADING) if EVENTS_HEADING in rest else len(rest)
    return _read_status(rest[:at]), _read_events(rest[at + 1 :])


def _read_status(lines: list[str]) -> tuple[tuple[str, str], ...]:
    found = []
    for line in filter(None, lines):
        step = STATUS.fullmatch(line)
        if step is None:
            raise _OtherFormatError
        found.append((step["step"], step["state"]))
    return tuple(found)


def _read_events(lines: list[str]) -> tuple[LogEvent, ...]:
    found: list[LogEvent] = []
    in_message = False
    for line in lines:
        event = EVENT.fullmatch(line)
        if event is not None:
            found.append(LogEvent(event["at"], event["name"], event["kind"], event["message"]))
        elif line and in_message:
            last = found.pop()
            found.append(LogEvent(last.at, last.name, last.kind, f"{last.message}\n{line}"))
        elif line:
            raise _OtherFormatError
        # A message may go on in further lines, but not beyond an empty one.
        in_message = bool(line)
    return tuple(found)

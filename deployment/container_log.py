"""What a container's log says of its start and of its own end."""

import json
import re

from load.report_data import ContainerLog, LogEvent

MAX_REASON_CHARACTERS = 400

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
    """Return the message of the last critical line; None where there is none. The service logs JSON lines."""
    for line in reversed(log.splitlines()):
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and record.get("level") == "critical":
            return str(record.get("message"))[:MAX_REASON_CHARACTERS]
    return None


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

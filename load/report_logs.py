"""Of what the platform tells of containers that did not start: what both reports show, and where the reason is."""

import json
import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from load.report_data import ContainerLog, LogEvent
from load.report_text import readable, redacted, short_and_shown, shortened

NORMAL = "Normal"
QUOTED_CHARACTERS = 400  # a sentence quotes no more than this of a line
LINES_OF_A_KEY = 100  # before the ones that are shown, in which a private key may have begun
LOOKED_AT = 4  # times what is shown, of lines too long to go through
FEWEST_QUOTED = 8  # fewer characters than this stand in a sentence by chance
TIME_OF_DAY = re.compile(r"\d\d:\d\d:\d\d")


@dataclass(frozen=True)
class Room:
    """How much of the containers' output may be shown: lines of each, characters of a line, bytes of all together."""

    lines: int
    line_characters: int
    total_bytes: int


@dataclass(frozen=True)
class Tail:
    """The last lines of a container, of how many, and which of them the report's sentence quotes."""

    container: str
    lines: tuple[str, ...]
    total: int
    reason_at: int | None
    holds_reason: bool

    @property
    def extent(self) -> str:
        """Return how much of the output is shown, in words."""
        if self.total == 0:
            return "it wrote nothing"
        if len(self.lines) == self.total:
            return f"its {self.total} lines" if self.total > 1 else "its only line"
        return f"the last {len(self.lines)} of {self.total} lines"


@dataclass(frozen=True)
class Happening:
    """An event, and how often the platform told it in the same words."""

    when: str
    name: str
    message: str
    warning: bool
    times: int


def status_of(logs: Sequence[ContainerLog]) -> tuple[tuple[str, str], ...]:
    """Return each step with how it stands: each log tells it of the whole instance, and the last read knows most."""
    return tuple({readable(step): readable(state) for log in logs for step, state in log.status}.items())


def happenings(logs: Sequence[ContainerLog], message_characters: int) -> tuple[Happening, ...]:
    """Return the events in their order, repetitions told once: a failing start is tried again and again."""
    alike: dict[tuple[str, str, str], list[str]] = {}
    for event in events_of(logs):
        alike.setdefault((event.name, event.kind, event.message), []).append(time_of_day(event.at))
    return tuple(
        Happening(
            when=times[0] if times[0] == times[-1] else f"{times[0]} to {times[-1]}",
            name=readable(name),
            message=short_and_shown(message, message_characters),
            warning=kind != NORMAL,
            times=len(times),
        )
        for (name, kind, message), times in alike.items()
    )


def tails(logs: Sequence[ContainerLog], sentence: str, room: Room) -> tuple[Tail, ...]:
    """Return the last lines of each container that there is room for, and which of them hold the reason."""
    if not logs:
        return ()
    holder, number = place_of_reason(logs, sentence)
    found: dict[int, Tail] = {}
    left = room.total_bytes
    # The short ones first: what they leave is for the long ones.
    for index in sorted(range(len(logs)), key=lambda index: len(logs[index].lines)):
        total = len(lines_of(logs[index]))
        lines, used = last_lines(logs[index], room, left // (len(logs) - len(found)))
        left -= used
        at = number - (total - len(lines)) if index == holder and number is not None else -1
        container = readable(logs[index].container)
        found[index] = Tail(container, lines, total, at if at >= 0 else None, holds_reason=index == holder)
    return tuple(found[index] for index in range(len(logs)))


def last_lines(log: ContainerLog, room: Room, most_bytes: int) -> tuple[tuple[str, ...], int]:
    """Return the last lines that there is room for, and how many bytes they take."""
    found: list[str] = []
    used = 0
    for line in reversed(without_keys(lines_of(log), room)):
        shown = shortened(readable(line), room.line_characters)
        size = len(shown.encode()) + 1
        if used + size > most_bytes:
            break
        found.append(shown)
        used += size
    return tuple(found[::-1]), used


def without_keys(lines: Sequence[str], room: Room) -> list[str]:
    """Return the last lines, as many as may be shown, redacted together: a private key begins lines before its end."""
    if not lines:
        return []
    taken: deque[str] = deque()
    left = LOOKED_AT * room.total_bytes
    for line in reversed(lines[-room.lines - LINES_OF_A_KEY :]):
        taken.appendleft(shortened(line, LOOKED_AT * room.line_characters))
        left -= len(taken[0])
        if left < 0:
            break
    return redacted("\n".join(taken)).split("\n")[-room.lines :]


def place_of_reason(logs: Sequence[ContainerLog], sentence: str) -> tuple[int, int | None]:
    """Return which log holds what the sentence says, and in which of its lines; None where no line does."""
    quoted = [
        (len(said), index, number)
        for index, log in enumerate(logs)
        for number, line in enumerate(lines_of(log))
        if len(said := message_of(line)[:QUOTED_CHARACTERS]) >= FEWEST_QUOTED and said in sentence
    ]
    if quoted:
        _, index, number = max(quoted)
        return index, number
    latest_first = [event for event in events_of(logs) if event.kind != NORMAL][::-1]
    for event in sorted(latest_first, key=lambda event: event.message not in sentence):
        # All logs of an instance tell the same events, so who is meant is in the words, if anywhere.
        named = [index for index, log in enumerate(logs) if log.container in event.message]
        telling = [index for index, log in enumerate(logs) if event in log.events]
        if named or len(telling) == 1:
            return (named or telling)[0], None
    return next((index for index, log in enumerate(logs) if lines_of(log)), 0), None


def events_of(logs: Sequence[ContainerLog]) -> tuple[LogEvent, ...]:
    return tuple(dict.fromkeys(event for log in logs for event in log.events))


def lines_of(log: ContainerLog) -> list[str]:
    return log.lines.rstrip().splitlines()


def message_of(line: str) -> str:
    """Return the message of a JSON line, and any other line as it is."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return line.strip()
    return str(record.get("message", "")) if isinstance(record, dict) else line.strip()


def time_of_day(at: str) -> str:
    """Return the time of day, which is written alike in all that the platform has written times as."""
    found = TIME_OF_DAY.search(at)
    return found.group() if found else readable(at)

"""Lookups that end in time, whatever they look at."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Thread

from deployment.doctor.rows import Row, fail, warn
from deployment.outcomes import ReleaseError


@dataclass(frozen=True)
class Lookup:
    """A part of what doctor looks at: some rows, found within `limit_s`."""

    group: str
    name: str
    look: Callable[[], Sequence[Row]]
    limit_s: float


@dataclass
class Answer:
    """What a lookup found, or what it ended with."""

    rows: Sequence[Row] = ()
    error: BaseException | None = None


@dataclass
class Running:
    """A lookup on a thread of its own, which nobody waits for once its time is over."""

    lookup: Lookup
    answer: Answer = field(default_factory=Answer)

    def run(self) -> None:
        try:
            self.answer.rows = self.lookup.look()
        except BaseException as error:  # noqa: BLE001 - it is raised, or told, on the thread that asked
            self.answer.error = error


def found_by(lookup: Lookup) -> Sequence[Row]:
    """Return a lookup's rows; one that fails, or takes too long, is a row that says so."""
    running = Running(lookup)
    thread = Thread(target=running.run, daemon=True)
    thread.start()
    thread.join(lookup.limit_s)
    if thread.is_alive():
        told = f"no answer within {lookup.limit_s:g} s"
        return (warn(lookup.group, lookup.name, told, "look at the network and at the proxy, and run this again"),)
    if isinstance(running.answer.error, ReleaseError | OSError):
        found, _, fix = str(running.answer.error).rpartition("; ")
        return (fail(lookup.group, lookup.name, found or fix, fix if found else "mend that, and run this again"),)
    if running.answer.error is not None:
        raise running.answer.error
    return running.answer.rows

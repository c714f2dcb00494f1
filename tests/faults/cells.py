"""The matrix: which call of which release is struck, how, and what came of it."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from deployment.emulator.calls import Call
from deployment.emulator.faults import ControlFault, Delay, Drop, EndOperation, Refuse, When

# The SDK itself asks four times before it gives up on 429, 5xx or a broken connection; once is its own business.
UNTIL_THE_SDK_GIVES_UP = 4
SLOW_MS = 700.0
EFFECTS: dict[str, tuple[Any, int]] = {
    "409": (Refuse(status=409), 1),
    "429": (Refuse(status=429, retry_after_ms=20), UNTIL_THE_SDK_GIVES_UP),
    "500": (Refuse(status=500, retry_after_ms=20), UNTIL_THE_SDK_GIVES_UP),
    "503": (Refuse(status=503, retry_after_ms=20), UNTIL_THE_SDK_GIVES_UP),
    "dropped": (Drop(), UNTIL_THE_SDK_GIVES_UP),
    "slow": (Delay(delay_ms=SLOW_MS), 1),
}
LOST_ANSWER = "answer lost"  # the call took effect, and its caller is told nothing
ENDINGS = {
    "Failed": EndOperation(ends="Failed"),
    "Canceled": EndOperation(ends="Canceled", code="OperationCanceled"),
    "never ends": EndOperation(ends="Never"),
}
# Never-ending operations take the whole patience of a run, so a storm has none.
ENDED = [ENDINGS["Failed"], ENDINGS["Canceled"]]
ENDS_BADLY, KILLED = 0.3, 0.4
KILL_BEFORE, KILL_AFTER = "SIGKILL before", "SIGKILL after"
OPERATIONS = frozenset({"endpoints.put", "endpoints.delete", "deployments.put", "deployments.delete"})
WRITES = OPERATIONS | {"environments.put"}
ENDPOINT, CANDIDATE = "{endpoint}", "{candidate}"
STORM_RUNS = 3


class Kind(StrEnum):
    """What a release finds."""

    NEXT = "next"  # a deployment that serves, and nothing else
    FIRST = "first"  # nothing: not even the endpoint
    LEFTOVER = "leftover"  # what a release that was stopped has left under the candidate's name
    BACK = "back"  # as next, but the second step of its traffic is a breach


@dataclass(frozen=True)
class Position:
    """The `occurrence`-th (from 0) call of a name on a resource, `place`-th of all calls of the release."""

    place: int
    call: str
    resource: str
    occurrence: int

    def __str__(self) -> str:
        return f"{self.call} #{self.occurrence + 1}"


@dataclass(frozen=True)
class Cell:
    """One release to be struck once."""

    position: Position
    fault: str
    kind: Kind = Kind.NEXT

    @property
    def kills(self) -> bool:
        return self.fault in {KILL_BEFORE, KILL_AFTER}

    def control_fault(self, endpoint: str, candidate: str) -> ControlFault:
        """Return what the emulator is told."""
        where = self.position.resource.replace(ENDPOINT, endpoint).replace(CANDIDATE, candidate)
        common: dict[str, Any] = {
            "call": self.position.call,
            "resource": where or None,
            "after": self.position.occurrence,
        }
        if self.fault in ENDINGS:
            return ControlFault(effect=ENDINGS[self.fault], **common)
        if self.fault == LOST_ANSWER:
            return ControlFault(effect=Drop(), when=When.AFTER, **common)
        effect, times = EFFECTS[self.fault]
        return ControlFault(effect=effect, times=times, **common)


@dataclass(frozen=True)
class Storm:
    """One release that is struck at random, some times in a row; everything follows from the seed."""

    seed: int
    kind: Kind = Kind.NEXT

    def faults(self, endpoint: str, candidate: str) -> list[ControlFault]:
        """Return a fault for each run."""
        chance = random.Random(self.seed)  # noqa: S311 - it draws faults, it keeps no secret
        found = []
        for _ in range(STORM_RUNS):
            call = chance.choice(("endpoints.*", "deployments.*", "operations.*", "*"))
            effect = chance.choice([each for each, _ in EFFECTS.values()])
            after, times = chance.randrange(40), chance.randrange(1, 6)
            resource = None if call == "*" else chance.choice((endpoint, f"{endpoint}/{candidate}"))
            if chance.random() < ENDS_BADLY:
                call, effect, times = chance.choice(sorted(OPERATIONS - {"endpoints.delete"})), chance.choice(ENDED), 1
                after, resource = chance.randrange(4), None
            when = chance.choice(list(When))
            found.append(ControlFault(call=call, effect=effect, resource=resource, when=when, after=after, times=times))
        return found

    def kills(self) -> list[int]:
        """Return for each run at which call it is killed, 0 where it is not."""
        chance = random.Random(self.seed + 1)  # noqa: S311 - as above
        return [chance.randrange(1, 80) if chance.random() < KILLED else 0 for _ in range(STORM_RUNS)]


@dataclass
class Held:
    """What came of it: how the run that was struck ended and the one after it, and every promise that was broken."""

    work: Cell | Storm
    first: str = ""
    second: str = ""
    struck: bool = True
    took_s: float = 0.0
    broken: list[str] = field(default_factory=list)


def positions(calls: Sequence[Call], endpoint: str, candidate: str) -> list[Position]:
    """Return the calls of a recorded release; of the polls of an operation only the first two are told apart."""
    seen: Counter[tuple[str, str]] = Counter()
    found = []
    for place, call in enumerate(calls):
        resource = where(call.resource, endpoint, candidate)
        found.append(Position(place, call.call, resource, seen[call.call, resource]))
        seen[call.call, resource] += 1
    return [each for each in found if not (each.call.startswith("operations.") and each.occurrence > 1)]


def where(resource: str, endpoint: str, candidate: str) -> str:
    """Return the resource with the names of this release left open; empty where it is not of the endpoint."""
    return {endpoint: ENDPOINT, f"{endpoint}/{candidate}": f"{ENDPOINT}/{CANDIDATE}"}.get(resource, "")


def matrix(found: Sequence[Position], kind: Kind) -> Iterator[Cell]:
    """Yield every cell of these positions; of the special kinds only where they differ from every other release."""
    for position in found:
        if kind is Kind.LEFTOVER and not is_of_deletion(position, found):
            continue
        if kind is Kind.BACK and position.place < place_of_breach(found):
            continue
        if kind is Kind.FIRST and position.place > first_key(found):
            continue
        for fault in EFFECTS:
            yield Cell(position, fault, kind)
        if position.call in WRITES:
            yield Cell(position, LOST_ANSWER, kind)
        if position.call in OPERATIONS:
            for fault in ENDINGS:
                yield Cell(position, fault, kind)
        yield Cell(position, KILL_BEFORE, kind)
        yield Cell(position, KILL_AFTER, kind)


def is_of_deletion(position: Position, found: Sequence[Position]) -> bool:
    """Tell whether a call is the deletion of the leftover, or between that and the new deployment."""
    begins = next((each.place for each in found if each.call == "deployments.delete"), len(found))
    ends = next((each.place for each in found if each.call == "deployments.put"), 0)
    return begins <= position.place < ends


def first_key(found: Sequence[Position]) -> int:
    """Return the place of the first call for the key: from there on a first release is as any other."""
    return next(each.place for each in found if each.call == "endpoints.listKeys")


def place_of_breach(found: Sequence[Position]) -> int:
    """Return the place of the first call after the breach: the last two updates of the endpoint are the way back."""
    updates = [each.place for each in found if each.call == "endpoints.put"]
    return updates[-3] + 1

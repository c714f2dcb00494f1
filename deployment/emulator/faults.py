"""Faults on request: which call, operation or scored request fails, how, and how often; repeatable under a seed."""

import asyncio
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from itertools import count
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

NO_SEED = 0
# A field that does not exist must not be a fault that never strikes.
STRICT = ConfigDict(extra="forbid")
Count = Annotated[int, Field(ge=0)]
Ratio = Annotated[float, Field(gt=0, le=1)]
DelayMs = Annotated[float, Field(ge=0, le=600_000)]


class When(StrEnum):
    """Where in a call or an operation the fault strikes."""

    BEFORE = "before"  # what was asked for did not happen
    AFTER = "after"  # it happened, and the caller is not told so


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """The call is answered with this status and Azure's error document."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    kind: Literal["refuse"] = "refuse"
    status: Literal[400, 401, 403, 404, 408, 409, 412, 429, 500, 502, 503, 504]
    retry_after_s: Count | None = None
    retry_after_ms: Count | None = None  # as Azure's own header of that name, which the SDK heeds too
    code: str | None = None
    message: str = "A fault that was asked for."


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """The connection is broken off without an answer."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    kind: Literal["drop"] = "drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """The call is answered as always, but late."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    kind: Literal["delay"] = "delay"
    delay_ms: DelayMs


@dataclass(frozen=True, slots=True, kw_only=True)
class EndOperation:
    """The operation that the call starts ends so; one that never ends goes on once the fault is taken away."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    kind: Literal["operation"] = "operation"
    ends: Literal["Failed", "Canceled", "Never"]
    code: str = "InternalServerError"
    message: str = "A fault that was asked for."


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlFault:
    """Strikes calls of the control plane.

    call is a name of the table in the README, or a pattern (`deployments.*`); resource narrows it to one resource as
    the list of calls names it (`diabetes`, `diabetes/blue`). The first `after` matching calls pass, the next `times`
    are struck (None: all), each with the probability `ratio`.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    plane: Literal["control"] = "control"
    call: str
    effect: Annotated[Refuse | Drop | Delay | EndOperation, Field(discriminator="kind")]
    resource: str | None = None
    when: When = When.BEFORE
    after: Count = 0
    times: Annotated[int, Field(ge=1)] | None = 1
    ratio: Ratio = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFault:
    """Strikes requests to an endpoint, or to one deployment of it: a delay, a status in place of an answer, or both."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    plane: Literal["data"] = "data"
    endpoint: str
    deployment: str | None = None
    delay_ms: DelayMs = 0.0
    status: Annotated[int, Field(ge=400, le=599)] | None = None
    after: Count = 0
    times: Annotated[int, Field(ge=1)] | None = None
    ratio: Ratio = 1.0


Fault = Annotated[ControlFault | DataFault, Field(discriminator="plane")]


@dataclass(frozen=True, slots=True)
class FaultEffect:
    """What happens to a scored request: it waits, and when status is given the container is not asked."""

    delay_ms: float = 0.0
    status: int | None = None


@dataclass(slots=True)
class PlacedFault:
    """A fault under its number: how many calls or requests matched it, and how many of them it struck."""

    id: int
    fault: ControlFault | DataFault
    rng: random.Random
    matched: int = 0
    struck: int = 0
    lifted: asyncio.Event = field(default_factory=asyncio.Event)

    def is_due(self) -> bool:
        """Count one more match and say whether it is to be struck."""
        self.matched += 1
        fault = self.fault
        if self.matched <= fault.after or (fault.times is not None and self.struck >= fault.times):
            return False
        return fault.ratio >= 1 or self.rng.random() < fault.ratio


class Faults:
    """The faults that were asked for, in the order in which they were; they end with the emulator."""

    def __init__(self, seed: int | None = None) -> None:
        self._seed = NO_SEED if seed is None else seed
        self._ids = count(1)
        self._placed: dict[int, PlacedFault] = {}

    def add(self, fault: ControlFault | DataFault) -> PlacedFault:
        """Place a fault; its draws depend on the seed and its number alone."""
        number = next(self._ids)
        rng = random.Random(f"{self._seed}/{number}")  # noqa: S311 - it draws faults, it keeps no secret
        self._placed[number] = placed = PlacedFault(number, fault, rng)
        return placed

    def all(self) -> list[PlacedFault]:
        """Answer the faults, those that have run out too."""
        return list(self._placed.values())

    def remove(self, number: int) -> PlacedFault | None:
        """Take a fault away and let go what it holds; None when there is none."""
        placed = self._placed.pop(number, None)
        if placed is not None:
            placed.lifted.set()
        return placed

    def clear(self) -> None:
        """Take all faults away."""
        for number in list(self._placed):
            self.remove(number)

    def for_call(self, call: str, resource: str) -> ControlFault | None:
        """Answer what strikes this call itself; each call is to be asked for once."""
        placed = self._first(self._control(call, resource, of_operations=False))
        return placed.fault if placed is not None and isinstance(placed.fault, ControlFault) else None

    def for_operation(self, call: str, resource: str) -> PlacedFault | None:
        """Answer what strikes the operation that this call has started; each is to be asked for once."""
        return self._first(self._control(call, resource, of_operations=True))

    def for_request(self, endpoint: str, deployment: str) -> FaultEffect | None:
        """Answer what strikes a scored request: the delays of all faults that are due, the first one's status."""
        delay_ms, status, is_struck = 0.0, None, False
        for placed in self._placed.values():
            fault = placed.fault
            if not isinstance(fault, DataFault) or fault.endpoint != endpoint:
                continue
            if fault.deployment not in (None, deployment) or not placed.is_due():
                continue
            placed.struck += 1
            is_struck = True
            delay_ms += fault.delay_ms
            status = status or fault.status
        return FaultEffect(delay_ms, status) if is_struck else None

    def _control(self, call: str, resource: str, *, of_operations: bool) -> list[PlacedFault]:
        return [
            placed
            for placed in self._placed.values()
            if isinstance(placed.fault, ControlFault)
            and isinstance(placed.fault.effect, EndOperation) is of_operations
            and matches_call(placed.fault, call)
            and placed.fault.resource in (None, resource)
        ]

    def _first(self, matching: Iterable[PlacedFault]) -> PlacedFault | None:
        due = [placed for placed in matching if placed.is_due()]
        if not due:
            return None
        due[0].struck += 1
        return due[0]


def matches_call(fault: ControlFault, call: str) -> bool:
    """Whether the fault names this call, or names it by a pattern."""
    return fnmatchcase(call, fault.call)

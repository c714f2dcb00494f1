"""What the gate says: an outcome, the sentence that says why, and each criterion with its numbers."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """How a judgement can end; each is an exit code of `python -m load gate`."""

    PASS = "PASS"  # shown to be good enough, at the policy's confidence  # noqa: S105 - no password
    FAIL = "FAIL"  # shown to be worse than a limit, at the policy's confidence
    INCONCLUSIVE = "INCONCLUSIVE"  # measured well, but too little to tell
    INVALID = "INVALID"  # the measurement says nothing about the candidate

    @property
    def exit_code(self) -> int:
        """Return the exit code that stands for the outcome."""
        return {Outcome.PASS: 0, Outcome.FAIL: 10, Outcome.INCONCLUSIVE: 11, Outcome.INVALID: 12}[self]


class Layer(StrEnum):
    """What a criterion is about; also the order in which the layers are looked at."""

    VALIDITY = "validity"
    ERRORS = "errors"
    RELATIVE = "relative"
    ABSOLUTE = "absolute"


@dataclass(frozen=True)
class Criterion:
    """One limit and how it was met.

    `measured` is what is compared with `limit` (`measured operator limit` is what is wanted), in `unit`: ms, ratio or
    count. `interval` holds its one-sided lower and upper bounds; where there is one, it decides. Numbers are None
    where there was nothing to measure. `reason` states the numbers in words.
    """

    name: str
    layer: Layer
    unit: str
    operator: str
    limit: float
    measured: float | None
    live: float | None
    candidate: float | None
    interval: tuple[float, float] | None
    result: Outcome
    reason: str


@dataclass(frozen=True)
class Verdict:
    """What the gate says of a run; `sentence` is the first sentence of every report."""

    outcome: Outcome
    sentence: str
    criteria: tuple[Criterion, ...]
    live: str | None
    candidate: str

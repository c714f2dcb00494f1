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
    PARITY = "parity"
    RELATIVE = "relative"
    ABSOLUTE = "absolute"


@dataclass(frozen=True)
class Criterion:
    """One limit and how it was met.

    `measured` is what is compared with `limit` (`measured operator limit` is what is wanted), in `unit`: ms, ratio,
    count or index (a number without a unit). `interval` holds its one-sided lower and upper bounds; where there is one,
    it decides. Numbers are None where there was nothing to measure. `reason` states the numbers in words.
    """

    name: str
    layer: Layer
    unit: str
    operator: str
    limit: float
    measured: float | None
    result: Outcome
    reason: str
    live: float | None = None
    candidate: float | None = None
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class ErrorClass:
    """Failed requests of one kind: how many of live's and of the candidate's, and ids of some of the candidate's."""

    name: str
    meaning: str
    live: int
    candidate: int
    request_ids: tuple[str, ...]


@dataclass(frozen=True)
class Unlike:
    """A payload to which the two gave other answers, and by how much at most (None: not by a number)."""

    payload: str
    live: str
    candidate: str
    difference: float | None


@dataclass(frozen=True)
class Parity:
    """How the candidate's answers compare with live's to the same payloads.

    `same_model` says that both named one model version, `steady` that live gave one answer to each payload.
    `compared` counts payloads, `values` the predictions in their answers, `unlike` those beyond the tolerance; `worst`
    names some payloads of theirs. Shift of the mean, Kolmogorov and Smirnov's distance and the population stability
    index are None where the predictions are labels or too few.
    """

    same_model: bool
    steady: bool
    compared: int
    values: int
    unlike: int
    worst: tuple[Unlike, ...]
    mean_shift: float | None
    ks_distance: float | None
    psi: float | None


@dataclass(frozen=True)
class Look:
    """What the gate said after so many judged seconds."""

    judged_s: float
    outcome: Outcome
    sentence: str


@dataclass(frozen=True)
class Verdict:
    """What the gate says of a run; `sentence` is the first sentence of every report.

    `looks` are the times at which the rows were looked at, the last of which decided; `judged_s` is its time.
    """

    outcome: Outcome
    sentence: str
    criteria: tuple[Criterion, ...]
    live: str | None
    candidate: str
    judged_s: float = 0.0
    looks: tuple[Look, ...] = ()
    errors: tuple[ErrorClass, ...] = ()
    parity: Parity | None = None


def must_hold(
    name: str,
    measured: float,
    operator: str,
    limit: float,
    reason: str,
    *,
    unit: str = "count",
    live: float | None = None,
    candidate: float | None = None,
) -> Criterion:
    """Return a criterion without which nothing is judged."""
    met = measured <= limit if operator == "<=" else measured >= limit
    return Criterion(
        name=name,
        layer=Layer.VALIDITY,
        unit=unit,
        operator=operator,
        limit=limit,
        measured=measured,
        live=live,
        candidate=candidate,
        result=Outcome.PASS if met else Outcome.INVALID,
        reason=reason,
    )

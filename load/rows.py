"""Rows: what one load test measured, a line for each request; load/rows_file.py stores them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import numpy.typing as npt

SCHEMA = 2
DROPPED = "dropped"
TIMEOUT = "timeout"
ROLES = ("live", "candidate")

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.integer[Any]]
Booleans = npt.NDArray[np.bool_]
Strings = npt.NDArray[np.str_]


@dataclass(frozen=True)
class RunPlan:
    """What a run set out to do.

    `live` is None where there is nothing to compare with. `rate_pairs_per_s` is the mean rate of the Poisson arrivals;
    `end_rate_pairs_per_s`, where it is one, what that rises to in a straight line over `duration_s`, the most that is
    judged after the warm-up. `generator` names the program that asked.
    """

    started_at: str
    live: str | None
    candidate: str
    rate_pairs_per_s: float
    warmup_s: float
    duration_s: float
    timeout_s: float
    max_in_flight: int
    seed: int
    end_rate_pairs_per_s: float | None = None
    generator: str = ""
    schema: int = SCHEMA


@dataclass(frozen=True)
class RunEnd:
    """What a run that came to its end knows of itself.

    `judged_s` is how much of `duration_s` was sent before somebody had seen enough; `cpu_ratio` is the generator's
    share of one core; `broken_off` why the run was ended for another reason than that, empty where it was not.
    """

    pairs: int
    elapsed_s: float
    judged_s: float
    cpu_ratio: float
    broken_off: str = ""


@dataclass(frozen=True)
class Observed:
    """What was seen of the endpoint beside the load: its traffic, so many seconds after the start of the run."""

    at_s: float
    traffic: str


@dataclass(frozen=True)
class Row:
    """One request; load/rows_file.py says what each field holds."""

    pair: int
    role: str
    intended_s: float
    lag_ms: float
    service_ms: float
    warmup: int
    status: int
    error: str
    answered_by: str
    model: str
    payload: str
    answer: str
    throttled_ms: float
    request_id: str


COLUMNS = tuple(field.name for field in fields(Row))


@dataclass(frozen=True)
class Rows:
    """A run's requests as columns of one length, in the order in which they ended; `end` is None for a run cut off.

    `answers` holds each distinct body of a good answer by what the column `answer` calls it, None for one that was too
    long to keep; `observed` what was seen of the endpoint meanwhile.
    """

    plan: RunPlan
    end: RunEnd | None
    pair: Integers
    role: Strings
    intended_s: Floats
    lag_ms: Floats
    service_ms: Floats
    warmup: Booleans
    status: Integers
    error: Strings
    answered_by: Strings
    model: Strings
    payload: Strings
    answer: Strings
    throttled_ms: Floats
    request_id: Strings
    answers: Mapping[str, Any] = field(default_factory=dict)
    observed: tuple[Observed, ...] = ()

    @property
    def latency_ms(self) -> Floats:
        """Milliseconds from when each request was due, so that a stalled server is charged for those it held up."""
        return self.lag_ms + self.service_ms

    @property
    def latency_known(self) -> Booleans:
        """Whether a latency says how long a caller waits: a whole 200 answer, or a time-out (at least as long).

        Fast failures would make a deployment look fast; they are judged as errors.
        """
        return np.isin(self.error, ("", TIMEOUT))

    def where(self, mask: Booleans) -> "Rows":
        """Return the requests that the mask selects."""
        columns = {name: getattr(self, name)[mask] for name in COLUMNS}
        return Rows(self.plan, self.end, **columns, answers=self.answers, observed=self.observed)

    def of(self, role: str) -> "Rows":
        """Return the judged requests (warm-up left out) of `live` or `candidate`."""
        return self.where((self.role == role) & ~self.warmup)

    def until(self, judged_s: float) -> "Rows":
        """Return what was due in the warm-up and the first `judged_s` seconds after it."""
        return self.where(self.intended_s < self.plan.warmup_s + judged_s)

    def __len__(self) -> int:
        return len(self.pair)


KINDS: Mapping[str, Any] = {
    "warmup": np.bool_,
    **dict.fromkeys(("pair", "status"), np.int64),
    **dict.fromkeys(("intended_s", "lag_ms", "service_ms", "throttled_ms"), np.float64),
}


def make_rows(
    plan: RunPlan,
    end: RunEnd | None,
    rows: list[Row],
    answers: Mapping[str, Any] | None = None,
    observed: tuple[Observed, ...] = (),
) -> Rows:
    """Return the rows as columns."""
    columns = {name: np.array([getattr(row, name) for row in rows], dtype=KINDS.get(name, np.str_)) for name in COLUMNS}
    return Rows(plan, end, **columns, answers=answers or {}, observed=observed)

"""Rows: what one load test measured, one line a request, in one gzipped CSV file.

Line 1 is `# ` and a JSON object, RunPlan's fields; line 2 the column names; then a line for each request, as it ended:

    pair         number of the arrival, from 0; live's and candidate's request of one arrival share it
    role         live | candidate
    intended_s   when it was due, seconds after the start of the run, on the generator's monotonic clock
    lag_ms       how late the generator itself sent it
    service_ms   from sending to the whole answer, or to the failure
    warmup       1 for requests due in the warm-up, which are not judged
    status       HTTP status; 0 where there was no whole answer
    error        empty for 200; http_<status>, timeout, connection, or dropped (not sent: too many unanswered)
    answered_by  the answer's azureml-model-deployment header
    payload      id of the request body
    request_id   the answer's x-request-id, for failed requests only

The last line is `# ` and a JSON object, RunEnd's fields; a file without it is of a run that was cut off.
"""

import csv
import gzip
import json
from dataclasses import asdict, dataclass, fields
from io import TextIOWrapper
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

SCHEMA = 1
DROPPED = "dropped"
TIMEOUT = "timeout"

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]
Strings = npt.NDArray[np.str_]


class RowsError(Exception):
    """A rows file cannot be read; the message names the file, the fault and what to do."""


@dataclass(frozen=True)
class RunPlan:
    """What a run set out to do; `live` is None where there is nothing to compare with."""

    started_at: str
    live: str | None
    candidate: str
    rate_pairs_per_s: float
    warmup_s: float
    duration_s: float
    timeout_s: float
    max_in_flight: int
    seed: int
    schema: int = SCHEMA


@dataclass(frozen=True)
class RunEnd:
    """What a run that came to its end knows of itself; `cpu_ratio` is the generator's share of one core."""

    pairs: int
    elapsed_s: float
    cpu_ratio: float


@dataclass(frozen=True)
class Row:
    """One request; the module's docstring says what each field holds."""

    pair: int
    role: str
    intended_s: float
    lag_ms: float
    service_ms: float
    warmup: int
    status: int
    error: str
    answered_by: str
    payload: str
    request_id: str


COLUMNS = tuple(field.name for field in fields(Row))


class RowsWriter:
    """Writes a rows file line by line; left without end(), the file stays one of a run that was cut off."""

    def __init__(self, path: Path, plan: RunPlan) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file = TextIOWrapper(gzip.open(path, "wb", compresslevel=6), encoding="utf-8", newline="")  # noqa: SIM115 - closed in __exit__
        self.csv = csv.writer(self.file, lineterminator="\n")
        self.comment(asdict(plan))
        self.csv.writerow(COLUMNS)

    def write(self, row: Row) -> None:
        """Append one request."""
        self.csv.writerow(
            f"{value:.3f}" if isinstance(value, float) and name != "intended_s" else value
            for name, value in ((name, getattr(row, name)) for name in COLUMNS)
        )

    def end(self, end: RunEnd) -> None:
        """Append the last line."""
        self.comment(asdict(end))

    def comment(self, content: dict[str, Any]) -> None:
        self.file.write(f"# {json.dumps(content)}\n")

    def close(self) -> None:
        """Flush and close the file."""
        self.file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True)
class Rows:
    """A run's requests as columns of one length, in the order in which they ended; `end` is None for a run cut off."""

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
    payload: Strings
    request_id: Strings

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
        return Rows(self.plan, self.end, **columns)

    def of(self, role: str) -> "Rows":
        """Return the judged requests (warm-up left out) of `live` or `candidate`."""
        return self.where((self.role == role) & ~self.warmup)

    def __len__(self) -> int:
        return len(self.pair)


def make_rows(plan: RunPlan, end: RunEnd | None, rows: list[Row]) -> Rows:
    """Return the rows as columns."""
    kinds: dict[str, Any] = {"warmup": np.bool_, "pair": np.int64, "status": np.int64}
    kinds |= dict.fromkeys(("intended_s", "lag_ms", "service_ms"), np.float64)
    columns = {name: np.array([getattr(row, name) for row in rows], dtype=kinds.get(name, np.str_)) for name in COLUMNS}
    return Rows(plan, end, **columns)


def read_rows(path: Path) -> Rows:
    """Read a rows file; raises RowsError."""
    plan: RunPlan | None = None
    end: RunEnd | None = None
    rows: list[Row] = []
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            plan = RunPlan(**json.loads(file.readline().removeprefix("# ")))
            if tuple(file.readline().strip().split(",")) != COLUMNS or plan.schema != SCHEMA:
                raise RowsError(f"rows: {path} has another schema ({plan.schema} vs {SCHEMA}); measure again")
            for line in file:
                if line.startswith("# "):
                    end = RunEnd(**json.loads(line.removeprefix("# ")))
                else:
                    rows.append(parse(next(csv.reader([line]))))
    except EOFError:
        # A run that was killed leaves a gzip stream without its end: what it holds is a run cut off.
        if plan is None:
            raise RowsError(f"rows: {path} is empty; measure again") from None
    except (OSError, ValueError, TypeError, StopIteration) as error:
        raise RowsError(f"rows: {path} cannot be read ({error}); measure again") from error
    return make_rows(plan, end, rows)


def parse(cells: list[str]) -> Row:
    pair, role, intended_s, lag_ms, service_ms, warmup, status, error, answered_by, payload, request_id = cells
    return Row(
        pair=int(pair),
        role=role,
        intended_s=float(intended_s),
        lag_ms=float(lag_ms),
        service_ms=float(service_ms),
        warmup=int(warmup),
        status=int(status),
        error=error,
        answered_by=answered_by,
        payload=payload,
        request_id=request_id,
    )

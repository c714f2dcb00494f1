"""A rows file: one load test, one gzipped CSV file.

Lines that begin with `# ` hold a JSON object. The first line is one, of RunPlan's fields; line 2 are the column names;
then a line for each request, as it ended:

    pair         number of the arrival, from 0; live's and candidate's request of one arrival share it
    role         live | candidate
    intended_s   when it was due, seconds after the start of the run, on the generator's monotonic clock
    lag_ms       how late the generator itself sent it
    service_ms   from sending to the whole answer, or to the failure
    warmup       1 for requests due in the warm-up, which are not judged
    status       HTTP status; 0 where there was no whole answer
    error        empty for 200; http_<status>, timeout, connection, or dropped (not sent: too many unanswered)
    answered_by  the answer's azureml-model-deployment header
    model        the answer's x-model-version header
    payload      id of the request body
    answer       which of the distinct bodies a good answer had; empty for others
    throttled_ms how long the endpoint held the request or its answer back for its bandwidth, as it says itself
    request_id   the answer's x-request-id, for failed requests only

Between them: `# {"answer": id, "body": ...}` where a body is first seen (null: longer than 16 KiB), and
`# {"at_s": ..., "traffic": ...}` for what was seen of the endpoint. Behind the last request is `# {"end": RunEnd's
fields}`; a file without it is of a run that was cut off.
"""

import csv
import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, fields
from io import TextIOWrapper
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from load.rows import COLUMNS, SCHEMA, Observed, Row, Rows, RunEnd, RunPlan, make_rows

PARSERS = tuple({"int": int, "float": float, "str": str}[field.type.__name__] for field in fields(Row))  # type: ignore[union-attr]  # types, not names: no postponed annotations here
EXACT = "intended_s"


class RowsError(Exception):
    """A rows file cannot be read; the message names the file, the fault and what to do."""


class RowsWriter:
    """Writes a rows file line by line; left without end(), the file stays one of a run that was cut off."""

    def __init__(self, path: Path, plan: RunPlan) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._gzip = gzip.open(path, "wb", compresslevel=4)  # noqa: SIM115 - closed in __exit__
        self._file = TextIOWrapper(self._gzip, encoding="utf-8", newline="")
        self._csv = csv.writer(self._file, lineterminator="\n")
        self._comment(asdict(plan))
        self._csv.writerow(COLUMNS)

    def write(self, row: Row) -> None:
        """Append one request."""
        self._csv.writerow(cells(row))

    def answer(self, name: str, body: Any) -> None:
        """Append a body that was answered, under the name that rows call it by."""
        self._comment({"answer": name, "body": body})

    def observe(self, seen: Observed) -> None:
        """Append what was seen of the endpoint."""
        self._comment(asdict(seen))

    def end(self, end: RunEnd) -> None:
        """Append the last line."""
        self._comment({"end": asdict(end)})

    def flush(self) -> None:
        """Let whoever reads the file meanwhile have what was written so far."""
        self._file.flush()
        self._gzip.flush()

    def close(self) -> None:
        """Flush and close the file."""
        self._file.close()

    def _comment(self, content: dict[str, Any]) -> None:
        self._file.write(f"# {json.dumps(content)}\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def cells(row: Row) -> list[Any]:
    return [
        f"{value:.3f}" if isinstance(value, float) and name != EXACT else value
        for name, value in zip(COLUMNS, vars(row).values(), strict=True)
    ]


class Reading:
    """What has been read of a rows file so far."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.plan: RunPlan | None = None
        self.end: RunEnd | None = None
        self.rows: list[Row] = []
        self.answers: dict[str, Any] = {}
        self.observed: list[Observed] = []

    def read(self, lines: Iterator[str]) -> None:
        """Take over all lines."""
        said = json.loads(next(lines).removeprefix("# "))
        if said["schema"] != SCHEMA:
            raise RowsError(f"rows: {self.path} has the schema {said['schema']}, not {SCHEMA}; measure again")
        self.plan = RunPlan(**said)
        if (columns := tuple(next(lines).strip().split(","))) != COLUMNS:
            raise RowsError(f"rows: {self.path} has the columns {', '.join(columns)}; measure again")
        for line in lines:
            if line.startswith("# "):
                self.take(json.loads(line.removeprefix("# ")))
            else:
                parsed = (parse(cell) for parse, cell in zip(PARSERS, next(csv.reader([line])), strict=True))
                self.rows.append(Row(*parsed))

    def take(self, said: dict[str, Any]) -> None:
        if "end" in said:
            self.end = RunEnd(**said["end"])
        elif "answer" in said:
            self.answers[said["answer"]] = said["body"]
        else:
            self.observed.append(Observed(**said))


def read_rows(path: Path) -> Rows:
    """Read a rows file, or as much of it as has been written; raises RowsError."""
    reading = Reading(path)
    try:
        # A run that was killed, or goes on, leaves a gzip stream without its end: what it holds is a run cut off.
        with suppress(EOFError), gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            reading.read(file)
    except (OSError, zlib.error, csv.Error, ValueError, TypeError, KeyError, StopIteration) as error:
        raise RowsError(f"rows: {path} cannot be read ({error!r}); measure again") from error
    if reading.plan is None:
        raise RowsError(f"rows: {path} is empty; measure again")
    return make_rows(reading.plan, reading.end, reading.rows, reading.answers, tuple(reading.observed))


def append_observed(path: Path, observed: Sequence[Observed]) -> None:
    """Add what was seen of the endpoint to a complete file; one that was cut off stays as it is."""
    if not is_complete(path):
        return
    with gzip.open(path, "ab") as file:
        for seen in observed:
            file.write(f"# {json.dumps(asdict(seen))}\n".encode())


def is_complete(path: Path) -> bool:
    """Say whether the compressed stream came to its end; behind one that did not, nothing could be read."""
    if path.stat().st_size == 0:
        return False
    try:
        with gzip.open(path, "rb") as file:
            while file.read(1 << 20):
                pass
    except (EOFError, OSError, zlib.error):
        return False
    return True

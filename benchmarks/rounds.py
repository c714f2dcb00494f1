"""A case in interleaved rounds: each round measures every contender once, so that all see the same machine."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path

import numpy as np

from benchmarks.cases import Case
from benchmarks.contenders import RELATIVE_TOLERANCE, RUNS, Contender
from benchmarks.errors import BenchmarkError
from benchmarks.machine import Cores
from benchmarks.models import TrainedModel
from benchmarks.server import Server
from benchmarks.wrk import Reading, run_wrk

# Different requests, sent in turn: as many numbers to draw up at any number of rows.
SINGLE_ROW_REQUESTS = 64
LARGE_REQUESTS = 8
WARM_UP_S = 1.0


@dataclass
class Measured:
    """One contender in one case: a reading for each round, or why there is none."""

    contender: Contender
    readings: list[Reading] = field(default_factory=list)
    failure: str = ""

    @property
    def requests_per_s(self) -> float | None:
        if self.failure or not self.readings:
            return None
        return statistics.median(reading.requests_per_s for reading in self.readings)


def measure_case(
    case: Case,
    servers: Sequence[tuple[Contender, Server | BenchmarkError]],
    model: TrainedModel,
    *,
    cores: Cores,
    rounds: int,
    seconds: float,
    advance: Callable[[str], None],
) -> list[Measured]:
    """Return what each contender did; `servers` have been started. One that answers wrongly is not timed."""
    count = SINGLE_ROW_REQUESTS if case.rows_per_request == 1 else LARGE_REQUESTS
    requests = model.requests(case.rows_per_request, count)
    expected = [model.predict(rows) for rows in requests]
    running: list[tuple[Measured, Server, Path]] = []
    table: list[Measured] = []
    for contender, server in servers:
        measured = Measured(contender)
        table.append(measured)
        if isinstance(server, BenchmarkError):
            measured.failure = str(server)
            continue
        bodies = RUNS / f"{case.name}-{contender.name}.txt"
        bodies.write_text("\n".join(map(contender.dialect.body, requests)) + "\n", encoding="utf-8")
        try:
            check_answers(contender, server, bodies.read_text(encoding="utf-8").splitlines(), expected)
            _read(case, contender, server, bodies, WARM_UP_S, cores)
        except BenchmarkError as error:
            measured.failure = str(error)
        else:
            running.append((measured, server, bodies))
    for number in range(rounds):
        # Another one begins each round.
        first = number % len(running) if running else 0
        advance(f"{case.name}: round {number + 1} of {rounds}")
        for measured, server, bodies in (*running[first:], *running[:first]):
            if measured.failure:
                continue
            try:
                measured.readings.append(_read(case, measured.contender, server, bodies, seconds, cores))
            except BenchmarkError as error:
                measured.failure = str(error)
    return table


def check_answers(contender: Contender, server: Server, bodies: list[str], expected: list[list[float]]) -> None:
    """Raise BenchmarkError unless each answer is model.predict's, row for row."""
    for body, predictions in zip(bodies, expected, strict=True):
        try:
            status, answer = server.ask("POST", contender.dialect.path, body)
            if status != HTTPStatus.OK:
                raise BenchmarkError(f"it answers {status} to a valid request ({answer[:200]!r})")
            answered = contender.dialect.predictions(answer)
        except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
            raise BenchmarkError(f"its answer cannot be read ({type(error).__name__}: {error})") from error
        if not contender.predicts:
            continue
        if len(answered) != len(predictions) or not np.allclose(answered, predictions, rtol=RELATIVE_TOLERANCE, atol=0):
            raise BenchmarkError(f"it predicts otherwise than model.predict ({answered[:3]} vs {predictions[:3]})")


def ratios(table: Sequence[Measured], contender: Contender, peer: Contender) -> list[float]:
    """Return contender's requests a second over peer's, round by round; nothing where one of them was not measured."""
    by_name = {measured.contender.name: measured for measured in table}
    ours, theirs = by_name.get(contender.name), by_name.get(peer.name)
    if ours is None or theirs is None or ours.failure or theirs.failure:
        return []
    return [
        mine.requests_per_s / other.requests_per_s for mine, other in zip(ours.readings, theirs.readings, strict=True)
    ]


def _read(case: Case, contender: Contender, server: Server, bodies: Path, seconds: float, cores: Cores) -> Reading:
    url = server.url + contender.dialect.path
    return run_wrk(url, bodies, connections=case.connections, seconds=seconds, core=cores.client)

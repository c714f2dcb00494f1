"""Twice what a server can do arrives, then half of it: what is still answered in time, how the rest hears of it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from benchmarks.contenders import OURS, OURS_BY_MODEL_PREDICT, RUNS, Contender
from benchmarks.errors import BenchmarkError
from benchmarks.figures import Figure
from benchmarks.machine import Cores, cpu_s
from benchmarks.models import TrainedModel
from benchmarks.open_loop import Outcome, Question, offer, percentile_ms
from benchmarks.probing import probing
from benchmarks.rounds import SINGLE_ROW_REQUESTS, check_answers
from benchmarks.server import Server
from benchmarks.startup import engine_pid
from benchmarks.wrk import run_wrk

CONNECTIONS = 256
GOOD_WITHIN_S = 0.25
MAX_GENERATOR_LAG_MS = 10.0
# Less than that, and it was not the server that could do no more.
MIN_SERVER_BUSY_PERCENT = 85.0
CAPACITY_S = 4
OVERLOAD_S = 8
RECOVERY_S = 4


@dataclass(frozen=True)
class OverloadCase:
    """A model under twice its load; where the generator cannot keep up, only a case that `must_be_valid` is missed.

    Its capacity is what a closed loop over `capacity_connections` is answered: as many as the overload has, or as many
    as queue at most, where more would be refused.
    """

    name: str
    title: str
    model: str
    contender: Contender
    capacity_connections: int
    must_be_valid: bool


OVERLOAD_CASES = (
    OverloadCase(
        "overload-forest",
        "forest, model.predict alone",
        "forest",
        OURS_BY_MODEL_PREDICT,
        capacity_connections=64,
        must_be_valid=True,
    ),
    OverloadCase("overload-linear", "linear", "linear", OURS, capacity_connections=CONNECTIONS, must_be_valid=False),
)


@dataclass(frozen=True)
class Overload:
    """What a server did at 2 x and then at 0.5 x of `capacity_per_s`; times in ms from when a request was due."""

    capacity_per_s: float
    during: Outcome
    after: Outcome
    server_busy_percent: float
    probes_s: list[float]

    @property
    def generator_lag_ms(self) -> float:
        """The lag of the generator itself, of 99 % of arrivals; the worse of both runs."""
        return max(percentile_ms(outcome.lags_s, 99) or 0.0 for outcome in (self.during, self.after))

    @property
    def invalid_because(self) -> str | None:
        """Say why this says nothing about the server: the generator was late, or too slow to keep the server busy."""
        if self.generator_lag_ms > MAX_GENERATOR_LAG_MS:
            return f"generator lagged {self.generator_lag_ms:.0f} ms at p99 (limit {MAX_GENERATOR_LAG_MS:g})"
        if self.during.found_no_connection and self.server_busy_percent < MIN_SERVER_BUSY_PERCENT:
            return f"server busy only {self.server_busy_percent:.0f} % (limit {MIN_SERVER_BUSY_PERCENT:g})"
        return None

    @property
    def faults(self) -> int:
        """Answers that were neither right nor 503, broken connections, and requests without any answer."""
        return sum(outcome.wrong + outcome.broken + outcome.unanswered for outcome in (self.during, self.after))


def measure_overload(
    case: OverloadCase, model: TrainedModel, *, cores: Cores, advance: Callable[[str], None]
) -> Overload:
    """Raise BenchmarkError where the server cannot be started or answers wrongly before anything is timed."""
    server = case.contender.server(model, cores.server)
    try:
        server.start()
        server.wait_until_ready()
        requests = model.requests(1, SINGLE_ROW_REQUESTS)
        bodies = [case.contender.dialect.body(rows) for rows in requests]
        check_answers(case.contender, server, bodies, [model.predict(rows) for rows in requests])
        questions = [_question(server, case.contender, body) for body in bodies]
        advance(f"{case.name}: capacity in a closed loop")
        capacity_per_s = _capacity(case, server, bodies, cores)
        advance(f"{case.name}: 2 x {capacity_per_s:.0f} requests/s")
        engine = engine_pid(server)
        busy_before_s = cpu_s(engine)
        with probing(server.port) as probes_s:
            during = offer(
                server.port,
                questions,
                rate_per_s=2 * capacity_per_s,
                seconds=OVERLOAD_S,
                connections=CONNECTIONS,
                seed=1,
            )
        busy_percent = min(100.0, (cpu_s(engine) - busy_before_s) / during.seconds * 100)
        advance(f"{case.name}: 0.5 x {capacity_per_s:.0f} requests/s")
        after = offer(
            server.port,
            questions,
            rate_per_s=capacity_per_s / 2,
            seconds=RECOVERY_S,
            connections=CONNECTIONS,
            seed=2,
        )
        return Overload(capacity_per_s, during, after, busy_percent, probes_s)
    finally:
        server.stop()


def overload_figures(case: OverloadCase, measured: Overload | None) -> list[Figure]:
    """Return goodput, latencies and faults; without values where nothing was measured or the generator lagged."""
    reason = measured.invalid_because if measured is not None else None
    valid = None if reason else measured
    note = f"INVALID, {reason}" if reason else ""
    bounded = case.must_be_valid or valid is not None

    def figure(
        name: str, value: float | None, unit: str, *, at_least: float | None = None, at_most: float | None = None
    ) -> Figure:
        rounded = None if value is None else float(f"{value:.4g}")
        bounds = (at_least, at_most) if bounded else (None, None)
        return Figure(f"overload at 2 x capacity, {case.title}: {name}", rounded, unit, *bounds, note=note)

    if valid is None:
        return [
            figure("goodput", None, "% of capacity", at_least=90),
            figure("p99 of accepted", None, "ms", at_most=250),
        ]
    during, after, during_probes = valid.during, valid.after, valid.probes_s
    return [
        figure(f"capacity, closed loop of {case.capacity_connections}", valid.capacity_per_s, "requests/s"),
        figure("goodput", during.good_per_s(GOOD_WITHIN_S) / valid.capacity_per_s * 100, "% of capacity", at_least=90),
        figure("p99 of accepted", percentile_ms(during.accepted_s, 99), "ms", at_most=250),
        figure("p99 of readiness probes", percentile_ms(during_probes, 99), "ms", at_most=100),
        figure("p99 of refusals", percentile_ms(during.refused_s, 99), "ms"),
        figure("refused with 503", len(during.refused_s) / during.seconds, "requests/s"),
        figure("found no free connection of 256", during.found_no_connection / during.seconds, "requests/s"),
        figure("wrong, broken or unanswered", float(valid.faults), "requests", at_most=0),
        figure(
            "goodput afterwards, at 0.5 x", after.good_per_s(GOOD_WITHIN_S) / after.offered_per_s * 100, "% of offered"
        ),
        figure("the server's core was busy with it", valid.server_busy_percent, "%"),
        figure("lag of the generator, p99", valid.generator_lag_ms, "ms"),
    ]


def _question(server: Server, contender: Contender, body: str) -> Question:
    """Have the server answer alone what it will have to answer among others, to the last byte."""
    status, answer = server.ask("POST", contender.dialect.path, body)
    if status != HTTPStatus.OK:
        raise BenchmarkError(f"it answers {status} to a valid request")
    json.loads(answer)
    encoded = body.encode()
    head = (
        f"POST {contender.dialect.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(encoded)}\r\n\r\n"
    )
    return Question(head.encode() + encoded, answer)


def _capacity(case: OverloadCase, server: Server, bodies: list[str], cores: Cores) -> float:
    path = RUNS / f"{case.name}.txt"
    path.write_text("\n".join(bodies) + "\n", encoding="utf-8")
    url = server.url + case.contender.dialect.path
    connections = case.capacity_connections
    return run_wrk(url, path, connections=connections, seconds=CAPACITY_S, core=cores.client).requests_per_s

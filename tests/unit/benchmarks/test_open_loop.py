import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle

import pytest

from benchmarks.open_loop import Outcome, Question, offer, percentile_ms
from benchmarks.overload import OVERLOAD_CASES, Overload, overload_figures
from tests.lib.bench_server import http_server

pytestmark = pytest.mark.unit

QUESTION = Question(b"POST /score HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", b"[1.0]")
FOREST, LINEAR = OVERLOAD_CASES


@contextmanager
def serving(answer: Callable[[], tuple[bytes, bytes]]) -> Iterator[int]:
    """Serve in a thread; the generator has this one."""
    ports: list[int] = []
    is_ready, is_over = threading.Event(), threading.Event()

    async def serve() -> None:
        async with http_server(answer) as port:
            ports.append(port)
            is_ready.set()
            await asyncio.to_thread(is_over.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert is_ready.wait(10)
    try:
        yield ports[0]
    finally:
        is_over.set()
        thread.join()


def offered(answer: Callable[[], tuple[bytes, bytes]]) -> Outcome:
    with serving(answer) as port:
        return offer(port, [QUESTION], rate_per_s=200, seconds=0.5, connections=100, seed=1)


def test_every_arrival_is_accounted_for() -> None:
    statuses = cycle([(b"200 OK", b"[1.0]"), (b"503 Service Unavailable", b"{}"), (b"200 OK", b"[2.0]")])
    outcome = offered(lambda: next(statuses))
    counts = [len(outcome.accepted_s), len(outcome.refused_s), outcome.wrong]
    assert sum(counts) + outcome.found_no_connection + outcome.broken + outcome.unanswered == 100
    assert outcome.broken == outcome.unanswered == 0
    assert len(outcome.lags_s) == 100
    assert max(counts) - min(counts) <= 1


def test_an_error_that_is_not_503_is_wrong() -> None:
    assert offered(lambda: (b"500 Internal Server Error", b"{}")).wrong == 100


def test_an_arrival_without_a_free_connection_is_counted_and_not_sent() -> None:
    with serving(lambda: (b"200 OK", b"[1.0]")) as port:
        outcome = offer(port, [QUESTION], rate_per_s=200, seconds=0.5, connections=0, seed=1)
    assert (outcome.found_no_connection, len(outcome.accepted_s)) == (100, 0)


PROBES_S = [0.002] * 20


def outcome_of(*, lag_s: float) -> Outcome:
    return Outcome(200.0, 1.0, accepted_s=[0.01] * 95, refused_s=[0.001] * 105, lags_s=[lag_s] * 200)


def test_a_run_in_which_the_generator_lagged_has_no_figures_and_misses_its_bounds() -> None:
    lagged = Overload(100.0, outcome_of(lag_s=0.5), outcome_of(lag_s=0.0), 99.0, PROBES_S)
    figures = overload_figures(FOREST, lagged)
    assert all(figure.value is None and figure.is_missed and "INVALID" in figure.note for figure in figures)
    assert not any(figure.is_missed for figure in overload_figures(LINEAR, lagged))


def test_a_run_that_left_the_server_idle_has_no_figures() -> None:
    during = outcome_of(lag_s=0.0)
    during.found_no_connection = 50
    assert Overload(100.0, during, outcome_of(lag_s=0.0), 95.0, PROBES_S).invalid_because is None
    assert "busy only 60 %" in (Overload(100.0, during, outcome_of(lag_s=0.0), 60.0, PROBES_S).invalid_because or "")


def test_an_overload_that_was_never_measured_misses_its_bounds() -> None:
    assert all(figure.is_missed for figure in overload_figures(FOREST, None))


def test_goodput_is_right_answers_in_time_over_capacity() -> None:
    measured = Overload(100.0, outcome_of(lag_s=0.001), outcome_of(lag_s=0.001), 99.0, PROBES_S)
    by_name = {figure.name.rpartition(": ")[2]: figure for figure in overload_figures(FOREST, measured)}
    assert by_name["goodput"].value == pytest.approx(95)
    assert by_name["p99 of accepted"].value == pytest.approx(10)
    assert by_name["p99 of refusals"].value == pytest.approx(1)
    assert by_name["p99 of readiness probes"].value == pytest.approx(2)
    assert not any(figure.is_missed for figure in by_name.values())


def test_a_percentile_of_nothing_is_not_a_number_of_milliseconds() -> None:
    assert percentile_ms([], 99) is None

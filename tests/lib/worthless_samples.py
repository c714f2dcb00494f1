"""Runs that say nothing about the candidate, each for one reason."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from load.rows import DROPPED, TIMEOUT, Booleans, Observed, Rows
from load.settings import GatePolicy
from load.verdict import Criterion, Outcome, Verdict
from tests.lib.load_samples import POLICY, Answers, synthetic_rows

SLO_OF_P50 = POLICY.model_copy(update={"slo_p50_ms": 50.0})


def changed(rows: Rows, where: Booleans, **columns: Any) -> Rows:
    """Return the rows with other values in some of them."""
    return replace(rows, **{name: np.where(where, value, getattr(rows, name)) for name, value in columns.items()})


def ended(rows: Rows, **values: Any) -> Rows:
    assert rows.end is not None
    return replace(rows, end=replace(rows.end, **values))


def at_pair(rows: Rows, number: int, role: str) -> Booleans:
    return np.asarray((rows.pair == number) & (rows.role == role), dtype=np.bool_)


def due_between(rows: Rows, role: str, from_s: float, to_s: float) -> Booleans:
    due = (rows.intended_s >= from_s) & (rows.intended_s < to_s)
    return np.asarray((rows.role == role) & due, dtype=np.bool_)


def hanging(role: str, rate: float = 20.0) -> Rows:
    """Return a run in which one deployment answers nothing for ten seconds: 100 requests time out, the rest drop."""
    rows = synthetic_rows(rate=rate)
    stuck = np.flatnonzero(due_between(rows, role, 10, 20))
    waits, drops = np.zeros(len(rows), dtype=bool), np.zeros(len(rows), dtype=bool)
    waits[stuck[: rows.plan.max_in_flight]] = True
    drops[stuck[rows.plan.max_in_flight :]] = True
    rows = changed(rows, waits, error=TIMEOUT, status=0, answered_by="", service_ms=10_000.0)
    return changed(rows, drops, error=DROPPED, status=0, answered_by="", service_ms=0.0, lag_ms=0.0)


def dropped(rows: Rows, number: int = 400) -> Rows:
    at = at_pair(rows, number, "candidate")
    return changed(rows, at, error=DROPPED, status=0, answered_by="", service_ms=0.0, lag_ms=0.0)


def rotated_key() -> Rows:
    rows = synthetic_rows()
    return changed(rows, at_pair(rows, 300, "candidate"), status=403, error="http_403")


def replaced_meanwhile(role: str) -> Rows:
    rows = synthetic_rows()
    return changed(rows, (rows.role == role) & (rows.pair > 300), model="7")


def throttled() -> Rows:
    rows = synthetic_rows()
    return changed(rows, at_pair(rows, 500, "live"), throttled_ms=412.0)


def traffic(*seen: str) -> Rows:
    return replace(synthetic_rows(), observed=tuple(Observed(float(at), each) for at, each in enumerate(seen)))


def live_with_a_slow_tail() -> Rows:
    rows = synthetic_rows()
    return changed(rows, (rows.role == "live") & (rows.pair % 33 == 0), service_ms=800.0)


def live_that_stalled_once() -> Rows:
    rows = synthetic_rows()
    return changed(rows, due_between(rows, "live", 20, 20.9), service_ms=800.0)


# What makes a run worthless, alone: the criterion, the policy, and what the sentence has to say with its numbers.
WORTHLESS: dict[str, tuple[Callable[[], Rows], GatePolicy, str, str]] = {
    "cut off": (
        lambda: synthetic_rows(end=False),
        POLICY,
        "run came to its end",
        "the run was cut off after 1400 requests; run it again",
    ),
    "broken off": (
        lambda: ended(synthetic_rows(), judged_s=25.0, broken_off="live failed 12 of 40 requests within 10 s"),
        POLICY,
        "run came to its end",
        "the load was broken off: live failed 12 of 40 requests within 10 s",
    ),
    "too few samples": (
        lambda: synthetic_rows(rate=5),
        POLICY,
        "judged requests per deployment",
        "155 answers of live, at least 300 are needed",
    ),
    "too few of the candidate alone": (
        lambda: synthetic_rows(rate=5, alone=True),
        POLICY,
        "judged requests per deployment",
        "155 judged requests to the candidate, at least 300 are needed",
    ),
    "too few blocks": (
        lambda: synthetic_rows(duration_s=13, rate=60),
        POLICY,
        "time blocks",
        "6 blocks of 2 s in 13 s, 8 are needed",
    ),
    "key rotated": (rotated_key, POLICY, "key refused", "1 of 1400 answers were 401 or 403"),
    "answered by the other": (
        lambda: synthetic_rows(Answers(answered_by="blue")),
        POLICY,
        "answers from another deployment",
        "700 of 1400 answers came from another deployment than was asked (blue instead of green)",
    ),
    "answered by nobody who says so": (
        lambda: synthetic_rows(Answers(answered_by="")),
        POLICY,
        "answers from another deployment",
        "(nobody named instead of green)",
    ),
    "candidate replaced": (
        lambda: replaced_meanwhile("candidate"),
        POLICY,
        "versions that answered for one deployment",
        "candidate answered with 2 versions of its model (2, 7); it was replaced meanwhile",
    ),
    "live replaced": (
        lambda: replaced_meanwhile("live"),
        POLICY,
        "versions that answered for one deployment",
        "live answered with 2 versions of its model (1, 7)",
    ),
    "traffic changed": (
        lambda: traffic("blue 100 %", "blue 90 %, green 10 %"),
        POLICY,
        "changes of the traffic during the run",
        "the endpoint's traffic was blue 100 %, then blue 90 %, green 10 %",
    ),
    "traffic changed and changed back": (
        lambda: traffic("blue 100 %", "green 100 %", "blue 100 %"),
        POLICY,
        "changes of the traffic during the run",
        "blue 100 %, then green 100 %",
    ),
    "throttled": (
        throttled,
        POLICY,
        "requests held back for the endpoint's bandwidth",
        "the endpoint held 1 of 1400 requests back for its bandwidth (5 MB/s), up to 412 ms; lower rate_pairs_per_s",
    ),
    "generator late": (
        lambda: synthetic_rows(Answers(lag_ms=40), Answers(lag_ms=40)),
        POLICY,
        "generator lag p99",
        "99 % of the requests left within 40.0 ms of their time, 25 ms are allowed",
    ),
    "generator busy": (
        lambda: synthetic_rows(cpu_ratio=0.97),
        POLICY,
        "generator CPU",
        "the generator used 97.0 % of a core, 80.0 % are allowed",
    ),
    "dropped of its own making": (
        lambda: dropped(synthetic_rows(Answers(100, 0.01), Answers(100, 0.01))),
        POLICY,
        "arrivals dropped by the generator itself",
        "1 of 1 dropped arrivals found most of the 100 places taken by requests that took less than 200 ms",
    ),
    "live failing": (
        lambda: synthetic_rows(live=Answers(error_ratio=0.1)),
        POLICY,
        "errors of live",
        "live itself failed 56 of 603 requests (9.29 %, surely over 7.41 %), 1.00 % are allowed",
    ),
    "live over its p50": (
        lambda: synthetic_rows(Answers(60, 0.1), Answers(60, 0.1)),
        SLO_OF_P50,
        "p50 of live",
        "live itself has a p50 of 60.7 ms, its SLO is 50 ms",
    ),
    "live over its p95": (
        lambda: synthetic_rows(Answers(210, 0.05), Answers(210, 0.05)),
        POLICY,
        "p95 of live",
        "live itself has a p95 of 230 ms, its SLO is 200 ms",
    ),
    "live surely over its p99": (
        live_with_a_slow_tail,
        POLICY,
        "p99 of live",
        "live itself has a p99 of 801 ms, surely over 801 ms, its SLO is 400 ms",
    ),
}


def named(verdict: Verdict, name: str) -> Criterion:
    return next(each for each in verdict.criteria if each.name == name)


def beyond(verdict: Verdict) -> set[str]:
    return {each.name for each in verdict.criteria if each.result is not Outcome.PASS}

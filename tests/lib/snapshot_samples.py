"""Reports whose every number is given: no random stream and no resampling, so that they are the same everywhere."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from math import exp
from statistics import NormalDist

from load.report import ReleaseReport
from load.rows import Row, Rows, RunEnd, RunPlan, make_rows
from load.verdict import Criterion, ErrorClass, Layer, Look, Outcome, Parity, Unlike, Verdict
from tests.lib.load_samples import (
    FACTS,
    PROMOTED_JOURNAL,
    REFUSED_JOURNAL,
    STARTED,
    past_releases,
    smoke_checks,
    start_logs,
    unstarted_report,
)

GOLDEN_RATIO = 0.618034  # its multiples fill 0..1 evenly
PLAN = RunPlan(STARTED.isoformat(), "blue", "green", 20, 5, 60, 10, 100, 1, generator="Locust 2.47.0")


def even_rows(median_ms: float, failing: int = 0) -> Rows:
    """Return 1300 pairs in 65 s, live around 20 ms, of which the candidate fails every so many."""
    return make_rows(PLAN, RunEnd(1300, 65.0, 60.0, 0.052), list(pairs(median_ms, failing)))


def pairs(median_ms: float, failing: int) -> Iterator[Row]:
    for pair in range(1300):
        at_s = pair * 0.05
        for number, (role, middle_ms) in enumerate((("live", 20.0), ("candidate", median_ms))):
            place = (pair * GOLDEN_RATIO + number * 0.37) % 1 * 0.998 + 0.001
            failed = role == "candidate" and failing > 0 and pair % failing == 0
            yield Row(
                pair=pair,
                role=role,
                intended_s=at_s,
                lag_ms=0.5,
                service_ms=round(middle_ms * exp(0.3 * NormalDist().inv_cdf(place)), 3),
                warmup=int(at_s < PLAN.warmup_s),
                status=424 if failed else 200,
                error="http_424" if failed else "",
                answered_by={"live": "blue", "candidate": "green"}[role],
                model={"live": "1", "candidate": "2"}[role],
                payload=f"golden-{pair % 8:02}",
                answer="",
                throttled_ms=0.0,
                request_id=f"request-{pair}" if failed else "",
            )


def criterion(
    name: str,
    layer: Layer,
    unit: str,
    limit: float,
    measured: float,
    interval: tuple[float, float] | None = None,
    result: Outcome = Outcome.PASS,
    operator: str = "<=",
    pair: tuple[float, float] | tuple[None, None] = (None, None),
) -> Criterion:
    """Return a criterion with the same numbers of live and candidate that the gate would name."""
    reason = f"{name}: {measured:g} of {limit:g} allowed"
    return Criterion(
        name, layer, unit, operator, limit, measured, result, reason, live=pair[0], candidate=pair[1], interval=interval
    )


VALIDITY = (
    criterion("key refused", Layer.VALIDITY, "count", 0, 0),
    criterion("generator lag p99", Layer.VALIDITY, "ms", 25, 0.5),
    criterion("generator CPU", Layer.VALIDITY, "ratio", 0.8, 0.052),
    criterion("run came to its end", Layer.VALIDITY, "count", 1, 1, operator=">="),
)
GOOD = (
    *VALIDITY,
    criterion("error ratio", Layer.ERRORS, "ratio", 0.01, 0.0, (0.0, 0.0025), pair=(0.0, 0.0)),
    criterion("answered share of the load", Layer.ERRORS, "ratio", 0.95, 1.0, operator=">=", pair=(1.0, 1.0)),
    criterion("answers of another form than live's", Layer.PARITY, "count", 0, 0),
    criterion("p95 beside live", Layer.RELATIVE, "ms", 8.2, 1.6, (-0.4, 3.1), pair=(32.8, 34.4)),
    criterion("p50 beside live", Layer.RELATIVE, "ms", 5.0, -1.0, (-1.4, -0.6), pair=(20.0, 19.0)),
    criterion("p95 within SLO", Layer.ABSOLUTE, "ms", 200, 34.4, (33.0, 36.1), pair=(32.8, 34.4)),
)
BAD = (
    *VALIDITY,
    criterion("error ratio", Layer.ERRORS, "ratio", 0.01, 0.2, (0.18, 0.221), Outcome.FAIL, pair=(0.0, 0.2)),
    criterion(
        "answered share of the load",
        Layer.ERRORS,
        "ratio",
        0.95,
        0.8,
        None,
        Outcome.FAIL,
        operator=">=",
        pair=(1.0, 0.8),
    ),
    criterion("p95 beside live", Layer.RELATIVE, "ms", 8.2, 7.9, (5.1, 10.4), Outcome.INCONCLUSIVE, pair=(32.8, 40.7)),
    criterion("p95 within SLO", Layer.ABSOLUTE, "ms", 200, 40.7, (38.0, 43.0), pair=(32.8, 40.7)),
)
PARITY = Parity(
    same_model=False,
    steady=True,
    compared=8,
    values=1600,
    unlike=2,
    worst=(Unlike("golden-03", "152.134", "152.634", 0.5), Unlike("golden-07", '"good"', '"bad"', None)),
    mean_shift=0.125,
    ks_distance=0.051,
    psi=0.004,
)


def promoted() -> ReleaseReport:
    """Return the report of a release that the second look let pass, with everything that a good one can show."""
    sentence = "green is as good as blue: p95 34 ms vs 33 ms (up to 41 ms is allowed), and 0 of 1200 requests failed."
    looks = (
        Look(30, Outcome.INCONCLUSIVE, "It cannot be told yet."),
        Look(60, Outcome.PASS, sentence),
    )
    return ReleaseReport(
        outcome="PROMOTED",
        good=True,
        sentence=f"green has 100 % of the traffic. {sentence}",
        next_action="Nothing to do. blue stays at 0 %; `python -m deployment rollback --to blue` goes back to it.",
        endpoint="diabetes",
        finished_at=STARTED + timedelta(seconds=81),
        live="blue",
        candidate="green",
        verdict=Verdict(Outcome.PASS, sentence, GOOD, "blue", "green", 60, looks, (), PARITY),
        rows=even_rows(21),
        smoke=smoke_checks(),
        journal=PROMOTED_JOURNAL,
        facts=FACTS | {"run": "https://example.com/runs/1?a=1&b=2"},
        replay_command="python -m load gate reports/r-1/rows.csv.gz deployment/release.toml",
        history=past_releases(3),
    )


def refused() -> ReleaseReport:
    """Return the report of a release of which every fifth request failed."""
    sentence = "green fails too often: 240 of 1200 requests failed, surely over 18.0 % where 1.00 % are allowed."
    ids = tuple(f"request-{number}" for number in range(100, 125, 5))
    failed = (ErrorClass("http_424", "the container answered with another status than 200", 0, 240, ids),)
    return replace(
        promoted(),
        outcome="REFUSED",
        good=False,
        sentence=sentence,
        next_action="blue keeps all traffic. Mend what the failed criteria show, then release again.",
        verdict=Verdict(Outcome.FAIL, sentence, BAD, "blue", "green", 60, (Look(60, Outcome.FAIL, sentence),), failed),
        rows=even_rows(24, failing=5),
        smoke=smoke_checks(wrong=1),
        journal=REFUSED_JOURNAL,
        facts=FACTS,
        history=(),
    )


def unstarted() -> ReleaseReport:
    """Return the report of a release whose candidate did not become ready."""
    return unstarted_report(start_logs(12))

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from load.errors import error_classes, errors
from load.gate import judge
from load.rows import Rows
from load.settings import GatePolicy
from load.verdict import Criterion, Layer, Outcome
from tests.lib.load_samples import POLICY, synthetic_rows

pytestmark = pytest.mark.unit

NAMES = ("error ratio", "errors beside live", "answered share of the load")


def with_failures(candidate: int, live: int = 0, error: str = "http_424", status: int = 424) -> Rows:
    """Return a run in which exactly so many of 700 judged requests failed."""
    rows = synthetic_rows(rate=20, warmup_s=0, duration_s=35)
    failed = np.zeros(len(rows), dtype=bool)
    for role, count in (("candidate", candidate), ("live", live)):
        of = np.flatnonzero(rows.role == role)
        failed[of[:: max(1, len(of) // max(1, count))][:count]] = True
    return replace(
        rows,
        error=np.where(failed, error, rows.error),
        status=np.where(failed, status, rows.status),
        request_id=np.where(failed, np.char.add("request-", rows.pair.astype(str)), ""),
    )


def criteria_of(rows: Rows, policy: GatePolicy = POLICY, confidence: float = 0.95) -> dict[str, Criterion]:
    return {each.name: each for each in errors(rows, policy, confidence)}


def limited(**limits: float | None) -> GatePolicy:
    return POLICY.model_copy(update=limits)


def test_an_error_ratio_is_told_with_its_kinds_its_bound_and_its_limit() -> None:
    found = criteria_of(with_failures(40))["error ratio"]
    assert found.result is Outcome.FAIL
    assert found.measured == found.candidate == 40 / 700
    assert found.live == 0.0
    assert found.reason == ("40 of 700 requests failed (40 http_424), surely over 4.34 % where 1.00 % are allowed")


@pytest.mark.parametrize(
    ("failed", "result"), [(0, "PASS"), (2, "PASS"), (3, "INCONCLUSIVE"), (12, "INCONCLUSIVE"), (13, "FAIL")]
)
def test_the_error_ratio_is_decided_by_its_bounds(failed: int, result: str) -> None:
    """Of 700 requests 2 failed ones show 1 % at 95 %, 13 refute it: as Clopper and Pearson's bounds say."""
    assert criteria_of(with_failures(failed))["error ratio"].result == result
    upper = stats.beta.ppf(0.95, failed + 1, 700 - failed)
    lower = stats.beta.ppf(0.05, failed, 701 - failed) if failed else 0.0
    assert criteria_of(with_failures(failed))["error ratio"].interval == pytest.approx((lower, upper), abs=1e-9)


def test_failures_that_live_has_as_well_are_no_increase() -> None:
    rows = with_failures(candidate=7, live=7)
    found = criteria_of(rows, limited(max_error_increase=0.02))["errors beside live"]
    assert found.measured == 0.0
    assert found.result is Outcome.PASS
    assert found.reason.startswith("7 of 700 requests failed vs 7 of 700 of live's, surely under ")


@pytest.mark.parametrize(("candidate", "result"), [(0, "PASS"), (9, "INCONCLUSIVE"), (40, "FAIL")])
def test_an_increase_of_failures_is_decided_by_its_bounds(candidate: int, result: str) -> None:
    found = criteria_of(with_failures(candidate), limited(max_error_increase=0.01))["errors beside live"]
    assert found.result == result
    assert found.limit == 0.01


def test_a_candidate_that_fails_less_than_live_shows_no_increase() -> None:
    found = criteria_of(with_failures(candidate=0, live=20), limited(max_error_increase=0.005))["errors beside live"]
    assert found.measured == -20 / 700
    assert found.result is Outcome.PASS


@pytest.mark.parametrize(("failed", "result"), [(0, "PASS"), (25, "PASS"), (35, "INCONCLUSIVE"), (60, "FAIL")])
def test_the_answered_share_is_decided_by_its_bounds(failed: int, result: str) -> None:
    found = criteria_of(with_failures(failed))["answered share of the load"]
    assert found.result == result
    assert found.interval is not None
    assert found.interval[0] <= 1 - failed / 700 <= found.interval[1]
    assert f"{700 - failed} of 700 requests were answered with 200" in found.reason
    assert "where 95.0 % are wanted" in found.reason


def test_each_limit_of_errors_can_be_switched_off() -> None:
    assert set(criteria_of(with_failures(3))) == set(NAMES)
    for name, limit in zip(NAMES, ("max_error_ratio", "max_error_increase", "min_throughput_ratio"), strict=True):
        assert set(criteria_of(with_failures(3), limited(**{limit: None}))) == set(NAMES) - {name}


def test_without_live_there_is_no_increase_to_judge() -> None:
    rows = synthetic_rows(alone=True)
    assert set(criteria_of(rows)) == {"error ratio", "answered share of the load"}


@pytest.mark.parametrize(
    ("error", "status", "meaning"),
    [
        ("http_424", 424, "the container answered with another status than 200"),
        ("http_408", 408, "the endpoint gave up waiting for the container"),
        ("http_429", 429, "more at once than the deployment may take: its capacity"),
        ("http_503", 503, "the endpoint, or the container behind it, was not available"),
        ("http_418", 418, "status 418"),
        ("timeout", 0, "no whole answer within the time of a request"),
        ("connection", 0, "the connection broke"),
        ("dropped", 0, "not sent: too many were unanswered already"),
    ],
)
def test_kinds_of_failure_are_told_apart(error: str, status: int, meaning: str) -> None:
    (found,) = error_classes(with_failures(12, 3, error, status))
    assert (found.name, found.meaning, found.live, found.candidate) == (error, meaning, 3, 12)
    assert len(found.request_ids) == 5
    assert all(each.startswith("request-") for each in found.request_ids)


def test_kinds_of_failure_come_in_the_order_in_which_they_struck_the_candidate() -> None:
    rows = with_failures(12, 30)
    fewer = np.flatnonzero((rows.error != "") & (rows.role == "candidate"))[:4]
    rows.error[fewer] = "http_429"
    rows.error[(rows.error != "") & (rows.role == "live")] = "http_503"
    counts = [(each.name, each.live, each.candidate) for each in error_classes(rows)]
    assert counts == [("http_424", 0, 8), ("http_429", 0, 4), ("http_503", 30, 0)]


def test_failures_of_the_warm_up_are_no_failures() -> None:
    rows = synthetic_rows()
    failed = rows.warmup & (rows.role == "candidate")
    rows = replace(rows, error=np.where(failed, "http_503", rows.error), status=np.where(failed, 503, rows.status))
    assert judge(rows, POLICY).outcome is Outcome.PASS
    assert error_classes(rows) == ()


@pytest.mark.parametrize("error", ["http_424", "timeout", "connection", "http_503"])
def test_a_candidate_that_answers_nothing_fails(error: str) -> None:
    rows = with_failures(700, error=error, status=0)
    verdict = judge(rows, POLICY)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.sentence.startswith(f"green fails too often: 700 of 700 requests failed (700 {error})")


def test_a_candidate_that_answers_nothing_fails_even_where_errors_have_no_limit() -> None:
    off = limited(max_error_ratio=None, max_error_increase=None, min_throughput_ratio=None)
    verdict = judge(with_failures(700), off)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.sentence == (
        "green fails too often: 0 of 700 requests were answered, so nothing is known of how long it takes."
    )
    assert {each.layer for each in verdict.criteria if each.result is Outcome.FAIL} == {Layer.ERRORS}


def test_time_outs_alone_are_slow_answers_as_well_as_failures() -> None:
    rows = with_failures(700, error="timeout", status=0)
    waited = rows.role == "candidate"
    rows = replace(rows, service_ms=np.where(waited, 10_000.0, rows.service_ms))
    failed = {each.name for each in judge(rows, POLICY).criteria if each.result is Outcome.FAIL}
    assert {"error ratio", "p95 beside live", "p95 within SLO", "p99 within SLO"} <= failed


def test_errors_of_a_live_within_its_limit_leave_the_run_valid() -> None:
    verdict = judge(with_failures(candidate=1, live=6), POLICY)
    assert verdict.outcome is Outcome.PASS
    assert next(each for each in verdict.criteria if each.name == "errors of live").live == 6 / 700


def test_a_praised_candidate_is_praised_with_its_failures() -> None:
    assert judge(with_failures(2), POLICY).sentence.endswith("and 2 of 700 requests failed.")
    alone = judge(synthetic_rows(alone=True), limited(max_error_ratio=None))
    assert "requests were answered with 200" in alone.sentence

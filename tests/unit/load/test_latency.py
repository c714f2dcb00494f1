from dataclasses import replace

import numpy as np
import pytest

from load.intervals import quantile
from load.latency import blocks_of, latencies
from load.rows import Rows
from load.settings import GatePolicy
from load.verdict import Criterion, Layer, Outcome
from tests.lib.load_samples import POLICY, Answers, synthetic_rows

pytestmark = pytest.mark.unit

RELATIVE = ("p95 beside live", "p50 beside live", "p99 beside live")


def limited(**limits: float | bool | None) -> GatePolicy:
    return POLICY.model_copy(update=limits)


def judged(rows: Rows, policy: GatePolicy = POLICY, confidence: float = 0.95) -> dict[str, Criterion]:
    return {each.name: each for each in latencies(rows, policy, 30.0, confidence)}


def slowed(rows: Rows, factor: float, role: str = "candidate") -> Rows:
    return replace(rows, service_ms=np.where(rows.role == role, rows.service_ms * factor, rows.service_ms))


def stalled(rows: Rows, role: str, from_s: float, to_s: float, wait_ms: float) -> Rows:
    held = (rows.role == role) & (rows.intended_s >= from_s) & (rows.intended_s < to_s)
    return replace(rows, service_ms=np.where(held, wait_ms, rows.service_ms))


def test_a_difference_is_told_with_both_latencies_its_bound_and_what_is_allowed() -> None:
    found = judged(slowed(synthetic_rows(), 2))["p50 beside live"]
    assert found.live is not None
    assert found.candidate is not None
    assert found.measured == found.candidate - found.live
    assert found.limit == 5.0
    assert found.result is Outcome.FAIL
    assert found.reason.startswith(f"p50 {found.candidate:.1f} ms vs {found.live:.1f} ms of live, ")
    assert "slower (surely over " in found.reason
    assert found.reason.endswith("where 5.0 ms are allowed")


def test_a_candidate_that_is_exactly_live_is_no_slower() -> None:
    rows = synthetic_rows()
    live = rows.service_ms[rows.role == "live"]
    rows.service_ms[rows.role == "candidate"] = live
    found = judged(rows)["p95 beside live"]
    assert found.measured == 0.0
    assert found.interval == (0.0, 0.0)
    assert "no slower (surely under 0.0 ms)" in found.reason


def test_beyond_the_floor_a_share_of_lives_latency_is_allowed_and_named() -> None:
    found = judged(synthetic_rows(Answers(100), Answers(100)))["p50 beside live"]
    assert found.live is not None
    assert found.limit == pytest.approx(0.15 * found.live)
    assert "ms (+15 %) are allowed" in found.reason


def test_a_faster_candidate_is_told_to_be_faster() -> None:
    found = judged(slowed(synthetic_rows(), 0.5))["p95 beside live"]
    assert (found.measured or 0) < 0
    assert "ms faster (surely under -" in found.reason
    assert found.result is Outcome.PASS


def test_where_no_difference_at_all_is_allowed_a_candidate_must_be_faster() -> None:
    nothing = limited(ignore_below_ms=0.0, max_p50_ratio=1.0 + 1e-12)
    assert judged(slowed(synthetic_rows(), 1.05), nothing)["p50 beside live"].result is not Outcome.PASS
    assert judged(slowed(synthetic_rows(), 0.5), nothing)["p50 beside live"].result is Outcome.PASS


def test_p99_beside_live_refuses_what_is_surely_slower_and_needs_to_be_shown_only_where_the_policy_says_so() -> None:
    noisy = synthetic_rows(Answers(25, sigma=1.0), Answers(sigma=1.0))
    open_p99 = judged(noisy)["p99 beside live"]
    lower, upper = open_p99.interval or (0.0, 0.0)
    assert lower <= open_p99.limit < upper
    assert open_p99.result is Outcome.PASS
    assert judged(noisy, limited(p99_must_be_shown=True))["p99 beside live"].result is Outcome.INCONCLUSIVE
    assert judged(slowed(noisy, 4))["p99 beside live"].result is Outcome.FAIL


def test_each_limit_of_latency_can_be_switched_off() -> None:
    rows, names = synthetic_rows(), {"p50 within SLO", "p95 within SLO", "p99 within SLO", *RELATIVE}
    every = limited(slo_p50_ms=100.0)
    assert set(judged(rows, every)) == names
    for quantile_name in ("p50", "p95", "p99"):
        without = every.model_copy(update={f"slo_{quantile_name}_ms": None, f"max_{quantile_name}_ratio": None})
        assert {each[:3] for each in names - set(judged(rows, without))} == {quantile_name}


def test_without_live_only_the_slo_is_judged() -> None:
    found = judged(synthetic_rows(alone=True))
    assert set(found) == {"p95 within SLO", "p99 within SLO"}
    assert all(each.layer is Layer.ABSOLUTE and each.live is None for each in found.values())


def test_p95_has_to_be_shown_to_be_within_the_slo_by_its_upper_bound() -> None:
    rows = synthetic_rows(alone=True)
    found = judged(rows)["p95 within SLO"]
    assert found.interval is not None
    lower, upper = found.interval
    assert lower < (found.measured or 0) < upper
    for slo_ms, result in ((upper + 0.1, "PASS"), (upper - 0.1, "INCONCLUSIVE"), (lower - 0.1, "FAIL")):
        assert judged(rows, limited(slo_p95_ms=slo_ms))["p95 within SLO"].result == result


def test_p99_is_within_the_slo_by_its_value_because_its_upper_bound_takes_thousands() -> None:
    rows = synthetic_rows(alone=True)
    found = judged(rows)["p99 within SLO"]
    assert found.interval is not None
    value_ms, lower = found.measured or 0.0, found.interval[0]
    for slo_ms, result in ((value_ms + 0.01, "PASS"), (value_ms - 0.01, "INCONCLUSIVE"), (lower - 0.1, "FAIL")):
        assert judged(rows, limited(slo_p99_ms=slo_ms))["p99 within SLO"].result == result


def test_a_p99_that_live_has_exceeded_as_well_refuses_only_a_candidate_that_is_surely_over_it() -> None:
    rows = stalled(synthetic_rows(), "live", 20, 21, 800.0)
    both = judged(stalled(rows, "candidate", 20, 21, 800.0))["p99 within SLO"]
    assert (both.measured or 0) > both.limit
    assert both.result is Outcome.PASS
    assert "which live's" in both.reason
    assert "is over as well" in both.reason
    surely = judged(slowed(rows, 40))["p99 within SLO"]
    assert surely.result is Outcome.FAIL


def test_a_p99_that_only_the_candidate_exceeds_stays_open() -> None:
    found = judged(stalled(synthetic_rows(), "candidate", 20, 21, 800.0))["p99 within SLO"]
    assert found.result is Outcome.INCONCLUSIVE
    assert "over as well" not in found.reason


def test_a_stall_that_both_lived_through_widens_no_bound_beside_live() -> None:
    rows = synthetic_rows(rate=40)
    alike = stalled(stalled(rows, "live", 15, 17, 100.0), "candidate", 15, 17, 100.0)
    assert judged(alike)["p95 beside live"].result is Outcome.PASS


def test_time_outs_are_slow_answers_and_fast_failures_are_none() -> None:
    rows = synthetic_rows()
    struck = (rows.role == "candidate") & (rows.pair % 10 == 0)
    slow = replace(
        rows, error=np.where(struck, "timeout", rows.error), service_ms=np.where(struck, 10_000.0, rows.service_ms)
    )
    assert (judged(slow)["p95 within SLO"].measured or 0) >= 10_000
    fast = replace(
        rows, error=np.where(struck, "connection", rows.error), service_ms=np.where(struck, 0.1, rows.service_ms)
    )
    good = fast.of("candidate").where(fast.of("candidate").error == "")
    assert judged(fast)["p50 beside live"].candidate == quantile(good.latency_ms, 0.5)


def test_the_bounds_of_a_look_are_wider_where_there_are_more_looks() -> None:
    rows = synthetic_rows()
    narrow, wide = (judged(rows, confidence=each)["p95 beside live"].interval for each in (0.95, 1 - 0.05 / 3))
    assert narrow is not None
    assert wide is not None
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


@pytest.mark.parametrize(
    ("judged_s", "block_s", "blocks"),
    [(120.0, 10.0, 12), (0.3, 0.1, 3), (29.99, 10.0, 2), (5.0, 10.0, 0), (0.0, 1.0, 0)],
)
def test_blocks_are_counted_whole(judged_s: float, block_s: float, blocks: int) -> None:
    assert blocks_of(judged_s, limited(block_s=block_s)) == blocks

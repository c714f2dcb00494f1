from dataclasses import replace

import numpy as np
import pytest

from load.gate import Outcome, judge
from load.rows import Rows
from load.settings import GatePolicy
from load.verdict import Criterion, Verdict
from tests.lib.load_samples import POLICY, Answers, synthetic_rows

pytestmark = pytest.mark.unit


def named(verdict: Verdict, name: str) -> Criterion:
    return next(each for each in verdict.criteria if each.name == name)


def beyond(verdict: Verdict) -> set[str]:
    return {each.name for each in verdict.criteria if each.result is not Outcome.PASS}


@pytest.mark.parametrize("seed", range(20))
def test_an_identical_candidate_passes(seed: int) -> None:
    verdict = judge(synthetic_rows(seed=seed), POLICY)
    assert verdict.outcome is Outcome.PASS, verdict.sentence


@pytest.mark.parametrize("seed", range(20))
def test_a_candidate_slower_by_half_fails(seed: int) -> None:
    assert judge(synthetic_rows(Answers(30), seed=seed), POLICY).outcome is Outcome.FAIL


def test_a_failure_is_told_with_both_numbers() -> None:
    verdict = judge(synthetic_rows(Answers(120, 0.1)), POLICY)
    p95 = named(verdict, "p95 beside live")
    assert p95.candidate is not None
    assert p95.live is not None
    assert verdict.sentence.startswith(f"green is too slow: p95 {p95.candidate:.1f} ms vs {p95.live:.1f} ms of live")
    assert verdict.outcome.exit_code == 10


def test_a_pass_is_told_with_both_numbers() -> None:
    verdict = judge(synthetic_rows(), POLICY)
    p95 = named(verdict, "p95 beside live")
    assert f"p95 {p95.candidate:.0f} ms vs {p95.live:.0f} ms" in verdict.sentence
    assert verdict.outcome.exit_code == 0


def test_a_large_ratio_of_small_latencies_is_ignored_below_the_floor() -> None:
    rows = synthetic_rows(Answers(3.5), Answers(2.0))
    assert judge(rows, POLICY).outcome is Outcome.PASS
    strict = judge(rows, POLICY.model_copy(update={"ignore_below_ms": 0.1}))
    assert beyond(strict) == {"p50 beside live", "p95 beside live", "p99 beside live"}


def test_a_candidate_beyond_its_slo_fails_even_without_live() -> None:
    slow = judge(synthetic_rows(Answers(250), alone=True), POLICY)
    assert slow.outcome is Outcome.FAIL
    assert "the SLO is 200 ms" in slow.sentence
    assert judge(synthetic_rows(alone=True), POLICY).outcome is Outcome.PASS


def test_many_errors_fail_and_are_named() -> None:
    verdict = judge(synthetic_rows(Answers(error_ratio=0.1)), POLICY)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.sentence.startswith("green fails too often: ")
    assert "http_424" in verdict.sentence


def test_a_candidate_that_only_fails_is_failed_not_praised_for_its_speed() -> None:
    verdict = judge(synthetic_rows(Answers(1, error_ratio=1.0)), POLICY)
    assert verdict.outcome is Outcome.FAIL


def test_errors_around_the_limit_are_inconclusive() -> None:
    verdict = judge(synthetic_rows(Answers(error_ratio=0.008)), POLICY)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.outcome.exit_code == 11
    assert "error ratio" in beyond(verdict)


def test_noise_around_the_margin_is_inconclusive() -> None:
    noisy = Answers(sigma=1.0)
    policy = POLICY.model_copy(update={"slo_p95_ms": 2000, "slo_p99_ms": 5000, "ignore_below_ms": 0.0})
    verdict = judge(synthetic_rows(replace(noisy, median_ms=25.5), noisy), policy)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert beyond(verdict) <= {"p50 beside live", "p95 beside live"}


def test_time_outs_count_as_slow_answers_and_fast_failures_do_not_count_as_fast_ones() -> None:
    slow = judge(synthetic_rows(Answers(error_ratio=0.1, error="timeout", status=0)), loose_on_errors())
    fast = judge(synthetic_rows(Answers(error_ratio=0.1, error="connection", status=0)), loose_on_errors())
    rows = synthetic_rows(Answers(error_ratio=0.1, error="connection", status=0))
    assert named(fast, "p50 beside live").candidate != np.median(rows.of("candidate").latency_ms)
    assert named(slow, "p95 within SLO").measured is not None


def loose_on_errors() -> GatePolicy:
    return POLICY.model_copy(update={"max_error_ratio": 0.5, "min_throughput_ratio": 0.5})


def refused_keys(rows: Rows) -> Rows:
    return replace(rows, status=np.where(rows.pair == 100, 401, rows.status))


WORTHLESS = {
    "run came to its end": synthetic_rows(end=False),
    "judged requests per deployment": synthetic_rows(rate=5),
    "time blocks": synthetic_rows(duration_s=13, rate=60),
    "key refused": refused_keys(synthetic_rows()),
    "answers from another deployment": synthetic_rows(Answers(answered_by="blue")),
    "generator lag p99": synthetic_rows(Answers(lag_ms=40), Answers(lag_ms=40)),
    "generator CPU": synthetic_rows(cpu_ratio=0.97),
    "errors of live": synthetic_rows(live=Answers(error_ratio=0.1)),
    "p95 of live": synthetic_rows(Answers(250), Answers(250)),
}


@pytest.mark.parametrize("name", WORTHLESS)
def test_a_worthless_measurement_is_invalid_whatever_it_measured(name: str) -> None:
    verdict = judge(WORTHLESS[name], POLICY)
    assert verdict.outcome is Outcome.INVALID
    assert beyond(verdict) == {name}
    assert verdict.sentence.startswith("Nothing was judged: ")
    assert verdict.outcome.exit_code == 12


def test_answers_that_name_no_deployment_are_not_believed() -> None:
    verdict = judge(synthetic_rows(Answers(answered_by="")), POLICY)
    assert beyond(verdict) == {"answers from another deployment"}


def test_a_run_without_any_request_is_invalid() -> None:
    rows = synthetic_rows()
    nothing = rows.where(rows.pair < 0)
    assert judge(nothing, POLICY).outcome is Outcome.INVALID


def test_the_same_rows_give_the_same_verdict() -> None:
    rows = synthetic_rows()
    assert judge(rows, POLICY) == judge(rows, POLICY)


def test_a_stall_that_both_lived_through_does_not_count_against_the_candidate() -> None:
    rows = synthetic_rows(rate=40)
    stalled = (rows.intended_s > 15) & (rows.intended_s < 18)
    rows = replace(rows, service_ms=rows.service_ms + np.where(stalled, 60.0, 0.0))
    policy = POLICY.model_copy(update={"slo_p95_ms": 300.0})
    assert judge(rows, policy).outcome is Outcome.PASS

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from load.gate import Outcome, confidence_of, judge, look
from load.rows import Rows, RunEnd
from load.settings import GatePolicy
from load.verdict import Criterion, Verdict
from tests.lib.load_samples import POLICY, Answers, synthetic_rows

pytestmark = pytest.mark.unit

LOOKS = POLICY.model_copy(update={"looks_s": (18.0, 24.0)})


def named(verdict: Verdict, name: str) -> Criterion:
    return next(each for each in verdict.criteria if each.name == name)


def beyond(verdict: Verdict) -> set[str]:
    return {each.name for each in verdict.criteria if each.result is not Outcome.PASS}


def limited(policy: GatePolicy = POLICY, /, **limits: Any) -> GatePolicy:
    return policy.model_copy(update=limits)


def ended_at(rows: Rows, judged_s: float) -> Rows:
    """Return the run as it would have been stored, had its load been ended at this look, some answers later."""
    return replace(rows.until(judged_s + 0.5), end=RunEnd(0, 5 + judged_s + 1, judged_s, 0.05))


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
    assert verdict.sentence.endswith("; 2 more below.")
    assert verdict.outcome.exit_code == 10


def test_a_pass_is_told_with_both_numbers() -> None:
    verdict = judge(synthetic_rows(), POLICY)
    p95 = named(verdict, "p95 beside live")
    assert f"p95 {p95.candidate:.0f} ms vs {p95.live:.0f} ms" in verdict.sentence
    assert verdict.sentence.endswith("and 0 of 603 requests failed.")
    assert verdict.outcome.exit_code == 0


@pytest.mark.parametrize(
    ("off", "told"),
    [
        ({"max_p95_ratio": None}, "green is as good as blue: p50 20 ms vs 21 ms"),
        ({"max_p95_ratio": None, "max_p50_ratio": None}, "green keeps its SLO: p95 33.2 ms (surely under "),
        (
            dict.fromkeys(("max_p95_ratio", "max_p50_ratio", "max_p99_ratio", "slo_p95_ms", "slo_p99_ms")),
            "criteria, and 0 of 603 requests failed.",
        ),
    ],
)
def test_a_pass_is_told_by_whatever_the_policy_has_limited(off: dict[str, None], told: str) -> None:
    verdict = judge(synthetic_rows(), limited(POLICY, **off))
    assert verdict.outcome is Outcome.PASS
    assert told in verdict.sentence


def test_a_large_ratio_of_small_latencies_is_ignored_below_the_floor() -> None:
    rows = synthetic_rows(Answers(3.5), Answers(2.0))
    assert judge(rows, POLICY).outcome is Outcome.PASS
    strict = judge(rows, limited(ignore_below_ms=0.1))
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
    assert judge(synthetic_rows(Answers(1, error_ratio=1.0)), POLICY).outcome is Outcome.FAIL


def test_errors_around_the_limit_are_inconclusive() -> None:
    verdict = judge(synthetic_rows(Answers(error_ratio=0.008)), POLICY)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.outcome.exit_code == 11
    assert "error ratio" in beyond(verdict)


def test_noise_around_the_margin_is_inconclusive() -> None:
    noisy = Answers(sigma=1.0)
    policy = limited(slo_p95_ms=2000, slo_p99_ms=5000, ignore_below_ms=0.0)
    verdict = judge(synthetic_rows(replace(noisy, median_ms=25.5), noisy), policy)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert beyond(verdict) <= {"p50 beside live", "p95 beside live"}


def test_a_failure_weighs_more_than_what_is_open() -> None:
    verdict = judge(synthetic_rows(Answers(120, error_ratio=0.008)), POLICY)
    assert {named(verdict, name).result for name in ("error ratio", "p95 beside live")} == {
        Outcome.INCONCLUSIVE,
        Outcome.FAIL,
    }
    assert verdict.sentence.startswith("green is too slow: ")


def test_the_same_rows_give_the_same_verdict() -> None:
    rows = synthetic_rows()
    assert judge(rows, POLICY) == judge(rows, POLICY)


def test_a_stall_that_both_lived_through_does_not_count_against_the_candidate() -> None:
    rows = synthetic_rows(rate=40)
    stalled = (rows.intended_s > 15) & (rows.intended_s < 18)
    rows = replace(rows, service_ms=rows.service_ms + np.where(stalled, 60.0, 0.0))
    assert judge(rows, limited(slo_p95_ms=300.0)).outcome is Outcome.PASS


# Looks


def test_the_earliest_look_that_decides_decides_whatever_came_later() -> None:
    rows = synthetic_rows(rate=40)
    later = (rows.role == "candidate") & (rows.intended_s >= 5 + 18)
    rows = replace(rows, service_ms=rows.service_ms * np.where(later, 5, 1))
    verdict = judge(rows, LOOKS)
    assert (verdict.outcome, verdict.judged_s) == (Outcome.PASS, 18.0)
    assert [(each.judged_s, each.outcome) for each in verdict.looks] == [(18.0, Outcome.PASS)]
    assert judge(rows, POLICY).outcome is Outcome.FAIL


def test_a_look_that_leaves_it_open_is_followed_by_the_next_and_each_is_told() -> None:
    verdict = judge(synthetic_rows(Answers(error_ratio=0.01)), LOOKS)
    assert [each.judged_s for each in verdict.looks] == [18.0, 24.0, 30.0]
    assert {each.outcome for each in verdict.looks} == {Outcome.INCONCLUSIVE}
    assert verdict.looks[-1].sentence == verdict.sentence
    assert verdict.looks[0].sentence != verdict.sentence
    assert verdict.outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("answers", [Answers(), Answers(30), Answers(error_ratio=0.01), Answers(23)])
@pytest.mark.parametrize("seed", range(3))
def test_a_run_ended_at_the_look_that_decides_has_the_verdict_of_the_whole_run(answers: Answers, seed: int) -> None:
    whole = synthetic_rows(answers, rate=40, seed=seed)
    verdict = judge(whole, LOOKS)
    assert judge(ended_at(whole, verdict.judged_s), LOOKS) == verdict


@pytest.mark.parametrize("looks_s", [(), (18.0,), (16.0, 18.0), (12.0,), (24.0, 28.0), (18.0, 19.0, 20.0, 21.0)])
@pytest.mark.parametrize(("median_ms", "outcome"), [(20.0, Outcome.PASS), (40.0, Outcome.FAIL)])
def test_a_run_ended_at_a_look_is_judged_again_with_other_looks_and_ends_alike(
    looks_s: tuple[float, ...], median_ms: float, outcome: Outcome
) -> None:
    stored = ended_at(synthetic_rows(Answers(median_ms), rate=40), 18.0)
    assert judge(stored, LOOKS).outcome is outcome
    again = judge(stored, limited(looks_s=looks_s))
    assert again.outcome is outcome
    assert again.judged_s <= 18.0


@pytest.mark.parametrize("answers", [Answers(), Answers(30), Answers(error_ratio=0.01)])
def test_a_look_at_a_run_that_goes_on_says_what_the_stored_run_says_at_that_look(answers: Answers) -> None:
    whole = synthetic_rows(answers, rate=40)
    going_on = replace(whole.until(20.0), end=None)
    seen, stored = look(going_on, LOOKS, 18.0), look(whole, LOOKS, 18.0, over=True)
    known_at_the_end = {"generator CPU", "run came to its end"}
    assert (seen.outcome, seen.sentence) == (stored.outcome, stored.sentence)
    assert set(seen.criteria) == {each for each in stored.criteria if each.name not in known_at_the_end}


def test_the_error_of_all_looks_together_is_the_policys_and_each_has_its_share() -> None:
    assert confidence_of(LOOKS, 30.0) == pytest.approx(1 - 0.05 / 3)
    assert confidence_of(LOOKS, 20.0) == pytest.approx(1 - 0.05 / 2)  # the second look would come after the end
    assert confidence_of(LOOKS, 18.0) == pytest.approx(0.95)
    assert confidence_of(POLICY, 30.0) == pytest.approx(0.95)


def test_a_run_ended_at_its_first_look_is_held_to_the_confidence_of_all_that_were_planned() -> None:
    stored = ended_at(synthetic_rows(rate=40), 18.0)
    wide, narrow = (
        named(judge(stored, each), "p95 beside live").interval for each in (LOOKS, limited(looks_s=(18.0, 30.0)))
    )
    assert wide is not None
    assert narrow is not None
    assert wide[1] > narrow[1]


def test_a_look_that_comes_too_early_for_any_judgement_is_none_and_the_run_goes_on() -> None:
    rows = synthetic_rows()
    for policy in (limited(LOOKS, min_samples=500), limited(LOOKS, min_blocks=13)):
        verdict = judge(rows, policy)
        assert (verdict.looks[0].judged_s, verdict.looks[0].outcome) == (18.0, Outcome.INVALID)
        assert (verdict.outcome, verdict.judged_s) == (Outcome.PASS, 30.0)


def test_a_look_at_a_measurement_that_more_rows_do_not_mend_is_the_last() -> None:
    """The load ends there, too; a run measured to its end, whatever shows, gets the same verdict."""
    rows = synthetic_rows()
    refused = replace(rows, status=np.where(rows.pair == 300, 401, rows.status))
    for stored in (refused, ended_at(refused, 18.0)):
        verdict = judge(stored, LOOKS)
        assert (verdict.outcome, verdict.judged_s) == (Outcome.INVALID, 18.0)
        assert beyond(verdict) == {"key refused"}


def test_a_stall_that_spoils_lives_p95_at_a_look_is_less_of_more_rows_and_the_run_goes_on() -> None:
    rows = synthetic_rows(rate=40)
    stalled = (rows.intended_s > 10) & (rows.intended_s < 11.2)
    rows = replace(rows, service_ms=np.where(stalled, 300.0, rows.service_ms))
    policy = limited(LOOKS, slo_p95_ms=100.0, slo_p99_ms=None, max_p99_ratio=None)
    verdict = judge(rows, policy)
    assert (verdict.looks[0].judged_s, verdict.looks[0].outcome) == (18.0, Outcome.INVALID)
    assert "live itself has a p95 of 301 ms, its SLO is 100 ms" in verdict.looks[0].sentence
    assert verdict.looks[-1].outcome is not Outcome.INVALID


def test_a_load_that_was_broken_off_is_judged_once_and_invalid() -> None:
    rows = synthetic_rows(rate=40)
    broken = replace(rows, end=RunEnd(0, 30, 24.0, 0.05, "live failed 12 of 40 requests within 10 s"))
    verdict = judge(broken, LOOKS)
    assert verdict.outcome is Outcome.INVALID
    assert [each.judged_s for each in verdict.looks] == [24.0]
    assert beyond(verdict) == {"run came to its end"}

from dataclasses import replace

import pytest

from load.gate import judge
from load.rows import Observed
from load.settings import GatePolicy
from load.verdict import Layer, Outcome
from tests.lib.load_samples import POLICY, Answers, synthetic_rows
from tests.lib.worthless_samples import SLO_OF_P50, WORTHLESS, beyond, ended, live_that_stalled_once, named

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("case", WORTHLESS)
def test_a_worthless_measurement_is_invalid_for_its_own_reason_alone(case: str) -> None:
    rows, policy, name, told = WORTHLESS[case]
    verdict = judge(rows(), policy)
    assert verdict.outcome is Outcome.INVALID
    assert beyond(verdict) == {name}
    assert verdict.sentence.startswith("Nothing was judged: ")
    assert told in verdict.sentence


@pytest.mark.parametrize("case", WORTHLESS)
def test_of_a_worthless_measurement_nothing_is_claimed_of_the_candidate(case: str) -> None:
    rows, policy, _, _ = WORTHLESS[case]
    verdict = judge(rows(), policy)
    assert {each.layer for each in verdict.criteria} == {Layer.VALIDITY}
    assert all(each.interval is None for each in verdict.criteria)
    assert verdict.parity is None
    assert verdict.outcome.exit_code == 12


def test_every_rule_is_looked_at_in_a_good_run_and_each_says_with_numbers_that_it_holds() -> None:
    rows = replace(synthetic_rows(), observed=(Observed(0.0, "blue 100 %"), Observed(35.0, "blue 100 %")))
    verdict = judge(rows, SLO_OF_P50)
    rules = {each.name for each in verdict.criteria if each.layer is Layer.VALIDITY}
    assert rules == {name for _, _, name, _ in WORTHLESS.values()}
    assert named(verdict, "p95 of live").reason.startswith("live itself has a p95 of 35.0 ms")
    assert named(verdict, "changes of the traffic during the run").reason.endswith("blue 100 % all the while")
    assert verdict.outcome is Outcome.PASS


def test_a_stall_of_live_puts_its_p99_over_the_slo_and_the_candidate_is_judged_nonetheless() -> None:
    verdict = judge(live_that_stalled_once(), POLICY)
    p99 = named(verdict, "p99 of live")
    assert p99.live is not None
    assert p99.live > 400 > (p99.measured or 0)
    assert verdict.outcome is Outcome.PASS


def test_a_live_that_answers_nothing_is_nothing_to_compare_with_even_where_errors_have_no_limit() -> None:
    off = {"max_error_ratio": None, "max_error_increase": None, "min_throughput_ratio": None}
    verdict = judge(synthetic_rows(live=Answers(error_ratio=1.0)), POLICY.model_copy(update=off))
    assert beyond(verdict) == {"judged requests per deployment"}
    assert "0 answers of live, at least 300 are needed" in verdict.sentence


def test_a_load_broken_off_in_its_warm_up_is_invalid_and_says_so_first() -> None:
    rows = ended(synthetic_rows(), judged_s=0.0, broken_off="live failed 12 of 40 requests within 10 s")
    verdict = judge(rows, POLICY)
    assert verdict.outcome is Outcome.INVALID
    assert "the load was broken off" in verdict.sentence
    assert verdict.sentence.endswith("2 more below.")


def test_a_run_without_any_request_is_invalid() -> None:
    rows = synthetic_rows()
    assert judge(rows.where(rows.pair < 0), POLICY).outcome is Outcome.INVALID


def test_a_run_shorter_than_a_block_is_invalid() -> None:
    rows = ended(synthetic_rows(rate=300), judged_s=1.5)
    assert "0 blocks of 2 s in 1.5 s, 8 are needed" in judge(rows, POLICY).sentence


def test_a_run_that_was_cut_off_is_invalid_though_a_look_would_have_been_taken_before() -> None:
    """What has not been answered when a run is cut off is missing: the slowest."""
    policy = POLICY.model_copy(update={"looks_s": (18.0,)})
    verdict = judge(synthetic_rows(end=False, rate=40), policy)
    assert verdict.outcome is Outcome.INVALID
    assert [each.judged_s for each in verdict.looks] == [30.0]


def test_a_policy_that_limits_nothing_lets_nobody_pass() -> None:
    off = [
        name for name, field in GatePolicy.model_fields.items() if name.startswith(("slo_", "max_", "min_throughput"))
    ]
    numbers = {"max_lag_p99_ms", "max_generator_cpu_ratio"}
    policy = POLICY.model_copy(update=dict.fromkeys(set(off) - numbers))
    verdict = judge(synthetic_rows(alone=True), policy)
    assert verdict.outcome is Outcome.INVALID
    assert beyond(verdict) == {"limits to judge by"}
    assert 'each is "off", or needs a live to compare with' in verdict.sentence

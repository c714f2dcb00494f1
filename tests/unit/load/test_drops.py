import pytest

from load.gate import judge
from load.verdict import Outcome
from tests.lib.load_samples import POLICY, Answers, synthetic_rows
from tests.lib.worthless_samples import at_pair, beyond, changed, dropped, due_between, hanging, named

pytestmark = pytest.mark.unit


def test_a_candidate_that_hangs_fails_though_its_arrivals_were_dropped() -> None:
    verdict = judge(hanging("candidate"), POLICY)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.sentence.startswith("green fails too often: ")
    assert "100 timeout" in verdict.sentence
    assert "dropped" in verdict.sentence


def test_a_candidate_that_hangs_under_a_high_rate_fails_from_its_first_dropped_arrival_on() -> None:
    """All places are taken within a fifth of a second then, long before anybody could know that it hangs."""
    verdict = judge(hanging("candidate", rate=500), POLICY)
    assert named(verdict, "arrivals dropped by the generator itself").measured == 0
    assert verdict.outcome is Outcome.FAIL


def test_a_live_that_hangs_makes_the_run_invalid_for_its_errors_not_for_the_generators_drops() -> None:
    verdict = judge(hanging("live"), POLICY)
    assert verdict.outcome is Outcome.INVALID
    assert beyond(verdict) == {"errors of live", "p95 of live", "p99 of live"}
    assert "live itself failed " in verdict.sentence


def test_one_request_that_hangs_does_not_excuse_the_generator_for_places_that_fast_ones_take() -> None:
    rows = synthetic_rows(Answers(150, 0.01), Answers(150, 0.01), rate=40)
    rows = changed(rows, at_pair(rows, 600, "candidate"), service_ms=9000.0)
    verdict = judge(dropped(rows, 700), POLICY)
    assert beyond(verdict) == {"arrivals dropped by the generator itself"}


def test_an_arrival_dropped_while_nobody_waited_is_the_generators_own() -> None:
    rows = synthetic_rows()
    quiet = due_between(rows, "candidate", 0, 35)
    assert beyond(judge(dropped(changed(rows, quiet, service_ms=0.1)), POLICY)) == {
        "arrivals dropped by the generator itself"
    }


def test_a_drop_in_the_warm_up_is_not_held_against_the_run() -> None:
    rows = synthetic_rows()
    first = int(rows.pair[rows.warmup][10])
    assert judge(dropped(rows, first), POLICY).outcome is Outcome.PASS


def test_without_any_slo_a_place_is_taken_by_a_fault_of_the_server_where_it_is_until_the_time_out() -> None:
    policy = POLICY.model_copy(update={"slo_p95_ms": None, "slo_p99_ms": None})
    assert judge(hanging("candidate"), policy).outcome is Outcome.FAIL

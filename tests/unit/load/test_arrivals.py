import random
from dataclasses import replace

import numpy as np
import pytest

from load.arrivals import arrivals_s, rate_at
from load.rows import RunPlan

pytestmark = pytest.mark.unit

PLAN = RunPlan("2026-11-23T03:42:10+00:00", "blue", "green", 50.0, 10.0, 200.0, 10.0, 100, 1)
RAMP = replace(PLAN, rate_pairs_per_s=20.0, end_rate_pairs_per_s=100.0)


def due_s(plan: RunPlan, seed: int = 3) -> np.ndarray:
    return np.array(list(arrivals_s(plan, random.Random(seed))))  # noqa: S311 - load, not secrets


def within(count: float, expected: float) -> bool:
    """Whether a Poisson count is within five standard deviations of what is expected."""
    return bool(abs(count - expected) < 5 * expected**0.5)


def test_as_many_arrive_as_the_rate_says_from_the_start_to_the_end() -> None:
    arrivals = due_s(PLAN)
    assert within(len(arrivals), 50 * 210)
    assert 0 < arrivals[0] < 0.5
    assert 209.5 < arrivals[-1] < 210
    assert (np.diff(arrivals) > 0).all()


def test_gaps_between_arrivals_are_those_of_a_poisson_process() -> None:
    gaps_s = np.diff(due_s(PLAN))
    assert gaps_s.mean() == pytest.approx(1 / 50, rel=0.05)
    assert gaps_s.std() == pytest.approx(gaps_s.mean(), rel=0.05)
    assert np.mean(gaps_s > 2 / 50) == pytest.approx(np.exp(-2), abs=0.02)


def test_the_same_seed_gives_the_same_arrivals_and_another_one_others() -> None:
    for plan in (PLAN, RAMP):
        assert due_s(plan, 5).tolist() == due_s(plan, 5).tolist()
        assert due_s(plan, 5).tolist() != due_s(plan, 6).tolist()


@pytest.mark.parametrize(("first", "last"), [(20.0, 100.0), (100.0, 20.0)])
def test_a_ramp_keeps_the_first_rate_in_the_warm_up_and_comes_to_the_last_one_in_a_straight_line(
    first: float, last: float
) -> None:
    arrivals = due_s(replace(PLAN, rate_pairs_per_s=first, end_rate_pairs_per_s=last))
    assert within(((arrivals >= 0) & (arrivals < 10)).sum(), first * 10)
    middle = (first + last) / 2
    assert within(((arrivals >= 10) & (arrivals < 110)).sum(), (first + middle) / 2 * 100)
    assert within((arrivals >= 110).sum(), (middle + last) / 2 * 100)


def test_a_ramp_to_the_same_rate_is_a_constant_rate() -> None:
    assert within(len(due_s(replace(PLAN, end_rate_pairs_per_s=50.0))), 50 * 210)


def test_the_rate_is_what_was_planned_at_each_time() -> None:
    assert [rate_at(RAMP, at_s) for at_s in (0, 10, 60, 110, 210, 999)] == [20, 20, 40, 60, 100, 100]
    assert rate_at(PLAN, 100) == 50

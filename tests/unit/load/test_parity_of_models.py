from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy import stats

from load.rows import Rows
from load.verdict import Outcome
from tests.lib.parity_samples import ALIKE, FORM, INFINITE, KS, LABELS, NAN, PSI, answered, compared, each, once

pytestmark = pytest.mark.unit


# Another model: labels


def labels(flipped: int, asked: int) -> Rows:
    return answered(each([["a"]] * asked), each([["b"]] * flipped + [["a"]] * (asked - flipped)), ("1", "2"))


@pytest.mark.parametrize(("flipped", "result"), [(0, "PASS"), (1, "PASS"), (5, "INCONCLUSIVE"), (30, "FAIL")])
def test_labels_of_a_new_model_may_flip_as_often_as_is_allowed(flipped: int, result: str) -> None:
    found, criteria = compared(labels(flipped, 400), max_flip_ratio=0.02)
    assert not found.same_model
    assert criteria[LABELS].result == result
    assert criteria[LABELS].measured == flipped / 400
    upper = stats.beta.ppf(0.95, flipped + 1, 400 - flipped)
    interval = criteria[LABELS].interval
    assert interval is not None
    assert interval[1] == pytest.approx(upper, abs=1e-9)


def test_too_few_labels_show_nothing_and_it_is_told_how_many_would() -> None:
    _, criteria = compared(labels(0, 8), max_flip_ratio=0.02)
    assert criteria[LABELS].result is Outcome.INCONCLUSIVE
    assert criteria[LABELS].reason == (
        "0 of 8 labels are not live's, somewhere between 0.00 % and 31.2 % where 2.00 % are allowed; to show "
        "that takes 149 labels at least, so send more payloads"
    )
    assert compared(labels(0, 148), max_flip_ratio=0.02)[1][LABELS].result is Outcome.INCONCLUSIVE
    assert compared(labels(0, 149), max_flip_ratio=0.02)[1][LABELS].result is Outcome.PASS


def test_flips_are_not_judged_unless_the_policy_limits_them_nor_of_the_same_model() -> None:
    assert LABELS not in compared(labels(30, 400))[1]
    same = answered(each([["a"]]), each([["b"]]))
    assert set(compared(same, max_flip_ratio=0.02)[1]) == {FORM, ALIKE}


@pytest.mark.parametrize(
    ("live", "candidate", "flipped", "asked"),
    [
        ([0, 1, 2], [0, 1, 1], 1, 3),  # classes as whole numbers
        ([0.0, 1.0], [0.0, 0.0], 1, 2),
        ([True, False], [True, True], 1, 2),
        ([[0.7, "a"], [0.2, "b"]], [[0.6, "a"], [0.9, "a"]], 1, 2),  # a score beside each label
        ([{"label": "a", "score": 3}], [{"label": "b", "score": 3}], 1, 1),
    ],
)
def test_labels_are_texts_truth_values_and_whole_numbers(live: Any, candidate: Any, flipped: int, asked: int) -> None:
    _, criteria = compared(answered(once(live), once(candidate), ("1", "2")), max_flip_ratio=0.5)
    assert criteria[LABELS].measured == flipped / asked


def test_numbers_that_are_not_whole_are_no_labels() -> None:
    rows = answered(once([0.5, 1.0]), once([0.5, 2.0]), ("1", "2"))
    assert LABELS not in compared(rows, max_flip_ratio=0.5)[1]


# Another model: numbers


def numbers(live: Sequence[Any], candidate: Sequence[Any]) -> Rows:
    return answered(each([[value] for value in live]), each([[value] for value in candidate]), ("1", "2"))


def test_a_new_model_with_the_same_distribution_is_stable() -> None:
    random = np.random.default_rng(1)
    live = random.normal(size=1200)
    found, criteria = compared(numbers(live.tolist(), (live + random.normal(0, 0.05, 1200)).tolist()))
    assert found.psi is not None
    assert found.psi < 0.05
    assert criteria[PSI].result is Outcome.PASS
    assert criteria[PSI].reason.startswith("the population stability index of 1200 predictions is 0.0")
    assert found.unlike > 1000
    assert ALIKE not in criteria


def test_a_new_model_with_another_distribution_fails_by_psi_and_by_distance() -> None:
    live = np.random.default_rng(2).normal(size=1200)
    found, criteria = compared(numbers(live.tolist(), (live + 1).tolist()), max_ks_distance=0.2)
    assert found.mean_shift == pytest.approx(1.0)
    assert criteria[PSI].result is Outcome.FAIL
    assert criteria[KS].result is Outcome.FAIL
    assert "the Kolmogorov-Smirnov distance of 1200 predictions is 0.3" in criteria[KS].reason


def test_fewer_distinct_predictions_than_the_policy_asks_for_are_no_distribution() -> None:
    live = [float(number) / 7 for number in range(999)]
    for values in (live, [value % 3 for value in live]):
        found, criteria = compared(numbers([*values, values[0]], [*values, values[0]]), max_ks_distance=0.2)
        assert found.values == 1000
        assert (found.ks_distance, found.psi) == (None, None)
        assert found.mean_shift == 0.0
        assert set(criteria) == {FORM}
    assert compared(numbers(live, live), min_parity_values=900)[0].psi == 0.0


def test_predictions_that_are_not_all_finite_numbers_are_no_distribution() -> None:
    for odd in (NAN, INFINITE, None, "a", True, 10**400):
        found, _ = compared(numbers([1.5, odd], [1.5, odd]))
        assert (found.mean_shift, found.ks_distance, found.psi) == (None, None, None)


def test_a_deployment_that_names_no_version_is_another_model() -> None:
    for models in (("", ""), ("1", ""), ("", "1"), ("1", "2")):
        assert not compared(answered(once([1.0]), once([1.0]), models))[0].same_model

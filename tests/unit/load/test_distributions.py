import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from load.distributions import distributions, ks_distance, stability_index

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("seed", range(5))
def test_the_distance_of_two_samples_is_scipys(seed: int) -> None:
    random = np.random.default_rng(seed)
    # Rounded, so that values come more than once, as predictions do.
    first, second = random.normal(size=1200).round(2), random.normal(0.1 * seed, 1.1, 1000).round(2)
    assert ks_distance(first, second) == pytest.approx(stats.ks_2samp(first, second).statistic, abs=1e-12)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.lists(st.floats(-1e6, 1e6), min_size=1))
def test_the_distance_of_any_two_samples_is_the_most_that_their_shares_differ(
    first: list[float], second: list[float]
) -> None:
    shares = [stats.ecdf(sample).cdf.evaluate([*first, *second]) for sample in (first, second)]
    assert ks_distance(np.array(first), np.array(second)) == pytest.approx(np.abs(shares[0] - shares[1]).max())


def test_the_stability_index_is_that_of_its_definition() -> None:
    random = np.random.default_rng(3)
    live, candidate = random.normal(size=2000), random.normal(0.3, 1.2, 1500)
    edges = [-np.inf, *np.quantile(live, np.arange(1, 10) / 10), np.inf]
    expected, actual = (np.histogram(values, edges)[0] / len(values) for values in (live, candidate))
    by_definition = sum((a - e) * np.log(a / e) for e, a in zip(expected, actual, strict=True))
    assert stability_index(live, candidate) == pytest.approx(by_definition)


def test_the_stability_index_is_finite_where_a_bin_is_empty_and_where_all_predictions_are_one() -> None:
    live = np.random.default_rng(4).normal(size=1000)
    assert 1 < stability_index(live, live + 100) < 100
    assert stability_index(np.ones(1000), np.ones(1000)) == 0.0


def test_numbers_whose_mean_is_beyond_any_float_have_no_shift_of_it() -> None:
    found = distributions([1e308] * 3, [-1e308] * 3, least=100)
    assert found == {"mean_shift": None, "ks_distance": None, "psi": None}


def test_of_nothing_there_is_no_distribution() -> None:
    assert distributions([], [], least=100) == {"mean_shift": None, "ks_distance": None, "psi": None}

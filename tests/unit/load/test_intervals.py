import numpy as np
import pytest
from scipy import stats

from load.intervals import Arm, binomial_bounds, bounds, quantile, resample_blocks, resampled_quantiles

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("trials", [59, 300, 1000, 5000])
@pytest.mark.parametrize("failures", [0, 1, 4, 59])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_error_bounds_are_those_of_clopper_and_pearson(failures: int, trials: int, confidence: float) -> None:
    for alternative, bound in (("greater", 0), ("less", 1)):
        oracle = stats.binomtest(failures, trials, alternative=alternative).proportion_ci(confidence, method="exact")
        expected = oracle.low if alternative == "greater" else oracle.high
        assert binomial_bounds(failures, trials, confidence)[bound] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99, 1.0])
def test_a_quantile_is_the_nearest_rank(share: float) -> None:
    values = np.random.default_rng(1).lognormal(size=777)
    assert quantile(values, share) == np.quantile(values, share, method="inverted_cdf")


def test_a_resample_that_draws_each_block_once_gives_the_sample_itself() -> None:
    random = np.random.default_rng(2)
    arm = Arm(random.lognormal(size=500), random.integers(0, 10, 500))
    resampled = resampled_quantiles(arm, np.ones((1, 10), dtype=np.int64), (0.5, 0.95))
    assert resampled[:, 0].tolist() == [quantile(arm.latency_ms, 0.5), quantile(arm.latency_ms, 0.95)]


def test_a_block_drawn_twice_counts_twice_and_one_not_drawn_not_at_all() -> None:
    arm = Arm(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), np.array([0, 0, 1, 1, 2]))
    resampled = resampled_quantiles(arm, np.array([[0, 2, 1], [0, 0, 0]]), (0.5, 1.0))
    assert resampled[:, 0].tolist() == [quantile(np.array([3.0, 3.0, 4.0, 4.0, 5.0]), 0.5), 5.0]
    assert np.isnan(resampled[:, 1]).all()


def test_resamples_are_the_same_in_pieces_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(4)
    arm, draws = Arm(random.lognormal(size=300), random.integers(0, 12, 300)), resample_blocks(12, 400, seed=1)
    at_once = resampled_quantiles(arm, draws, (0.95,))
    monkeypatch.setattr("load.intervals.CHUNK_CELLS", 2000)
    assert np.array_equal(at_once, resampled_quantiles(arm, draws, (0.95,)))


def test_blocks_of_independent_requests_give_the_bounds_of_scipys_bootstrap() -> None:
    random = np.random.default_rng(5)
    values = random.lognormal(3, 0.5, 600)
    mine = bounds(resampled_quantiles(Arm(values, np.arange(600)), resample_blocks(600, 4000, 1), (0.5,))[0], 0.95)
    oracle = stats.bootstrap(
        (values,), np.median, confidence_level=0.9, method="percentile", n_resamples=4000, rng=np.random.default_rng(6)
    ).confidence_interval
    assert mine == pytest.approx((oracle.low, oracle.high), rel=0.01)


def test_requests_that_stall_together_widen_the_bounds() -> None:
    random = np.random.default_rng(8)
    block = np.repeat(np.arange(20), 50)
    together = random.lognormal(3, 0.3, 1000) * random.lognormal(0, 0.3, 20)[block]
    widths = []
    for grouping in (block, random.permutation(block)):
        lower, upper = bounds(
            resampled_quantiles(Arm(together, grouping), resample_blocks(20, 1000, 1), (0.5,))[0], 0.95
        )
        widths.append(upper - lower)
    assert widths[0] > 2 * widths[1]

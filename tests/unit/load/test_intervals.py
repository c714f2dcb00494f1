import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from load.intervals import (
    Arm,
    binomial_bounds,
    binomial_cdf,
    bounds,
    difference_bounds,
    quantile,
    resample_blocks,
    resampled_quantiles,
    wilson,
)
from load.rows import Floats

pytestmark = pytest.mark.unit

CONFIDENCES = st.sampled_from([0.8, 0.9, 0.95, 1 - 0.05 / 3, 0.99, 0.999])
SHARES = (0.5, 0.95, 0.99, 1.0)


@st.composite
def counts(draw: st.DrawFn) -> tuple[int, int]:
    """Failures, and the trials of which they are."""
    trials = draw(st.integers(1, 40_000))
    return draw(st.one_of(st.integers(0, min(trials, 50)), st.integers(0, trials))), trials


@given(counts(), CONFIDENCES)
def test_error_bounds_are_those_of_clopper_and_pearson(ratio: tuple[int, int], confidence: float) -> None:
    failures, trials = ratio
    lower = stats.beta.ppf(1 - confidence, failures, trials - failures + 1) if failures else 0.0
    upper = stats.beta.ppf(confidence, failures + 1, trials - failures) if failures < trials else 1.0
    assert binomial_bounds(failures, trials, confidence) == pytest.approx((lower, upper), abs=1e-9)


@pytest.mark.parametrize("failures", [0, 1, 59, 300])
def test_error_bounds_are_those_of_scipys_exact_test(failures: int) -> None:
    one_sided = {
        alternative: stats.binomtest(failures, 300, alternative=alternative).proportion_ci(0.95, method="exact")
        for alternative in ("greater", "less")
    }
    found = binomial_bounds(failures, 300, 0.95)
    assert found == pytest.approx((one_sided["greater"].low, one_sided["less"].high), abs=1e-9)


def test_nothing_is_known_of_a_ratio_without_any_trial() -> None:
    assert binomial_bounds(0, 0, 0.95) == (0.0, 1.0)


@given(counts(), CONFIDENCES)
def test_wilsons_bounds_are_those_of_scipy(ratio: tuple[int, int], confidence: float) -> None:
    failures, trials = ratio
    oracle = stats.binomtest(failures, trials).proportion_ci(2 * confidence - 1, method="wilson")
    assert wilson(failures, trials, confidence) == pytest.approx((failures / trials, oracle.low, oracle.high), abs=1e-9)


@given(counts(), st.floats(0, 1))
def test_the_probability_of_at_most_so_many_failures_is_scipys(ratio: tuple[int, int], p: float) -> None:
    failures, trials = ratio
    assert binomial_cdf(failures, trials, p) == pytest.approx(stats.binom.cdf(failures, trials, p), abs=1e-9)


def newcombe(first: tuple[int, int], second: tuple[int, int], confidence: float) -> tuple[float, float]:
    """Newcombe's method 10 by the roots of |p - estimate| = z sqrt(p (1 - p) / n), without Wilson's closed form."""
    z = stats.norm.ppf(confidence)

    def roots(failures: int, trials: int) -> tuple[float, float, float]:
        estimate = failures / trials
        low, high = sorted(np.roots([1 + z * z / trials, -(2 * estimate + z * z / trials), estimate**2]).real)
        return estimate, low, high

    (p1, low1, high1), (p2, low2, high2) = roots(*first), roots(*second)
    below = math.sqrt((p2 - low2) ** 2 + (high1 - p1) ** 2)
    above = math.sqrt((high2 - p2) ** 2 + (p1 - low1) ** 2)
    return p2 - p1 - below, p2 - p1 + above


@given(counts(), counts(), CONFIDENCES)
def test_bounds_of_a_difference_are_newcombes(
    first: tuple[int, int], second: tuple[int, int], confidence: float
) -> None:
    assert difference_bounds(first, second, confidence) == pytest.approx(newcombe(first, second, confidence), abs=1e-6)


def test_bounds_of_a_difference_are_those_that_newcombe_has_published() -> None:
    """Table II of his article: 56/70 and 48/80 with method 10 at 95 % two-sided."""
    lower, upper = difference_bounds((48, 80), (56, 70), 0.975)
    assert (round(lower, 4), round(upper, 4)) == (0.0524, 0.3339)


@given(counts(), counts(), CONFIDENCES)
def test_a_difference_the_other_way_about_has_the_mirrored_bounds(
    first: tuple[int, int], second: tuple[int, int], confidence: float
) -> None:
    lower, upper = difference_bounds(first, second, confidence)
    assert difference_bounds(second, first, confidence) == pytest.approx((-upper, -lower), abs=1e-12)
    assert -1 - 1e-9 <= lower <= upper <= 1 + 1e-9


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=300), st.sampled_from(SHARES))
def test_a_quantile_is_the_nearest_rank(values: list[float], share: float) -> None:
    assert quantile(np.array(values), share) == np.quantile(values, share, method="inverted_cdf")


@pytest.mark.parametrize("count", [1, 2, 20, 100, 1000, 20000])
def test_a_rank_that_is_whole_is_not_lost_to_rounding(count: int) -> None:
    """0.95 x 20 is 19.000000000000004 or so in other languages, too; the quantile is the 19th value, not the 20th."""
    assert quantile(np.arange(1.0, count + 1), 0.95) == math.ceil(round(95 * count / 100, 6))


def plainly(arm: Arm, draws: np.ndarray, share: float) -> list[float]:
    """The quantile of each resample, written out."""
    found = []
    for drawn in draws:
        values = [v for v, b in zip(arm.latency_ms, arm.block, strict=True) for _ in range(drawn[b])]
        found.append(quantile(np.array(values), share) if values else math.nan)
    return found


@given(st.integers(0, 120), st.integers(1, 15), st.integers(0, 2**32 - 1))
def test_resampled_quantiles_are_those_of_the_resamples_written_out(samples: int, blocks: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    # Few different values: ties are the rule with a clock of milliseconds.
    arm = Arm(random.integers(1, 30, samples).astype(float), random.integers(0, blocks, samples))
    draws = resample_blocks(blocks, 40, seed)
    found = resampled_quantiles(arm, draws, SHARES)
    for row, share in enumerate(SHARES):
        assert np.array_equal(found[row], plainly(arm, draws, share), equal_nan=True)


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


def test_an_arm_without_any_sample_has_no_quantiles() -> None:
    nobody = Arm(np.array([]), np.array([], dtype=np.int64))
    assert np.isnan(resampled_quantiles(nobody, resample_blocks(8, 20, 1), SHARES)).all()


def test_resamples_are_the_same_in_pieces_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(4)
    arm, draws = Arm(random.lognormal(size=300), random.integers(0, 12, 300)), resample_blocks(12, 400, seed=1)
    at_once = resampled_quantiles(arm, draws, (0.95,))
    monkeypatch.setattr("load.intervals.CHUNK_CELLS", 2000)
    assert np.array_equal(at_once, resampled_quantiles(arm, draws, (0.95,)))


@pytest.mark.parametrize("blocks", [1, 8, 36])
def test_each_resample_draws_as_many_blocks_as_there_are_each_as_likely(blocks: int) -> None:
    draws = resample_blocks(blocks, 20_000, seed=3)
    assert (draws.sum(axis=1) == blocks).all()
    assert draws.mean(axis=0) == pytest.approx(np.ones(blocks), abs=0.04)
    # The variance of how often one is drawn; of a Poisson draw, which does not fix the number, it would be 1.
    assert draws.var(axis=0) == pytest.approx(np.full(blocks, 1 - 1 / blocks), abs=0.06)


def test_the_same_seed_draws_the_same_blocks() -> None:
    assert np.array_equal(resample_blocks(12, 100, 1), resample_blocks(12, 100, 1))
    assert not np.array_equal(resample_blocks(12, 100, 1), resample_blocks(12, 100, 2))


def test_blocks_of_independent_requests_give_the_bounds_of_scipys_bootstrap() -> None:
    random = np.random.default_rng(5)
    values = random.lognormal(3, 0.5, 600)
    mine = bounds(resampled_quantiles(Arm(values, np.arange(600)), resample_blocks(600, 4000, 1), (0.5,))[0], 0.95)
    oracle = stats.bootstrap(
        (values,), np.median, confidence_level=0.9, method="percentile", n_resamples=4000, rng=np.random.default_rng(6)
    ).confidence_interval
    assert mine == pytest.approx((oracle.low, oracle.high), rel=0.01)


def test_resamples_without_any_sample_do_not_spoil_the_bounds() -> None:
    assert bounds(np.array([np.nan, 1.0, 2.0, 3.0, np.nan]), 0.95) == pytest.approx((1.1, 2.9))


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


def drifting_pair(random: np.random.Generator, blocks: int, per_block: int) -> tuple[Floats, Floats]:
    """Latencies of two deployments that are the same, under one drift: each block of both is slower or faster alike."""
    level = np.zeros(blocks)
    for block in range(1, blocks):
        level[block] = 0.8 * level[block - 1] + random.normal(0, 0.1)
    each = [np.exp(random.normal(0, 0.35, (blocks, per_block)) + level[:, None]) * 60 for _ in range(2)]
    return each[0].ravel(), each[1].ravel()


def bounds_of_ratio(live: Floats, candidate: Floats, block: np.ndarray, share: float) -> tuple[float, float]:
    draws = resample_blocks(int(block[-1]) + 1, 500, 1)
    resampled = [resampled_quantiles(Arm(of, block), draws, (share,))[0] for of in (live, candidate)]
    return bounds(resampled[1] / resampled[0], 0.95)


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_of_requests_that_drift_together_the_bounds_of_the_ratio_err_about_as_often_as_they_say(share: float) -> None:
    """Each of both bounds is to miss the truth, 1, in 5 % of 600 runs: in 16 to 49 of them, by chance alone."""
    random = np.random.default_rng(20)
    block, missed = np.repeat(np.arange(24), 50), [0, 0]
    for _ in range(600):
        lower, upper = bounds_of_ratio(*drifting_pair(random, 24, 50), block, share)
        missed[0] += lower > 1
        missed[1] += upper < 1
    assert all(16 <= misses <= 49 for misses in missed), missed


def test_bounds_for_which_live_is_not_asked_at_the_same_moments_err_far_more_often() -> None:
    """Why both share their blocks: under a drift, a candidate measured later is not beside live."""
    random = np.random.default_rng(21)
    block, missed = np.repeat(np.arange(24), 50), 0
    for _ in range(200):
        live, candidate = drifting_pair(random, 24, 50)[0], drifting_pair(random, 24, 50)[1]
        lower, upper = bounds_of_ratio(live, candidate, block, 0.5)
        missed += lower > 1 or upper < 1
    assert missed > 60

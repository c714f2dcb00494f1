"""Quantiles and error ratios with the bounds that a decision needs."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from load.rows import Floats, Integers

CHUNK_CELLS = 4_000_000  # resamples x values that are held at once: 32 MB
ROUNDING = 1e-9  # a share of a count that is whole but for the rounding of floats is that count


@dataclass(frozen=True)
class Arm:
    """One deployment's latencies and the time block each belongs to; both arms of a pair number the blocks alike."""

    latency_ms: Floats
    block: Integers


def quantile(values: Floats, share: float) -> float:
    """Return the smallest value that at least `share` of the values do not exceed (nearest rank)."""
    ordered = np.sort(values)
    return float(ordered[max(0, math.ceil(share * len(ordered) - ROUNDING) - 1)])


def resample_blocks(blocks: int, resamples: int, seed: int) -> Integers:
    """Return resamples x blocks: how often each block was drawn, with replacement, in each resample."""
    drawn = np.random.default_rng(seed).multinomial(blocks, np.full(blocks, 1 / blocks), size=resamples)
    return drawn.astype(np.int32)  # half the memory to go through


def resampled_quantiles(arm: Arm, draws: Integers, shares: tuple[float, ...]) -> Floats:
    """Return shares x resamples: the arm's quantiles in each resample (NaN where it drew no sample of the arm).

    Both arms are given the same draws, so that a drift or a stall that both lived through cancels out. The ordered
    values are cut into stretches; which of them holds a quantile is known from how often each block was drawn, and only
    that one is gone through value by value.
    """
    result = np.full((len(shares), len(draws)), np.nan)
    if len(arm.latency_ms) == 0:
        return result
    stretches = Stretches.of(arm, draws.shape[1])
    step = max(1, CHUNK_CELLS // max(stretches.block.shape))
    for start in range(0, len(draws), step):
        result[:, start : start + step] = stretches.quantiles(draws[start : start + step], shares)
    return result


@dataclass(frozen=True)
class Stretches:
    """An arm's latencies in order, cut into stretches of one length, the last of them filled up.

    `block` is stretches x length: the block of each value. `counts` is blocks x stretches: how many of a block's values
    lie in a stretch or before it.
    """

    latency_ms: Floats
    block: Integers
    counts: Floats

    @classmethod
    def of(cls, arm: Arm, blocks: int) -> "Stretches":
        order = np.argsort(arm.latency_ms, kind="stable")
        values, block = arm.latency_ms[order], arm.block[order]
        length = math.isqrt(len(values))
        stretches = -(-len(values) // length)
        found = np.bincount(block * stretches + np.arange(len(values)) // length, minlength=blocks * stretches)
        filling = np.zeros(stretches * length - len(values), dtype=block.dtype)
        return cls(
            values,
            np.concatenate((block, filling)).reshape(stretches, length),
            np.cumsum(found.reshape(blocks, stretches), axis=1).astype(np.float64),
        )

    def quantiles(self, draws: Integers, shares: tuple[float, ...]) -> Floats:
        """Return shares x resamples."""
        weight = draws.astype(np.float64) @ self.counts
        total, each = weight[:, -1], np.arange(len(draws))
        result = np.empty((len(shares), len(draws)))
        for row, share in enumerate(shares):
            wanted = np.ceil(share * total - ROUNDING)
            stretch = np.argmax(weight >= wanted[:, None], axis=1)
            before = np.where(stretch > 0, weight[each, stretch - 1], 0.0)
            within = np.cumsum(np.take_along_axis(draws, self.block[stretch], axis=1), axis=1)
            place = stretch * self.block.shape[1] + np.argmax(within >= (wanted - before)[:, None], axis=1)
            result[row] = np.where(total > 0, self.latency_ms[np.minimum(place, len(self.latency_ms) - 1)], np.nan)
        return result


def bounds(resampled: Floats, confidence: float) -> tuple[float, float]:
    """Return the lower and the upper bound, each one-sided at `confidence`."""
    lower, upper = np.nanquantile(resampled, [1 - confidence, confidence])
    return float(lower), float(upper)


def binomial_bounds(failures: int, trials: int, confidence: float) -> tuple[float, float]:
    """Return Clopper and Pearson's lower and upper bound of a ratio, each one-sided at `confidence`."""
    tail = 1 - confidence
    lower = 0.0 if failures == 0 else solve(lambda p: 1 - binomial_cdf(failures - 1, trials, p) - tail)
    upper = 1.0 if failures == trials else solve(lambda p: tail - binomial_cdf(failures, trials, p))
    return lower, upper


def difference_bounds(first: tuple[int, int], second: tuple[int, int], confidence: float) -> tuple[float, float]:
    """Return Newcombe's bounds of the second ratio minus the first, each one-sided at `confidence`.

    Both are (failures, trials). Newcombe 1998, Statistics in Medicine 17, 873-890, method 10. It takes the two for
    independent: of pairs, whose failures come together if at all, the bounds are wider than they need be.
    """
    (p1, low1, high1), (p2, low2, high2) = (wilson(*ratio, confidence) for ratio in (first, second))
    lower = p2 - p1 - math.hypot(p2 - low2, high1 - p1)
    upper = p2 - p1 + math.hypot(high2 - p2, p1 - low1)
    return lower, upper


def wilson(failures: int, trials: int, confidence: float) -> tuple[float, float, float]:
    """Return a ratio and Wilson's lower and upper bound of it, each one-sided at `confidence`."""
    z, ratio = NormalDist().inv_cdf(confidence), failures / trials
    middle = (ratio + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(ratio * (1 - ratio) / trials + z * z / (4 * trials * trials))
    return ratio, max(0.0, middle - half), min(1.0, middle + half)


def binomial_cdf(successes: int, trials: int, p: float) -> float:
    """Return the probability of at most so many successes in so many trials."""
    if p in {0.0, 1.0}:
        return float(p == 0.0 or successes >= trials)
    log_factorial = log_factorials(trials)
    k = np.arange(successes + 1)
    log_choose = log_factorial[trials] - log_factorial[k] - log_factorial[trials - k]
    return float(min(1.0, np.exp(log_choose + k * math.log(p) + (trials - k) * math.log1p(-p)).sum()))


@lru_cache(maxsize=4)  # a bound asks for the same ones again and again
def log_factorials(largest: int) -> Floats:
    # Not the sum of logarithms, whose rounding adds up.
    return np.array([math.lgamma(number + 1) for number in range(largest + 1)])


def solve(rising: Callable[[float], float]) -> float:
    """Return where in 0..1 a function that rises from below zero to above it crosses zero."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return high

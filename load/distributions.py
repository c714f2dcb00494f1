"""How two samples of predictions differ as distributions: by their means, by their shares below a value, by bins."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from load.predictions import as_float, is_number
from load.rows import Floats

BINS = 10
# What a bin without any prediction counts as: the index of an empty bin would be infinite.
LEAST_SHARE = 1e-4


def distributions(live: Sequence[Any], candidate: Sequence[Any], least: int) -> dict[str, float | None]:
    """Return how the distributions differ; nothing of labels, and no distance where live has too few values.

    Values that come again and again do not count: a model that gives few different ones moves all of them at once, from
    one bin into another, where its predictions hardly change.
    """
    nothing: dict[str, float | None] = {"mean_shift": None, "ks_distance": None, "psi": None}
    if not live or not all(map(is_number, (*live, *candidate))):
        return nothing
    ours, theirs = (np.array([as_float(value) for value in values]) for values in (live, candidate))
    if not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
        return nothing
    enough = len(np.unique(ours)) >= least
    with np.errstate(over="ignore", invalid="ignore"):
        mean_shift = float(np.mean(theirs) - np.mean(ours))
    return {
        "mean_shift": mean_shift if np.isfinite(mean_shift) else None,
        "ks_distance": ks_distance(ours, theirs) if enough else None,
        "psi": stability_index(ours, theirs) if enough else None,
    }


def ks_distance(first: Floats, second: Floats) -> float:
    """Return Kolmogorov and Smirnov's distance of two samples: the most that their shares below a value differ."""
    values = np.concatenate((first, second))
    below = [np.searchsorted(np.sort(sample), values, side="right") / len(sample) for sample in (first, second)]
    return float(np.abs(below[0] - below[1]).max())


def stability_index(expected: Floats, actual: Floats) -> float:
    """Return the population stability index over ten bins that hold equally many of what was expected."""
    edges = np.unique(np.quantile(expected, np.linspace(0, 1, BINS + 1)[1:-1]))
    shares = [
        np.maximum(np.bincount(np.searchsorted(edges, sample), minlength=len(edges) + 1) / len(sample), LEAST_SHARE)
        for sample in (expected, actual)
    ]
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())

"""When requests are due: a Poisson process whose rate is constant, or changes in a straight line."""

import math
import random
from collections.abc import Iterator

from load.rows import RunPlan


def arrivals_s(plan: RunPlan, chance: random.Random) -> Iterator[float]:
    """Yield the seconds after the start at which a pair is due.

    A changing rate is had by thinning: arrivals at the highest rate, each kept with the probability of its own.
    """
    highest = max(plan.rate_pairs_per_s, plan.end_rate_pairs_per_s or 0.0)
    total_s = plan.warmup_s + plan.duration_s
    due_s = chance.expovariate(highest)
    while due_s < total_s:
        if plan.end_rate_pairs_per_s is None or chance.random() * highest < rate_at(plan, due_s):
            yield due_s
        due_s += chance.expovariate(highest)


def rate_at(plan: RunPlan, at_s: float) -> float:
    """Return pairs a second that are wanted then: the first rate in the warm-up, then towards the last one."""
    end = plan.end_rate_pairs_per_s
    if end is None or math.isclose(plan.duration_s, 0):
        return plan.rate_pairs_per_s
    passed = min(1.0, max(0.0, (at_s - plan.warmup_s) / plan.duration_s))
    return plan.rate_pairs_per_s + (end - plan.rate_pairs_per_s) * passed

"""Traffic set is not traffic routed: count who answers requests without a name, and hold that against the split."""

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from deployment.platform import Traffic
from deployment.scoring import Answer, Ask

# Two-sided chance of refusing a split that is as set; one in a million for each share that is looked at.
FALSE_ALARM_PROBABILITY = 1e-6
PARALLEL_PROBES = 4


@dataclass(frozen=True)
class SplitCheck:
    """What the probes saw: whether it fits the split, and why."""

    fits: bool
    reason: str
    answered: Mapping[str, int]
    failures: tuple[Answer, ...]


def probe(ask: Ask, probes: int) -> tuple[Answer, ...]:
    """Ask `probes` times without a deployment header, as any client would."""
    with ThreadPoolExecutor(PARALLEL_PROBES) as pool:
        return tuple(pool.map(ask, [None] * probes))


def compare(answers: tuple[Answer, ...], traffic: Traffic) -> SplitCheck:
    """Hold the answers against the split: each deployment's count within its binomial interval, none from elsewhere."""
    answered = Counter(answer.deployment for answer in answers if answer.ok)
    failures = tuple(answer for answer in answers if not answer.ok)
    if failures:
        reason = f"{len(failures)} of {len(answers)} probes failed, the first with status {failures[0].status}"
        return SplitCheck(fits=False, reason=reason, answered=answered, failures=failures)
    if strangers := sorted(set(answered) - set(traffic)):
        reason = f"{answered[strangers[0]]} of {len(answers)} probes were answered by {strangers[0]!r}, which has 0 %"
        return SplitCheck(fits=False, reason=reason, answered=answered, failures=())
    for name, percent in sorted(traffic.items()):
        low, high = binomial_interval(len(answers), percent / 100, FALSE_ALARM_PROBABILITY)
        seen = f"{answered[name]} of {len(answers)} probes reached {name} at {percent} % ({low} to {high} fit)"
        if not low <= answered[name] <= high:
            return SplitCheck(fits=False, reason=seen, answered=answered, failures=())
    return SplitCheck(fits=True, reason=seen, answered=answered, failures=())


def wait_until_routed(
    send_probes: Callable[[], tuple[Answer, ...]],
    traffic: Traffic,
    *,
    timeout_s: float,
    forgive_failures: bool = False,
    now_s: Callable[[], float] = time.monotonic,
) -> SplitCheck:
    """Probe until the split fits, a probe fails, or `timeout_s` is over; return the last look.

    On the way back failures are forgiven until the time is over: they are what it leads away from.
    """
    deadline_s = now_s() + timeout_s
    while True:
        check = compare(send_probes(), traffic)
        if check.fits or (check.failures and not forgive_failures) or now_s() >= deadline_s:
            return check


def binomial_interval(trials: int, probability: float, alpha: float) -> tuple[int, int]:
    """Return the counts between which a binomial variable lies but for `alpha`/2 on each side (exact)."""
    low, below = 0, 0.0
    while (below := below + binomial_mass(trials, low, probability)) < alpha / 2:
        low += 1
    high, above = trials, 0.0
    while (above := above + binomial_mass(trials, high, probability)) < alpha / 2:
        high -= 1
    return low, high


def binomial_mass(trials: int, count: int, probability: float) -> float:
    if probability in {0.0, 1.0}:
        return float(count == trials * probability)
    log_ways = math.lgamma(trials + 1) - math.lgamma(count + 1) - math.lgamma(trials - count + 1)
    return math.exp(log_ways + count * math.log(probability) + (trials - count) * math.log1p(-probability))

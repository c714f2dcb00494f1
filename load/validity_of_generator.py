"""Whether the generator kept to its plan: on time, not busy, and no arrival dropped of its own making."""

import numpy as np

from load.intervals import quantile
from load.rows import DROPPED, Rows
from load.settings import GatePolicy
from load.verdict import Criterion, must_hold
from load.wording import percent

MOST_DROPS_LOOKED_AT = 100


def generator_on_time(rows: Rows, policy: GatePolicy) -> Criterion | None:
    sent = rows.lag_ms[(rows.error != DROPPED) & ~rows.warmup]
    if len(sent) == 0:
        return None
    lag_ms = quantile(sent, 0.99)
    return must_hold(
        "generator lag p99",
        lag_ms,
        "<=",
        policy.max_lag_p99_ms,
        f"99 % of the requests left within {lag_ms:.1f} ms of their time, {policy.max_lag_p99_ms:g} ms are allowed",
        unit="ms",
    )


def generator_not_busy(rows: Rows, policy: GatePolicy) -> Criterion | None:
    if rows.end is None:
        return None
    used = rows.end.cpu_ratio
    return must_hold(
        "generator CPU",
        used,
        "<=",
        policy.max_generator_cpu_ratio,
        f"the generator used {percent(used)} of a core, {percent(policy.max_generator_cpu_ratio)} are allowed",
        unit="ratio",
    )


def no_drops_of_its_own(rows: Rows, policy: GatePolicy) -> Criterion:
    """Count arrivals that were not sent though no deployment kept callers waiting, which would be its failure.

    It did where most of the places were taken by requests that took longer than its SLO in the end.
    """
    dropped = np.flatnonzero((rows.error == DROPPED) & ~rows.warmup)
    looked_at = dropped[:: 1 + len(dropped) // MOST_DROPS_LOOKED_AT]
    patience_ms = policy.slo_p95_ms or policy.slo_p99_ms or rows.plan.timeout_s * 1000
    latency_ms = rows.latency_ms
    ended_s = rows.intended_s + latency_ms / 1000
    own = 0
    for index in looked_at:
        at_s = rows.intended_s[index]
        waiting = (rows.role == rows.role[index]) & (rows.intended_s < at_s) & (ended_s > at_s)
        slow = int((latency_ms[waiting] >= patience_ms).sum())
        own += 2 * slow < max(1, int(waiting.sum()))
    return must_hold(
        "arrivals dropped by the generator itself",
        own,
        "<=",
        0,
        f"{own} of {len(looked_at)} dropped arrivals found most of the {rows.plan.max_in_flight} places taken by "
        f"requests that took less than {patience_ms:g} ms; raise max_in_flight or lower rate_pairs_per_s"
        if own
        else "no arrival was dropped for want of places alone",
    )

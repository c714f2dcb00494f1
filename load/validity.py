"""Whether a measurement says anything about the candidate: what must hold before the gate looks at a single latency."""

from load.latency import blocks_of
from load.rows import ROLES, Rows
from load.settings import GatePolicy
from load.validity_of_endpoint import (
    REFUSED_STATUSES,
    asked_deployment_answered,
    key_accepted,
    nothing_throttled,
    one_version_each,
    traffic_unchanged,
)
from load.validity_of_generator import generator_not_busy, generator_on_time, no_drops_of_its_own
from load.validity_of_live import live_within_slo, live_without_errors
from load.verdict import Criterion, must_hold

__all__ = ["BLOCKS", "MENDED_BY_MORE", "REFUSED_STATUSES", "SAMPLES", "validity"]

SAMPLES, BLOCKS = "judged requests per deployment", "time blocks"
# A stall of some seconds is over 5 % of the first minutes' requests, and less of more.
MENDED_BY_MORE = frozenset({SAMPLES, BLOCKS, "p95 of live"})


def validity(
    rows: Rows, policy: GatePolicy, judged_s: float, confidence: float, *, over: bool
) -> tuple[Criterion, ...]:
    """Return a criterion for everything that could make the measurement worthless, each PASS or INVALID.

    A run that is not `over` need not have come to its end.
    """
    with_live = rows.plan.live is not None
    roles = ROLES if with_live else ROLES[1:]
    found = [
        key_accepted(rows),
        asked_deployment_answered(rows),
        one_version_each(rows, roles),
        traffic_unchanged(rows),
        nothing_throttled(rows),
        generator_on_time(rows, policy),
        generator_not_busy(rows, policy),
        no_drops_of_its_own(rows, policy),
        run_complete(rows) if over else None,
        live_without_errors(rows, policy) if with_live else None,
        *(live_within_slo(rows, policy, judged_s, confidence) if with_live else ()),
        # Last, so that what made them few is named first.
        enough_samples(rows, roles, policy),
        enough_blocks(judged_s, policy),
    ]
    return tuple(criterion for criterion in found if criterion is not None)


def run_complete(rows: Rows) -> Criterion:
    if rows.end is None:
        reason = f"the run was cut off after {len(rows)} requests; run it again"
    elif rows.end.broken_off:
        reason = f"the load was broken off: {rows.end.broken_off}"
    else:
        reason = "the run came to its end"
    ended = rows.end is not None and not rows.end.broken_off
    return must_hold("run came to its end", float(ended), ">=", 1, reason)


def enough_samples(rows: Rows, roles: tuple[str, ...], policy: GatePolicy) -> Criterion:
    """Count what was sent to the candidate, and what live has answered: only that can be compared with."""
    judged = {role: rows.of(role) for role in roles}
    count = {role: int(of.latency_known.sum()) if role == "live" else len(of) for role, of in judged.items()}
    fewest = min(count, key=lambda role: count[role])
    what = "answers of live" if fewest == "live" else "judged requests to the candidate"
    return must_hold(
        SAMPLES,
        count[fewest],
        ">=",
        policy.min_samples,
        f"{count[fewest]} {what}, at least {policy.min_samples} are needed",
        live=count.get("live"),
        candidate=count["candidate"],
    )


def enough_blocks(judged_s: float, policy: GatePolicy) -> Criterion:
    blocks = blocks_of(judged_s, policy)
    return must_hold(
        BLOCKS,
        blocks,
        ">=",
        policy.min_blocks,
        f"{blocks} blocks of {policy.block_s:g} s in {judged_s:g} s, {policy.min_blocks} are needed",
    )

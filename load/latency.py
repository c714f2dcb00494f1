"""How long answers took: the candidate's quantiles beside live's and against the SLO, each with its bounds."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from load.errors import decide, none_answered
from load.intervals import ROUNDING, Arm, bounds, quantile, resample_blocks, resampled_quantiles
from load.rows import ROLES, Floats, Rows
from load.settings import GatePolicy
from load.verdict import Criterion, Layer, Outcome
from load.wording import number, surely

SHARES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
LEAST_ALLOWED_MS = 1e-6  # where no difference at all is allowed: what is divided by


@dataclass(frozen=True)
class Measured:
    """One deployment's quantiles and the same quantiles in each resample."""

    point_ms: dict[str, float]
    resampled_ms: dict[str, Floats]


def latencies(rows: Rows, policy: GatePolicy, judged_s: float, confidence: float) -> tuple[Criterion, ...]:
    """Judge the candidate's latency beside live's and against its SLO."""
    measured = quantiles(rows, policy, judged_s)
    if "candidate" not in measured:
        return (none_answered(rows),)
    live, candidate = measured.get("live"), measured["candidate"]
    beside = relative(live, candidate, policy, confidence) if live else ()
    return (*beside, *absolute(live, candidate, policy, confidence))


def quantiles(rows: Rows, policy: GatePolicy, judged_s: float) -> dict[str, Measured]:
    blocks = blocks_of(judged_s, policy)
    draws = resample_blocks(blocks, policy.bootstrap_resamples, policy.bootstrap_seed)
    measured: dict[str, Measured] = {}
    for role in ROLES:
        arm = arm_of(rows, role, blocks, judged_s)
        if len(arm.latency_ms):
            resampled = resampled_quantiles(arm, draws, tuple(SHARES.values()))
            measured[role] = Measured(
                {name: quantile(arm.latency_ms, share) for name, share in SHARES.items()},
                dict(zip(SHARES, resampled, strict=True)),
            )
    return measured


def blocks_of(judged_s: float, policy: GatePolicy) -> int:
    """Return how many whole time blocks there are."""
    return math.floor(judged_s / policy.block_s + ROUNDING)


def arm_of(rows: Rows, role: str, blocks: int, judged_s: float) -> Arm:
    judged = rows.of(role)
    known = judged.where(judged.latency_known)
    block = ((known.intended_s - rows.plan.warmup_s) / (judged_s / blocks)).astype(np.int64)
    return Arm(known.latency_ms, np.clip(block, 0, blocks - 1))


def relative(live: Measured, candidate: Measured, policy: GatePolicy, confidence: float) -> Iterator[Criterion]:
    """Judge each quantile by how much of the allowed difference is used: a share of live's, or ignore_below_ms."""
    ratios = {"p95": policy.max_p95_ratio, "p50": policy.max_p50_ratio, "p99": policy.max_p99_ratio}
    for name, max_ratio in ratios.items():
        if max_ratio is not None:
            shown = name != "p99" or policy.p99_must_be_shown
            yield beside_live(name, max_ratio, live, candidate, policy, confidence, must_be_shown=shown)


def beside_live(
    name: str,
    max_ratio: float,
    live: Measured,
    candidate: Measured,
    policy: GatePolicy,
    confidence: float,
    *,
    must_be_shown: bool,
) -> Criterion:
    def allowed(live_ms: Any) -> Any:
        return np.maximum((max_ratio - 1) * live_ms, max(policy.ignore_below_ms, LEAST_ALLOWED_MS))

    live_ms, candidate_ms = live.point_ms[name], candidate.point_ms[name]
    difference_ms, limit_ms = candidate_ms - live_ms, float(allowed(live_ms))
    used = (candidate.resampled_ms[name] - live.resampled_ms[name]) / allowed(live.resampled_ms[name])
    lower, upper = (bound * limit_ms for bound in bounds(used, confidence))
    result = decide(lower, upper, limit_ms)
    if result is Outcome.INCONCLUSIVE and not must_be_shown:
        result = Outcome.PASS
    rule = f" (+{(max_ratio - 1) * 100:.0f} %)" if limit_ms > policy.ignore_below_ms else ""
    return Criterion(
        name=f"{name} beside live",
        layer=Layer.RELATIVE,
        unit="ms",
        operator="<=",
        limit=limit_ms,
        measured=difference_ms,
        live=live_ms,
        candidate=candidate_ms,
        interval=(lower, upper),
        result=result,
        reason=f"{name} {candidate_ms:.1f} ms vs {live_ms:.1f} ms of live, {compared(difference_ms)} "
        f"({surely(lower, upper, limit_ms, 'ms')}) where {limit_ms:.1f} ms{rule} are allowed",
    )


def absolute(live: Measured | None, candidate: Measured, policy: GatePolicy, confidence: float) -> Iterator[Criterion]:
    """Judge quantiles against the SLO by their bounds; p99 by its value, whose upper bound takes thousands.

    Where live, asked at the same moments, was over a p99 as well, only a candidate that is surely over it is refused.
    """
    limits = {"p50": policy.slo_p50_ms, "p95": policy.slo_p95_ms, "p99": policy.slo_p99_ms}
    for name, limit_ms in limits.items():
        if limit_ms is None:
            continue
        value_ms, live_ms = candidate.point_ms[name], live.point_ms[name] if live else None
        lower, upper = bounds(candidate.resampled_ms[name], confidence)
        by_value = name == "p99"
        result = decide(lower, value_ms if by_value else upper, limit_ms)
        both_over = by_value and live_ms is not None and live_ms > limit_ms
        if result is Outcome.INCONCLUSIVE and both_over:
            result = Outcome.PASS
        live_too = f", which live's {number(live_ms, 'ms')} is over as well" if both_over else ""
        yield Criterion(
            name=f"{name} within SLO",
            layer=Layer.ABSOLUTE,
            unit="ms",
            operator="<=",
            limit=limit_ms,
            measured=value_ms,
            live=live_ms,
            candidate=value_ms,
            interval=(lower, upper),
            result=result,
            reason=f"{name} {number(value_ms, 'ms')} ({surely(lower, upper, limit_ms, 'ms')}), the SLO is "
            f"{limit_ms:g} ms{live_too}",
        )


def compared(difference_ms: float) -> str:
    size = number(abs(difference_ms), "ms")
    if size == number(0.0, "ms"):
        return "no slower"
    return f"{size} {'slower' if difference_ms > 0 else 'faster'}"

"""The gate: rows and a policy in, a verdict out. Pure, so that any stored run can be judged again."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from load.intervals import Arm, binomial_bounds, bounds, quantile, resample_blocks, resampled_quantiles
from load.rows import Floats, Rows, Strings
from load.settings import GatePolicy
from load.validity import validity
from load.verdict import Criterion, Layer, Outcome, Verdict
from load.wording import number, percent

__all__ = ["Criterion", "Layer", "Outcome", "Verdict", "judge"]

SHARES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
SEVERITY = (Outcome.INVALID, Outcome.FAIL, Outcome.INCONCLUSIVE)


def judge(rows: Rows, policy: GatePolicy) -> Verdict:
    """Judge a run: PASS only where every criterion is shown to be met; without live the absolute ones alone decide."""
    found = validity(rows, policy)
    # Bounds of a worthless measurement would look like knowledge.
    if all(criterion.result is Outcome.PASS for criterion in found):
        found += errors(rows, policy)
        found += latencies(rows, policy)
    outcome = next((bad for bad in SEVERITY if any(each.result is bad for each in found)), Outcome.PASS)
    verdict = Verdict(outcome, "", found, rows.plan.live, rows.plan.candidate)
    return replace(verdict, sentence=sentence(verdict))


def errors(rows: Rows, policy: GatePolicy) -> tuple[Criterion, ...]:
    """Judge how many of the candidate's requests failed and how many were answered."""
    candidate, live = rows.of("candidate"), rows.of("live")
    failed, asked = int((candidate.error != "").sum()), len(candidate)
    lower, upper = binomial_bounds(failed, asked, policy.confidence)
    kinds = ", ".join(f"{count} {kind}" for kind, count in counted(candidate.error[candidate.error != ""]))
    limit = policy.max_error_ratio
    ratio = Criterion(
        name="error ratio",
        layer=Layer.ERRORS,
        unit="ratio",
        operator="<=",
        limit=limit,
        measured=failed / asked,
        live=float((live.error != "").mean()) if len(live) else None,
        candidate=failed / asked,
        interval=(lower, upper),
        result=decide(lower, upper, limit),
        reason=f"{failed} of {asked} requests failed{f' ({kinds})' if kinds else ''}, "
        f"{surely(lower, upper, limit, 'ratio')} where {number(limit, 'ratio')} are allowed",
    )
    answered = (asked - failed) / asked
    throughput = Criterion(
        name="answered share of the load",
        layer=Layer.ERRORS,
        unit="ratio",
        operator=">=",
        limit=policy.min_throughput_ratio,
        measured=answered,
        live=float((live.error == "").mean()) if len(live) else None,
        candidate=answered,
        interval=None,
        result=Outcome.PASS if answered >= policy.min_throughput_ratio else Outcome.FAIL,
        reason=f"{asked - failed} of {asked} requests were answered with 200 ({percent(answered)}, "
        f"at least {percent(policy.min_throughput_ratio)} are wanted)",
    )
    return ratio, throughput


@dataclass(frozen=True)
class Measured:
    """One deployment's quantiles and the same quantiles in each resample."""

    point_ms: dict[str, float]
    resampled_ms: dict[str, Floats]


def latencies(rows: Rows, policy: GatePolicy) -> tuple[Criterion, ...]:
    """Judge the candidate's latency beside live's and against its SLO."""
    blocks = int(rows.plan.duration_s / policy.block_s + 1e-9)
    draws = resample_blocks(blocks, policy.bootstrap_resamples, policy.bootstrap_seed)
    measured: dict[str, Measured] = {}
    for role in ("live", "candidate"):
        arm = arm_of(rows, role, blocks)
        if len(arm.latency_ms):
            resampled = resampled_quantiles(arm, draws, tuple(SHARES.values()))
            measured[role] = Measured(
                {name: quantile(arm.latency_ms, share) for name, share in SHARES.items()},
                dict(zip(SHARES, resampled, strict=True)),
            )
    if "candidate" not in measured:
        return ()  # every request failed, which the errors have judged
    found: list[Criterion] = []
    if "live" in measured:
        for name, ratio in (("p95", policy.max_p95_ratio), ("p50", policy.max_p50_ratio)):
            found.append(relative(name, ratio, measured["live"], measured["candidate"], policy))
    return (*found, *absolute(measured.get("live"), measured["candidate"], policy))


def arm_of(rows: Rows, role: str, blocks: int) -> Arm:
    judged = rows.of(role)
    known = judged.where(judged.latency_known)
    block = ((known.intended_s - rows.plan.warmup_s) / (rows.plan.duration_s / blocks)).astype(np.int64)
    return Arm(known.latency_ms, np.clip(block, 0, blocks - 1))


def relative(name: str, max_ratio: float, live: Measured, candidate: Measured, policy: GatePolicy) -> Criterion:
    """Judge one quantile by how much of the allowed difference is used: max_ratio times live's, or ignore_below_ms."""

    def allowed(live_ms: Any) -> Any:
        return np.maximum((max_ratio - 1) * live_ms, policy.ignore_below_ms)

    live_ms, candidate_ms = live.point_ms[name], candidate.point_ms[name]
    difference_ms, limit_ms = candidate_ms - live_ms, float(allowed(live_ms))
    used = (candidate.resampled_ms[name] - live.resampled_ms[name]) / allowed(live.resampled_ms[name])
    lower, upper = (bound * limit_ms for bound in bounds(used, policy.confidence))
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
        result=decide(lower, upper, limit_ms),
        reason=f"{name} {candidate_ms:.1f} ms vs {live_ms:.1f} ms of live, {compared(difference_ms)} "
        f"({surely(lower, upper, limit_ms, 'ms')}) where {limit_ms:.1f} ms{rule} are allowed",
    )


def absolute(live: Measured | None, candidate: Measured, policy: GatePolicy) -> Iterator[Criterion]:
    """Judge p95 and p99 against the SLO: p95 by its bounds, p99 by its value, whose upper bound takes thousands."""
    for name, limit_ms in (("p95", policy.slo_p95_ms), ("p99", policy.slo_p99_ms)):
        value_ms = candidate.point_ms[name]
        lower, upper = bounds(candidate.resampled_ms[name], policy.confidence)
        yield Criterion(
            name=f"{name} within SLO",
            layer=Layer.ABSOLUTE,
            unit="ms",
            operator="<=",
            limit=limit_ms,
            measured=value_ms,
            live=live.point_ms[name] if live else None,
            candidate=value_ms,
            interval=(lower, upper),
            result=decide(lower, upper if name == "p95" else value_ms, limit_ms),
            reason=f"{name} {value_ms:.1f} ms ({surely(lower, upper, limit_ms, 'ms')}), the SLO is {limit_ms:g} ms",
        )


def decide(lower: float, upper: float, limit: float) -> Outcome:
    """Tell on which side of an upper limit a value surely lies."""
    if upper <= limit:
        return Outcome.PASS
    return Outcome.FAIL if lower > limit else Outcome.INCONCLUSIVE


def compared(difference_ms: float) -> str:
    return f"{abs(difference_ms):.1f} ms {'slower' if difference_ms > 0 else 'faster'}"


def surely(lower: float, upper: float, limit: float, unit: str) -> str:
    """Put the bounds into words: the one that decides, or both where neither does."""
    if upper <= limit:
        return f"surely under {number(upper, unit)}"
    if lower > limit:
        return f"surely over {number(lower, unit)}"
    return f"somewhere between {number(lower, unit)} and {number(upper, unit)}"


def counted(kinds: Strings) -> Iterator[tuple[str, int]]:
    """Yield each kind with its count, the most frequent first."""
    names, counts = np.unique(kinds, return_counts=True)
    for index in np.argsort(-counts, kind="stable"):
        yield str(names[index]), int(counts[index])


def sentence(verdict: Verdict) -> str:
    """Say why the outcome is what it is, with both numbers."""
    who = verdict.candidate
    worst = [criterion for criterion in verdict.criteria if criterion.result is verdict.outcome]
    more = f"; {len(worst) - 1} more below" if len(worst) > 1 else ""
    match verdict.outcome:
        case Outcome.PASS:
            return praise(verdict)
        case Outcome.INVALID:
            return f"Nothing was judged: {worst[0].reason}{more}."
        case Outcome.INCONCLUSIVE:
            return f"It cannot be told whether {who} is good enough: {worst[0].reason}{more}."
        case Outcome.FAIL:
            fault = "fails too often" if worst[0].layer is Layer.ERRORS else "is too slow"
            return f"{who} {fault}: {worst[0].reason}{more}."


def praise(verdict: Verdict) -> str:
    by_name = {criterion.name: criterion for criterion in verdict.criteria}
    failures = by_name["error ratio"].reason.partition(",")[0]
    if verdict.live is None:
        p95 = by_name["p95 within SLO"]
        return f"{verdict.candidate} keeps its SLO: {p95.reason}; {failures}."
    p95 = by_name["p95 beside live"]
    return (
        f"{verdict.candidate} is as good as {verdict.live}: p95 {p95.candidate:.0f} ms vs {p95.live:.0f} ms "
        f"(up to {(p95.live or 0) + p95.limit:.0f} ms is allowed), and {failures}."
    )

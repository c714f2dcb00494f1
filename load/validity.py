"""Whether a measurement says anything about the candidate: what must hold before the gate looks at a single latency."""

import math

import numpy as np

from load.intervals import binomial_bounds, quantile
from load.rows import DROPPED, Rows
from load.settings import GatePolicy
from load.verdict import Criterion, Layer, Outcome
from load.wording import percent

ROLES = ("live", "candidate")
REFUSED_STATUSES = (401, 403)
OK = 200


def validity(rows: Rows, policy: GatePolicy) -> tuple[Criterion, ...]:
    """Return a criterion for everything that could make the measurement worthless, each PASS or INVALID."""
    roles = ROLES if rows.plan.live is not None else ROLES[1:]
    found = [
        run_complete(rows),
        enough_samples(rows, roles, policy),
        enough_blocks(rows, policy),
        key_accepted(rows),
        asked_deployment_answered(rows),
        generator_on_time(rows, policy),
        generator_not_busy(rows, policy),
    ]
    if rows.plan.live is not None:
        found += [live_without_errors(rows, policy), live_within_slo(rows, policy)]
    return tuple(criterion for criterion in found if criterion is not None)


def run_complete(rows: Rows) -> Criterion:
    ended = rows.end is not None
    return criterion(
        "run came to its end",
        float(ended),
        ">=",
        1,
        "the run came to its end" if ended else f"the run was cut off after {len(rows)} requests; run it again",
    )


def enough_samples(rows: Rows, roles: tuple[str, ...], policy: GatePolicy) -> Criterion:
    judged = {role: len(rows.of(role)) for role in roles}
    fewest = min(judged, key=lambda role: judged[role])
    return criterion(
        "judged requests per deployment",
        judged[fewest],
        ">=",
        policy.min_samples,
        f"{judged[fewest]} judged requests to {fewest}, at least {policy.min_samples} are needed",
        live=judged.get("live"),
        candidate=judged["candidate"],
    )


def enough_blocks(rows: Rows, policy: GatePolicy) -> Criterion:
    blocks = math.floor(rows.plan.duration_s / policy.block_s + 1e-9)
    return criterion(
        "time blocks",
        blocks,
        ">=",
        policy.min_blocks,
        f"{blocks} blocks of {policy.block_s:g} s in {rows.plan.duration_s:g} s, {policy.min_blocks} are needed",
    )


def key_accepted(rows: Rows) -> Criterion:
    refused = int(np.isin(rows.status, REFUSED_STATUSES).sum())
    return criterion(
        "key refused",
        refused,
        "<=",
        0,
        f"{refused} of {len(rows)} answers were 401 or 403; was the key rotated during the run?"
        if refused
        else "no answer was 401 or 403",
    )


def asked_deployment_answered(rows: Rows) -> Criterion:
    asked = np.where(rows.role == "live", rows.plan.live or "", rows.plan.candidate)
    wrong = (rows.answered_by != asked) & ((rows.status == OK) | (rows.answered_by != ""))
    count = int(wrong.sum())
    reason = "every answer came from the deployment that was asked"
    if count:
        who, whom = str(rows.answered_by[wrong][0]) or "nobody named", str(asked[wrong][0])
        reason = f"{count} of {len(rows)} answers came from another deployment than was asked ({who} instead of {whom})"
    return criterion("answers from another deployment", count, "<=", 0, reason)


def generator_on_time(rows: Rows, policy: GatePolicy) -> Criterion | None:
    sent = rows.lag_ms[(rows.error != DROPPED) & ~rows.warmup]
    if len(sent) == 0:
        return None
    lag_ms = quantile(sent, 0.99)
    return criterion(
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
    return criterion(
        "generator CPU",
        used,
        "<=",
        policy.max_generator_cpu_ratio,
        f"the generator used {percent(used)} of a core, {percent(policy.max_generator_cpu_ratio)} are allowed",
        unit="ratio",
    )


def live_without_errors(rows: Rows, policy: GatePolicy) -> Criterion | None:
    live = rows.of("live")
    if len(live) == 0:
        return None
    failed = int((live.error != "").sum())
    ratio, (surely, _) = failed / len(live), binomial_bounds(failed, len(live), policy.confidence)
    return criterion(
        "errors of live",
        surely,
        "<=",
        policy.max_error_ratio,
        f"live itself failed {failed} of {len(live)} requests "
        f"({percent(ratio)}, {percent(policy.max_error_ratio)} are allowed)",
        unit="ratio",
        live=ratio,
    )


def live_within_slo(rows: Rows, policy: GatePolicy) -> Criterion | None:
    live = rows.of("live")
    latency_ms = live.latency_ms[live.latency_known]
    if len(latency_ms) == 0:
        return None
    p95_ms = quantile(latency_ms, 0.95)
    return criterion(
        "p95 of live",
        p95_ms,
        "<=",
        policy.slo_p95_ms,
        f"live itself has a p95 of {p95_ms:.0f} ms, its SLO is {policy.slo_p95_ms:g} ms",
        unit="ms",
        live=p95_ms,
    )


def criterion(
    name: str,
    measured: float,
    operator: str,
    limit: float,
    reason: str,
    *,
    unit: str = "count",
    live: float | None = None,
    candidate: float | None = None,
) -> Criterion:
    met = measured <= limit if operator == "<=" else measured >= limit
    return Criterion(
        name=name,
        layer=Layer.VALIDITY,
        unit=unit,
        operator=operator,
        limit=limit,
        measured=measured,
        live=live,
        candidate=candidate,
        interval=None,
        result=Outcome.PASS if met else Outcome.INVALID,
        reason=reason,
    )

"""Whether a measurement says anything about the candidate: what must hold before the gate looks at a single latency."""

import math

import numpy as np

from load.intervals import binomial_bounds, quantile
from load.rows import DROPPED, ROLES, Rows
from load.settings import GatePolicy
from load.verdict import Criterion, Layer, Outcome
from load.wording import percent

REFUSED_STATUSES = (401, 403)
OK = 200
SAMPLES, BLOCKS = "judged requests per deployment", "time blocks"
MOST_DROPS_LOOKED_AT = 100


def validity(rows: Rows, policy: GatePolicy, judged_s: float, *, last: bool) -> tuple[Criterion, ...]:
    """Return a criterion for everything that could make the measurement worthless, each PASS or INVALID.

    Before the `last` look the run need not have come to its end.
    """
    roles = ROLES if rows.plan.live is not None else ROLES[1:]
    found = [
        key_accepted(rows),
        asked_deployment_answered(rows),
        one_version_each(rows, roles),
        traffic_unchanged(rows),
        nothing_throttled(rows),
        generator_on_time(rows, policy),
        generator_not_busy(rows, policy),
        drops_by_servers(rows, policy),
        run_complete(rows) if last else None,
        *((live_without_errors(rows, policy), live_within_slo(rows, policy)) if rows.plan.live is not None else ()),
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
    return criterion("run came to its end", float(ended), ">=", 1, reason)


def enough_samples(rows: Rows, roles: tuple[str, ...], policy: GatePolicy) -> Criterion:
    judged = {role: len(rows.of(role)) for role in roles}
    fewest = min(judged, key=lambda role: judged[role])
    return criterion(
        SAMPLES,
        judged[fewest],
        ">=",
        policy.min_samples,
        f"{judged[fewest]} judged requests to {fewest}, at least {policy.min_samples} are needed",
        live=judged.get("live"),
        candidate=judged["candidate"],
    )


def enough_blocks(judged_s: float, policy: GatePolicy) -> Criterion:
    blocks = math.floor(judged_s / policy.block_s + 1e-9)
    return criterion(
        BLOCKS,
        blocks,
        ">=",
        policy.min_blocks,
        f"{blocks} blocks of {policy.block_s:g} s in {judged_s:g} s, {policy.min_blocks} are needed",
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


def one_version_each(rows: Rows, roles: tuple[str, ...]) -> Criterion:
    """Refuse a deployment that answered with two versions of its model: it was replaced while it was measured."""
    named = {role: rows.model[(rows.role == role) & (rows.model != "")] for role in roles}
    versions = {role: sorted(set(models.tolist())) for role, models in named.items()}
    most = max(versions, key=lambda role: len(versions[role]))
    count = len(versions[most])
    return criterion(
        "versions that answered for one deployment",
        count,
        "<=",
        1,
        f"{most} answered with {count} versions of its model ({', '.join(versions[most])}); it was replaced meanwhile"
        if count > 1
        else "each deployment answered with one version of its model",
    )


def traffic_unchanged(rows: Rows) -> Criterion | None:
    """Live under other traffic than before is another thing to compare with; None where nobody looked."""
    seen = list(dict.fromkeys(each.traffic for each in rows.observed))
    if not seen:
        return None
    return criterion(
        "changes of the traffic during the run",
        len(seen) - 1,
        "<=",
        0,
        f"the endpoint's traffic was {seen[0]}, then {seen[1]}; nothing may change it while a load test runs"
        if len(seen) > 1
        else f"the endpoint's traffic was {seen[0]} all the while",
    )


def nothing_throttled(rows: Rows) -> Criterion:
    held_ms = rows.throttled_ms[rows.throttled_ms > 0]
    return criterion(
        "requests held back for the endpoint's bandwidth",
        len(held_ms),
        "<=",
        0,
        f"the endpoint held {len(held_ms)} of {len(rows)} requests back for its bandwidth (5 MB/s), up to "
        f"{held_ms.max():.0f} ms; lower rate_pairs_per_s or send smaller payloads"
        if len(held_ms)
        else "the endpoint held no request back for its bandwidth",
    )


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


def drops_by_servers(rows: Rows, policy: GatePolicy) -> Criterion:
    """Count arrivals that were not sent though no deployment kept callers waiting, which would be its failure."""
    dropped = np.flatnonzero((rows.error == DROPPED) & ~rows.warmup)[:MOST_DROPS_LOOKED_AT]
    patience_ms = policy.slo_p99_ms or policy.slo_p95_ms or rows.plan.timeout_s * 1000
    ended_s = rows.intended_s + rows.latency_ms / 1000
    own = 0
    for index in dropped:
        at_s = rows.intended_s[index]
        waiting = (rows.role == rows.role[index]) & (rows.intended_s < at_s) & (ended_s > at_s)
        oldest_ms = (at_s - rows.intended_s[waiting].min()) * 1000 if waiting.any() else 0.0
        own += oldest_ms <= patience_ms
    return criterion(
        "arrivals dropped by the generator itself",
        own,
        "<=",
        0,
        f"{own} of the first {len(dropped)} dropped arrivals found all {rows.plan.max_in_flight} places taken by "
        f"requests younger than {patience_ms:g} ms; raise max_in_flight or lower rate_pairs_per_s"
        if own
        else "no arrival was dropped for want of places alone",
    )


def live_without_errors(rows: Rows, policy: GatePolicy) -> Criterion | None:
    live = rows.of("live")
    if len(live) == 0 or policy.max_error_ratio is None:
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
    if len(latency_ms) == 0 or policy.slo_p95_ms is None:
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
        result=Outcome.PASS if met else Outcome.INVALID,
        reason=reason,
    )

"""Whether the endpoint was the same all the while, and the one that was asked: 401, impostors, traffic, throttling."""

import numpy as np

from load.rows import Rows
from load.verdict import Criterion, must_hold

REFUSED_STATUSES = (401, 403)
OK = 200


def key_accepted(rows: Rows) -> Criterion:
    refused = int(np.isin(rows.status, REFUSED_STATUSES).sum())
    return must_hold(
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
    return must_hold("answers from another deployment", count, "<=", 0, reason)


def one_version_each(rows: Rows, roles: tuple[str, ...]) -> Criterion:
    """Refuse a deployment that answered with two versions of its model: it was replaced while it was measured."""
    named = {role: rows.model[(rows.role == role) & (rows.model != "")] for role in roles}
    versions = {role: sorted(set(models.tolist())) for role, models in named.items()}
    most = max(versions, key=lambda role: len(versions[role]))
    count = len(versions[most])
    return must_hold(
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
    return must_hold(
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
    return must_hold(
        "requests held back for the endpoint's bandwidth",
        len(held_ms),
        "<=",
        0,
        f"the endpoint held {len(held_ms)} of {len(rows)} requests back for its bandwidth (5 MB/s), up to "
        f"{held_ms.max():.0f} ms; lower rate_pairs_per_s or send smaller payloads"
        if len(held_ms)
        else "the endpoint held no request back for its bandwidth",
    )

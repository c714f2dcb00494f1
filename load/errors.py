"""What failed: how many of whose requests, of which kind, and whether that is within the policy."""

from collections.abc import Iterator

import numpy as np

from load.intervals import binomial_bounds, difference_bounds
from load.rows import DROPPED, ROLES, TIMEOUT, Rows, Strings
from load.settings import GatePolicy
from load.verdict import Criterion, ErrorClass, Layer, Outcome
from load.wording import number, percent, surely

MOST_REQUEST_IDS = 5
MEANINGS = {
    "http_408": "the endpoint gave up waiting for the container",
    "http_424": "the container answered with another status than 200",
    "http_429": "more at once than the deployment may take: its capacity",
    "http_500": "the endpoint failed",
    "http_502": "the endpoint had no usable answer of the container",
    "http_503": "the endpoint, or the container behind it, was not available",
    "http_504": "the endpoint gave up waiting for the container",
    TIMEOUT: "no whole answer within the time of a request",
    "connection": "the connection broke",
    DROPPED: "not sent: too many were unanswered already",
}


def error_classes(rows: Rows) -> tuple[ErrorClass, ...]:
    """Return the kinds of failure among the judged requests, the candidate's most frequent first."""
    live, candidate = (rows.of(role) for role in ROLES)
    count = {role: dict(counted(of.error[of.error != ""])) for role, of in zip(ROLES, (live, candidate), strict=True)}
    names = sorted(
        {*count["live"], *count["candidate"]},
        key=lambda name: (-count["candidate"].get(name, 0), -count["live"].get(name, 0), name),
    )
    return tuple(
        ErrorClass(
            name=name,
            meaning=MEANINGS.get(name, f"status {name.removeprefix('http_')}"),
            live=count["live"].get(name, 0),
            candidate=count["candidate"].get(name, 0),
            request_ids=ids_of(candidate, name),
        )
        for name in names
    )


def ids_of(rows: Rows, name: str) -> tuple[str, ...]:
    found = rows.request_id[(rows.error == name) & (rows.request_id != "")]
    return tuple(found[:MOST_REQUEST_IDS].tolist())


def errors(rows: Rows, policy: GatePolicy, confidence: float) -> Iterator[Criterion]:
    """Judge how many of the candidate's requests failed, how many more than of live's, and how many were answered."""
    if policy.max_error_ratio is not None:
        yield error_ratio(rows, policy.max_error_ratio, confidence)
    if policy.max_error_increase is not None and rows.plan.live is not None:
        yield error_increase(rows, policy.max_error_increase, confidence)
    if policy.min_throughput_ratio is not None:
        yield throughput(rows, policy.min_throughput_ratio, confidence)


def error_ratio(rows: Rows, limit: float, confidence: float) -> Criterion:
    candidate, live = rows.of("candidate"), rows.of("live")
    failed, asked = failed_of(candidate)
    lower, upper = binomial_bounds(failed, asked, confidence)
    kinds = ", ".join(f"{count} {kind}" for kind, count in counted(candidate.error[candidate.error != ""]))
    return Criterion(
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


def error_increase(rows: Rows, limit: float, confidence: float) -> Criterion:
    """Judge by how much more the candidate failed than live, which had the same requests."""
    candidate, live = failed_of(rows.of("candidate")), failed_of(rows.of("live"))
    lower, upper = difference_bounds(live, candidate, confidence)
    measured = candidate[0] / candidate[1] - live[0] / live[1]
    return Criterion(
        name="errors beside live",
        layer=Layer.ERRORS,
        unit="ratio",
        operator="<=",
        limit=limit,
        measured=measured,
        live=live[0] / live[1],
        candidate=candidate[0] / candidate[1],
        interval=(lower, upper),
        result=decide(lower, upper, limit),
        reason=f"{candidate[0]} of {candidate[1]} requests failed vs {live[0]} of {live[1]} of live's, "
        f"{surely(lower, upper, limit, 'ratio')} more where {number(limit, 'ratio')} are allowed",
    )


def throughput(rows: Rows, limit: float, confidence: float) -> Criterion:
    """Judge how much of what was scheduled the candidate has answered; drops are its failures, too."""
    live = rows.of("live")
    failed, asked = failed_of(rows.of("candidate"))
    answered = (asked - failed) / asked
    lower, upper = (1 - bound for bound in reversed(binomial_bounds(failed, asked, confidence)))
    return Criterion(
        name="answered share of the load",
        layer=Layer.ERRORS,
        unit="ratio",
        operator=">=",
        limit=limit,
        measured=answered,
        live=float((live.error == "").mean()) if len(live) else None,
        candidate=answered,
        interval=(lower, upper),
        result=decide(-upper, -lower, -limit),
        reason=f"{asked - failed} of {asked} requests were answered with 200 ({percent(answered)}), "
        f"{surely(lower, upper, limit, 'ratio', at_least=True)} where {percent(limit)} are wanted",
    )


def none_answered(rows: Rows) -> Criterion:
    """Refuse a candidate of which no latency is known, so that nothing could be said against it."""
    asked = len(rows.of("candidate"))
    return Criterion(
        name="answers to measure",
        layer=Layer.ERRORS,
        unit="count",
        operator=">=",
        limit=1,
        measured=0,
        candidate=0,
        result=Outcome.FAIL,
        reason=f"0 of {asked} requests were answered, so nothing is known of how long it takes",
    )


def failed_of(rows: Rows) -> tuple[int, int]:
    return int((rows.error != "").sum()), len(rows)


def decide(lower: float, upper: float, limit: float) -> Outcome:
    """Tell on which side of an upper limit a value surely lies."""
    if upper <= limit:
        return Outcome.PASS
    return Outcome.FAIL if lower > limit else Outcome.INCONCLUSIVE


def counted(kinds: Strings) -> Iterator[tuple[str, int]]:
    """Yield each kind with its count, the most frequent first."""
    names, counts = np.unique(kinds, return_counts=True)
    for index in np.argsort(-counts, kind="stable"):
        yield str(names[index]), int(counts[index])

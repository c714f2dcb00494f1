"""Whether the candidate answers what live answers: the same payloads, pair by pair."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from load.distributions import distributions
from load.errors import decide
from load.intervals import binomial_bounds
from load.predictions import (
    TEXT,
    TRUTH,
    Answered,
    Predictions,
    answered_by_both,
    as_float,
    distance,
    form_of,
    is_number,
    kind_of,
    told,
)
from load.rows import ROLES, Rows
from load.settings import GatePolicy
from load.verdict import Criterion, Layer, Outcome, Parity, Unlike
from load.wording import number, percent, surely

MOST_UNLIKE = 5
Pairs = list[tuple[Any, Any]]  # live's value, and the candidate's in the same place


def parity(rows: Rows, policy: GatePolicy, confidence: float) -> tuple[Parity | None, tuple[Criterion, ...]]:
    """Compare the answers; None where there is nothing to compare with, or no answer was kept."""
    if rows.plan.live is None:
        return None, ()
    answered = answered_by_both(rows)
    compared = [each for each in answered if None not in each.first]
    if not compared:
        one_sided = [each for each in answered if each.first != (None, None)]
        return None, (unreadable(one_sided),) if one_sided else ()
    pairs = values_beside_each_other(compared)
    differing = [each for each in (difference(each, policy) for each in compared) if each is not None]
    versions = [versions_of(rows, role) for role in ROLES]
    found = Parity(
        same_model=versions[0] == versions[1] != set(),
        steady=all(steady(each, policy) for each in compared),
        compared=len(compared),
        values=len(pairs),
        unlike=len(differing),
        worst=tuple(sorted(differing, key=lambda each: -math.inf if each.difference is None else -each.difference))[
            :MOST_UNLIKE
        ],
        **distributions([live for live, _ in pairs], [candidate for _, candidate in pairs], policy.min_parity_values),
    )
    return found, tuple(criteria(found, compared, pairs, policy, confidence))


def values_beside_each_other(compared: Sequence[Answered]) -> Pairs:
    """Return the values of both, of the first answer to each payload to which they gave equally many."""
    found: Pairs = []
    for each in compared:
        live, candidate = each.first
        if live is not None and candidate is not None and len(live) == len(candidate):
            found += [(ours.value, theirs.value) for ours, theirs in zip(live, candidate, strict=True)]
    return found


def versions_of(rows: Rows, role: str) -> set[str]:
    """Return the model versions that a deployment has named in its answers."""
    models = rows.of(role).model
    return set(models[models != ""].tolist())


def difference(each: Answered, policy: GatePolicy) -> Unlike | None:
    """Return how the candidate's answers to one payload are unlike live's first; None where all of them are alike."""
    live = each.live[0]
    found = (unlike(each.payload, live, theirs, policy) for theirs in each.candidate)
    return next((worst for worst in found if worst is not None), None)


def steady(each: Answered, policy: GatePolicy) -> bool:
    """Tell whether live answers one payload alike each time."""
    return not any(unlike(each.payload, each.live[0], again, policy) for again in each.live[1:])


def unlike(payload: str, live: Predictions | None, other: Predictions | None, policy: GatePolicy) -> Unlike | None:
    """Return where two answers differ most, beyond the tolerance; None where they are alike, or cannot be read."""
    if live is None or other is None or live is other:
        return None
    if len(live) != len(other):
        return Unlike(payload, f"{len(live)} predictions", f"{len(other)} predictions", None)
    worst: tuple[float, Any, Any] | None = None
    for (_, ours), (_, theirs) in zip(live, other, strict=True):
        apart = distance(ours, theirs)
        if apart and beyond(apart, ours, policy) and (worst is None or apart > worst[0]):
            worst = (apart, ours, theirs)
    if worst is None:
        return None
    apart, ours, theirs = worst
    return Unlike(payload, told(ours), told(theirs), None if math.isinf(apart) else apart)


def beyond(apart: float, live: Any, policy: GatePolicy) -> bool:
    """Tell whether a difference is larger than live's value allows; an infinite one always is."""
    if math.isinf(apart):
        return True
    return apart > policy.absolute_tolerance + policy.relative_tolerance * abs(as_float(live))


def criteria(
    found: Parity, compared: Sequence[Answered], pairs: Pairs, policy: GatePolicy, confidence: float
) -> Iterator[Criterion]:
    """Judge the answers: in the same form; from the same version alike, from another one not too differently."""
    yield same_form(compared)
    if found.same_model:
        if policy.max_unlike_ratio is not None and found.steady:
            yield alike(found, policy.max_unlike_ratio)
        return
    labels = labels_among(pairs)
    if policy.max_flip_ratio is not None and labels:
        yield flips(labels, policy.max_flip_ratio, confidence)
    if policy.max_psi is not None and found.psi is not None:
        yield within("stability of the predictions", "population stability index", found.psi, found, policy.max_psi)
    if policy.max_ks_distance is not None and found.ks_distance is not None:
        told_as = "Kolmogorov-Smirnov distance"
        yield within("distance of the predictions", told_as, found.ks_distance, found, policy.max_ks_distance)


def unreadable(one_sided: Sequence[Answered]) -> Criterion:
    """Refuse a candidate none of whose answers could be read, where live's could, or the other way about."""
    who = "the candidate's" if one_sided[0].candidate[0] is None else "live's"
    return form_criterion(
        len(one_sided),
        f"none of {who} answers to {len(one_sided)} payloads could be read (no JSON, or over 16 KiB), the other's "
        f"could (such as {one_sided[0].payload})",
    )


def same_form(compared: Sequence[Answered]) -> Criterion:
    """Judge whether both gave as many predictions of one kind: what no caller could cope with is no new model."""
    others = [each for each in compared if other_form(each)]
    if not others:
        return form_criterion(0, f"the answers to {len(compared)} payloads have the form of live's")
    example = f"{others[0].payload}: {other_form(others[0])}"
    return form_criterion(
        len(others), f"{len(others)} of {len(compared)} payloads were answered in another form than live's ({example})"
    )


def other_form(each: Answered) -> str:
    """Say how one of the candidate's answers has a form that none of live's has; empty where all are like live's."""
    known = [form_of(answer) for answer in each.live if answer is not None]
    for answer in each.candidate:
        if answer is None or (form := form_of(answer)) in known:
            continue
        if len(form) != len(known[0]):
            return f"{len(form)} predictions instead of {len(known[0])}"
        (ours, theirs) = next((ours, theirs) for ours, theirs in zip(known[0], form, strict=True) if ours != theirs)
        return f"{kind_and_place(*theirs)} instead of {kind_and_place(*ours)}"
    return ""


def kind_and_place(path: str, kind: str) -> str:
    return f"{kind} at {path}" if path else kind


def form_criterion(count: int, reason: str) -> Criterion:
    return Criterion(
        name="answers of another form than live's",
        layer=Layer.PARITY,
        unit="count",
        operator="<=",
        limit=0,
        measured=count,
        result=Outcome.FAIL if count else Outcome.PASS,
        reason=reason,
    )


def alike(found: Parity, limit: float) -> Criterion:
    ratio = found.unlike / found.compared
    reason = f"all {found.compared} payloads were answered like live"
    if found.unlike:
        example = found.worst[0]
        reason = (
            f"{found.unlike} of {found.compared} payloads were answered unlike live, though both name one model "
            f"version ({example.payload}: {example.candidate} instead of {example.live}), {percent(limit)} are allowed"
        )
    return Criterion(
        name="payloads answered unlike live",
        layer=Layer.PARITY,
        unit="ratio",
        operator="<=",
        limit=limit,
        measured=ratio,
        result=Outcome.PASS if ratio <= limit else Outcome.FAIL,
        reason=reason,
    )


def labels_among(pairs: Pairs) -> Pairs:
    """Return those that are labels: texts and truth values; where there are none, numbers if all of them are whole."""
    labels = [pair for pair in pairs if kind_of(pair[0]) in {TEXT, TRUTH}]
    if labels:
        return labels
    whole = all(is_number(value) and value == value // 1 for pair in pairs for value in pair)
    return pairs if whole else []


def flips(labels: Pairs, limit: float, confidence: float) -> Criterion:
    flipped, asked = sum(live != candidate for live, candidate in labels), len(labels)
    lower, upper = binomial_bounds(flipped, asked, confidence)
    result = decide(lower, upper, limit)
    least = math.ceil(math.log(1 - confidence) / math.log1p(-limit))
    advice = f"; to show that takes {least} labels at least, so send more payloads" if asked < least else ""
    return Criterion(
        name="labels unlike live's",
        layer=Layer.PARITY,
        unit="ratio",
        operator="<=",
        limit=limit,
        measured=flipped / asked,
        interval=(lower, upper),
        result=result,
        reason=f"{flipped} of {asked} labels are not live's, {surely(lower, upper, limit, 'ratio')} where "
        f"{number(limit, 'ratio')} are allowed{advice if result is Outcome.INCONCLUSIVE else ''}",
    )


def within(name: str, told_as: str, measured: float, found: Parity, limit: float) -> Criterion:
    return Criterion(
        name=name,
        layer=Layer.PARITY,
        unit="index",
        operator="<=",
        limit=limit,
        measured=measured,
        result=Outcome.PASS if measured <= limit else Outcome.FAIL,
        reason=f"the {told_as} of {found.values} predictions is {measured:.2f} against live's, {limit:g} is allowed",
    )

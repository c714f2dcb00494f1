"""Whether the candidate answers what live answers: the same payloads, pair by pair."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from load.errors import decide
from load.intervals import binomial_bounds
from load.rows import ROLES, Floats, Rows
from load.settings import GatePolicy
from load.verdict import Criterion, Layer, Outcome, Parity, Unlike
from load.wording import percent

MOST_UNLIKE = 5
BINS = 10
LABEL_CHARACTERS = 40
# What a bin without any prediction counts as: the index of an empty bin would be infinite.
LEAST_SHARE = 1e-4

Predictions = list[Any]


@dataclass(frozen=True)
class Compared:
    """The predictions of both to the payloads that both have answered, flattened, a payload at a time."""

    payloads: tuple[str, ...]
    live: tuple[Predictions, ...]
    candidate: tuple[Predictions, ...]

    @property
    def flat(self) -> tuple[Predictions, Predictions]:
        """Predictions of payloads to which both gave equally many."""
        pairs = [(a, b) for a, b in zip(self.live, self.candidate, strict=True) if len(a) == len(b)]
        return [value for a, _ in pairs for value in a], [value for _, b in pairs for value in b]


@dataclass
class Answered:
    """What one deployment has answered to each payload, by name of the answer."""

    first: dict[str, str] = field(default_factory=dict)
    unsteady: set[str] = field(default_factory=set)

    def take(self, payload: str, answer: str) -> None:
        if self.first.setdefault(payload, answer) != answer:
            self.unsteady.add(payload)


def parity(rows: Rows, policy: GatePolicy, confidence: float) -> tuple[Parity | None, tuple[Criterion, ...]]:
    """Compare the answers; None where there is nothing to compare with, or no answer was kept."""
    if rows.plan.live is None:
        return None, ()
    answered = {role: answers_of(rows, role) for role in ROLES}
    compared = compare(answered["live"], answered["candidate"], rows.answers)
    if not compared.payloads:
        return None, ()
    versions = [versions_of(rows, role) for role in ROLES]
    unlike = list(differences(compared, policy))
    found = Parity(
        same_model=versions[0] == versions[1] != set(),
        steady=not answered["live"].unsteady,
        compared=len(compared.payloads),
        values=len(compared.flat[0]),
        unlike=len(unlike),
        worst=tuple(sorted(unlike, key=lambda each: -math.inf if each.difference is None else -each.difference))[
            :MOST_UNLIKE
        ],
        **distributions(*compared.flat, policy.min_parity_values),
    )
    return found, tuple(criteria(found, compared, policy, confidence))


def answers_of(rows: Rows, role: str) -> Answered:
    found, judged = Answered(), rows.of(role)
    for payload, answer in zip(judged.payload.tolist(), judged.answer.tolist(), strict=True):
        if answer:
            found.take(payload, answer)
    return found


def versions_of(rows: Rows, role: str) -> set[str]:
    """Return the model versions that a deployment has named in its answers."""
    models = rows.of(role).model
    return set(models[models != ""].tolist())


def compare(live: Answered, candidate: Answered, answers: Mapping[str, Any]) -> Compared:
    found = []
    for payload in sorted(live.first.keys() & candidate.first.keys()):
        bodies = answers.get(live.first[payload]), answers.get(candidate.first[payload])
        if all(body is not None for body in bodies):
            found.append((payload, *(predictions_of(body) for body in bodies)))
    payloads, lives, candidates = zip(*found, strict=True) if found else ((), (), ())
    return Compared(payloads, lives, candidates)


def predictions_of(body: Any) -> Predictions:
    """Return the predictions in a body, flattened: a list of them, or an object with `predictions`."""
    if isinstance(body, Mapping):
        body = body.get("predictions", json.dumps(body, sort_keys=True))
    return list(flattened(body))


def flattened(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for each in value:
            yield from flattened(each)
    else:
        yield value


def differences(compared: Compared, policy: GatePolicy) -> Iterator[Unlike]:
    """Yield the payloads that were answered unlike, beyond the tolerance."""
    for payload, live, candidate in zip(compared.payloads, compared.live, compared.candidate, strict=True):
        if len(live) != len(candidate):
            yield Unlike(payload, f"{len(live)} predictions", f"{len(candidate)} predictions", None)
            continue
        worst: tuple[float, Any, Any] | None = None
        for ours, theirs in zip(live, candidate, strict=True):
            apart = distance(ours, theirs)
            allowed = policy.absolute_tolerance + policy.relative_tolerance * size_of(ours)
            if apart > allowed and (worst is None or apart > worst[0]):
                worst = (apart, ours, theirs)
        if worst is not None:
            apart, ours, theirs = worst
            yield Unlike(payload, told(ours), told(theirs), None if math.isinf(apart) else apart)


def distance(live: Any, candidate: Any) -> float:
    """Return how far two predictions are apart: infinitely, where they are no numbers and not the same."""
    if is_number(live) and is_number(candidate):
        return abs(float(live) - float(candidate))
    return 0.0 if live == candidate else math.inf


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def size_of(value: Any) -> float:
    return abs(value) if is_number(value) else 0.0


def told(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else json.dumps(value)
    return text if len(text) <= LABEL_CHARACTERS else f"{text[: LABEL_CHARACTERS - 1]}…"


def distributions(live: Predictions, candidate: Predictions, least: int) -> dict[str, float | None]:
    """Return how the distributions differ; nothing of labels, nor of too few numbers."""
    numbers = live and all(isinstance(value, float) or is_number(value) for value in [*live, *candidate])
    if not numbers:
        return {"mean_shift": None, "ks_distance": None, "psi": None}
    ours, theirs = np.array(live, dtype=float), np.array(candidate, dtype=float)
    enough = len(np.unique(ours)) >= least
    return {
        "mean_shift": float(theirs.mean() - ours.mean()),
        "ks_distance": ks_distance(ours, theirs) if enough else None,
        "psi": stability_index(ours, theirs) if enough else None,
    }


def ks_distance(first: Floats, second: Floats) -> float:
    """Return Kolmogorov and Smirnov's distance of two samples: the most that their shares below a value differ."""
    values = np.concatenate((first, second))
    below = [np.searchsorted(np.sort(sample), values, side="right") / len(sample) for sample in (first, second)]
    return float(np.abs(below[0] - below[1]).max())


def stability_index(expected: Floats, actual: Floats) -> float:
    """Return the population stability index over ten bins that hold equally many of what was expected."""
    edges = np.unique(np.quantile(expected, np.linspace(0, 1, BINS + 1)[1:-1]))
    shares = [
        np.maximum(np.bincount(np.searchsorted(edges, sample), minlength=len(edges) + 1) / len(sample), LEAST_SHARE)
        for sample in (expected, actual)
    ]
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())


def criteria(found: Parity, compared: Compared, policy: GatePolicy, confidence: float) -> Iterator[Criterion]:
    """Judge the answers: in the same form; from the same version alike, from another one not too differently."""
    yield same_form(compared)
    if found.same_model:
        if policy.max_unlike_ratio is not None and found.steady:
            yield alike(found, policy.max_unlike_ratio)
        return
    live, candidate = compared.flat
    if policy.max_flip_ratio is not None and live and not is_number(live[0]):
        yield flips(live, candidate, policy.max_flip_ratio, confidence)
    if policy.max_psi is not None and found.psi is not None:
        yield stable(found.psi, found.values, policy.max_psi)


def same_form(compared: Compared) -> Criterion:
    """Judge whether both gave as many predictions of one kind: what no caller could cope with is no new model."""
    others = [
        payload
        for payload, live, candidate in zip(compared.payloads, compared.live, compared.candidate, strict=True)
        if [is_number(value) for value in live] != [is_number(value) for value in candidate]
    ]
    count = len(others)
    return Criterion(
        name="answers of another form than live's",
        layer=Layer.PARITY,
        unit="count",
        operator="<=",
        limit=0,
        measured=count,
        result=Outcome.FAIL if others else Outcome.PASS,
        reason=f"{count} of {len(compared.payloads)} payloads got other numbers or kinds of predictions than of live "
        f"(such as {others[0]})"
        if others
        else f"the answers to {len(compared.payloads)} payloads have the form of live's",
    )


def alike(found: Parity, limit: float) -> Criterion:
    ratio = found.unlike / found.compared
    example = found.worst[0] if found.worst else None
    reason = (
        f"{found.unlike} of {found.compared} payloads were answered unlike live, though both name one model version"
    )
    if example is not None:
        reason += f" ({example.payload}: {example.candidate} instead of {example.live})"
    return Criterion(
        name="payloads answered unlike live",
        layer=Layer.PARITY,
        unit="ratio",
        operator="<=",
        limit=limit,
        measured=ratio,
        result=Outcome.PASS if ratio <= limit else Outcome.FAIL,
        reason=reason if found.unlike else f"all {found.compared} payloads were answered like live",
    )


def flips(live: Sequence[Any], candidate: Sequence[Any], limit: float, confidence: float) -> Criterion:
    flipped, labels = sum(a != b for a, b in zip(live, candidate, strict=True)), len(live)
    lower, upper = binomial_bounds(flipped, labels, confidence)
    return Criterion(
        name="labels unlike live's",
        layer=Layer.PARITY,
        unit="ratio",
        operator="<=",
        limit=limit,
        measured=flipped / labels,
        interval=(lower, upper),
        result=decide(lower, upper, limit),
        reason=f"{flipped} of {labels} labels are not live's, {percent(limit)} are allowed",
    )


def stable(psi: float, values: int, limit: float) -> Criterion:
    return Criterion(
        name="stability of the predictions",
        layer=Layer.PARITY,
        unit="index",
        operator="<=",
        limit=limit,
        measured=psi,
        result=Outcome.PASS if psi <= limit else Outcome.FAIL,
        reason=f"the population stability index of {values} predictions is {psi:.2f} against live's, "
        f"{limit:g} is allowed",
    )

"""Answers as predictions: what a body holds, of which kind each prediction is, and how far apart two of them are."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from load.rows import Rows

LABEL_CHARACTERS = 40
NUMBER, NOT_FINITE, TRUTH, TEXT, NOTHING = "number", "NaN or infinite", "truth value", "text", "null"
KINDS = {bool: TRUTH, int: NUMBER, float: NUMBER, str: TEXT, type(None): NOTHING}


class Prediction(NamedTuple):
    """One value of an answer, and where it stands in it: `[]` for each list around it, `.name` for each object."""

    path: str
    value: Any


Predictions = tuple[Prediction, ...]


@dataclass(frozen=True)
class Answered:
    """What both have answered to one payload: each one's distinct answers, in the order in which they came.

    An answer of which the body was not kept, being no JSON or too long, is None.
    """

    payload: str
    live: tuple[Predictions | None, ...]
    candidate: tuple[Predictions | None, ...]

    @property
    def first(self) -> tuple[Predictions | None, Predictions | None]:
        """The first answer of each."""
        return self.live[0], self.candidate[0]


def answered_by_both(rows: Rows) -> list[Answered]:
    """Return the judged answers to each payload to which both have given one."""
    read = {name: None if body is None else predictions_of(body) for name, body in rows.answers.items()}
    live, candidate = (names_of(rows, role) for role in ("live", "candidate"))
    found = []
    for payload in sorted(live.keys() & candidate.keys()):
        ours, theirs = (tuple(read[name] for name in names[payload] if name in read) for names in (live, candidate))
        if ours and theirs:
            found.append(Answered(payload, ours, theirs))
    return found


def names_of(rows: Rows, role: str) -> dict[str, dict[str, None]]:
    """Return the names of the distinct answers of one deployment to each payload."""
    found: dict[str, dict[str, None]] = {}
    judged = rows.of(role)
    for payload, answer in zip(judged.payload.tolist(), judged.answer.tolist(), strict=True):
        if answer:
            found.setdefault(payload, {})[answer] = None
    return found


def predictions_of(body: Any) -> Predictions:
    """Return all values of a body; of an object with `predictions`, those alone: what stands beside them is not one."""
    if isinstance(body, Mapping) and "predictions" in body:
        body = {"predictions": body["predictions"]}
    return tuple(values_in(body, ""))


def values_in(value: Any, path: str) -> Iterator[Prediction]:
    if isinstance(value, list):
        for each in value:
            yield from values_in(each, f"{path}[]")
    elif isinstance(value, Mapping):
        for name in sorted(value):
            yield from values_in(value[name], f"{path}.{name}")
    else:
        yield Prediction(path, value)


def form_of(predictions: Predictions) -> tuple[tuple[str, str], ...]:
    """Return what a caller's code relies on: where each value stands, and of which kind it is."""
    return tuple((each.path, kind_of(each.value)) for each in predictions)


def kind_of(value: Any) -> str:
    """Return the kind of a value; a number that is not finite is none: the one cannot be computed with."""
    if isinstance(value, float) and not math.isfinite(value):
        return NOT_FINITE
    return KINDS[type(value)]


def is_number(value: Any) -> bool:
    return kind_of(value) == NUMBER


def distance(live: Any, candidate: Any) -> float:
    """Return how far two values are apart: infinitely, where they are no numbers and not the same."""
    kind = kind_of(live)
    if kind != kind_of(candidate):
        return math.inf
    if live == candidate or (live != live and candidate != candidate):  # noqa: PLR0124 - only NaN is not itself
        return 0.0
    apart = abs(as_float(live) - as_float(candidate)) if kind == NUMBER else math.inf
    return math.inf if math.isnan(apart) else apart


def as_float(value: float) -> float:
    """Return a number as a float; an integer that is too large for one as infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def told(value: Any) -> str:
    """Return a value as a report writes it."""
    text = f"{value:.6g}" if isinstance(value, float) else json.dumps(value)
    return text if len(text) <= LABEL_CHARACTERS else f"{text[: LABEL_CHARACTERS - 1]}…"

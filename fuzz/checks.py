"""Whether what came back is what the contract allows."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fuzz.oracle import Expected

# The model's own ValueError at rows that are in order, and an answer of it that is none.
REFUSED_BY_MODEL, PREDICTION_FAILED = "refused_by_model", "prediction_failed"
CODES = {
    400: frozenset({"malformed_json"}),
    422: frozenset(
        {
            "missing_field",
            "unknown_field",
            "wrong_type",
            "wrong_shape",
            "empty",
            "too_many_rows",
            "not_finite",
            REFUSED_BY_MODEL,
        }
    ),
    503: frozenset({PREDICTION_FAILED}),
}
RELATIVE_TOLERANCE = 1e-9
OK = 200
Predict = Callable[[Any], Any]


@dataclass(frozen=True)
class Answer:
    """An answer as it came; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def violation(answer: Answer, expected: Expected, predict: Predict) -> str | None:
    """Return what the contract does not allow in this answer to POST /score, else None.

    `predict` is the model's own, of rows x features.
    """
    if answer.headers.get("content-type") != "application/json":
        return f"its content type is {answer.headers.get('content-type')!r}"
    if not answer.headers.get("x-request-id"):
        return "it has no x-request-id"
    try:
        document = json.loads(answer.body, parse_constant=_refuse_constant)
    except ValueError as error:
        return f"its body is not JSON ({error})"
    if answer.status != OK:
        return _error_violation(answer.status, document, expected, predict)
    if expected.rows is None:
        return f"200 to a body that must be refused with {sorted(expected.statuses)}"
    return prediction_violation(document, expected.rows, predict)


def prediction_violation(document: Any, rows: Sequence[Sequence[float]], predict: Predict) -> str | None:
    """Return in what way the list is not what model.predict answers to these rows."""
    predictions = np.asarray(predict(np.array(rows, dtype=np.float64)), dtype=np.float64)
    if not isinstance(document, list) or len(document) != len(predictions):
        return f"not one prediction a row ({str(document)[:100]} to {len(rows)} rows)"
    for row, answered, predicted in zip(rows, document, predictions, strict=True):
        largest = max(1.0, abs(float(predicted)), *map(abs, row))
        if type(answered) is not float or abs(answered - predicted) > RELATIVE_TOLERANCE * largest:
            return f"{answered!r} where model.predict answers {float(predicted)!r}"
    return None


def _error_violation(status: int, document: Any, expected: Expected, predict: Predict) -> str | None:
    try:
        error = document["error"]
        code, texts = error["code"], (error["code"], error["message"], error["location"])
    except (KeyError, TypeError):
        return f"the body of {status} is not the documented one"
    if set(document) != {"error"} or len(error) != len(texts) or not all(isinstance(text, str) for text in texts):
        return f"the body of {status} is not the documented one"
    if code not in CODES.get(status, frozenset()):
        return f"{status} {code} is no documented answer to a body"
    if expected.rows is None:
        is_right = status in expected.statuses and code != REFUSED_BY_MODEL
        return None if is_right else f"{status} {code} instead of {sorted(expected.statuses)}"
    if code in _faults_of_model(expected.rows, predict):
        return None
    return f"{status} {code} to a body that is right"


def _faults_of_model(rows: list[list[Any]], predict: Predict) -> frozenset[str]:
    """Return the codes that the model itself gives reason for."""
    try:
        with np.errstate(all="ignore"):
            is_finite = bool(np.isfinite(predict(np.array(rows, dtype=np.float64))).all())
    except ValueError:
        # A direct predictor goes on to infinity where scikit-learn's own checks between two steps raise.
        return frozenset({REFUSED_BY_MODEL, PREDICTION_FAILED})
    return frozenset() if is_finite else frozenset({PREDICTION_FAILED})


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")

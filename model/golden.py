"""Golden requests: what a model is asked in training, and what it must answer to that ever after."""

from collections.abc import Sequence
from itertools import starmap
from typing import Any

from model.errors import ModelError
from model.features import Feature
from model.predictions import as_list, predictions_of
from model.served import body_of, rows_served
from model.trained import Rows, Trained

SINGLE_ROWS = 12
BATCH_ROWS = 8
# Wide enough for another BLAS or processor, far too narrow for another model.
TOLERANCE = 1e-6


def golden_requests(trained: Trained, features: Sequence[Feature]) -> dict[str, Any]:
    """Ask for rows that training has not seen: one at a time, and once several together.

    Raises ModelError where the model cannot be asked, or does not answer the same twice.
    """
    if not callable(getattr(trained.model, "predict", None)):
        raise ModelError(f"model: a {type(trained.model).__name__} has no predict(); give the model itself")
    count = min(len(trained.test_rows), SINGLE_ROWS + BATCH_ROWS)
    if count == 0:
        raise ModelError("rows: test_rows has no row; hold some back, as the golden requests are made of them")
    starts = [*range(min(count, SINGLE_ROWS)), *([SINGLE_ROWS] if count > SINGLE_ROWS else [])]
    ends = [*starts[1:], count]
    batches = (rows_between(trained.test_rows, start, end) for start, end in zip(starts, ends, strict=True))
    requests = [golden_request(f"golden-{index:02}", trained, rows, features) for index, rows in enumerate(batches)]
    return {"absolute_tolerance": TOLERANCE, "relative_tolerance": TOLERANCE, "requests": requests}


def rows_between(rows: Rows, start: int, end: int) -> Rows:
    return rows[start:end]


def golden_request(name: str, trained: Trained, rows: Rows, features: Sequence[Feature]) -> dict[str, Any]:
    body = body_of(rows, features)
    served = rows_served(body, features)
    predictions = ask(trained.model, served, f"the rows of {name} as the service hands them")
    again = ask(trained.model, served, f"the rows of {name} a second time")
    raw = ask(trained.model, rows, f"the rows of {name}")
    for row, expected in enumerate(predictions):
        where = f"model: row {row} of {name} is predicted {expected!r}"
        if not alike(again[row], expected):
            raise ModelError(
                f"{where} and, asked again, {again[row]!r}; let predict() answer the same row the same each time: "
                "fix its random_state, and read no clock"
            )
        if not alike(raw[row], expected):
            raise ModelError(
                f"{where} as the service hands it, and {raw[row]!r} as it is in test_rows; train on rows of the "
                "service's types: numbers are 64-bit floats, categories strings, gaps NaN"
            )
    check_probabilities(trained, served)
    return {"id": name, "body": body, "predictions": predictions}


def ask(model: Any, rows: Rows, told_as: str) -> list[Any]:
    try:
        answer = model.predict(rows)
    except Exception as error:  # a model may raise anything
        raise ModelError(
            f"model: predict() fails on {told_as} ({type(error).__name__}: {error}); numbers are 64-bit floats there, "
            "categories strings, gaps NaN"
        ) from error
    return predictions_of(answer, len(rows))


def check_probabilities(trained: Trained, rows: Rows) -> None:
    """Raise ModelError where /predict could not answer a classifier's probabilities."""
    classes = getattr(trained.model, "classes_", None)
    if trained.task != "classification" or classes is None or not hasattr(trained.model, "predict_proba"):
        return
    probabilities = predictions_of(trained.model.predict_proba(rows), len(rows))
    if any(len(as_list(each)) != len(classes) for each in probabilities):
        raise ModelError(
            f"model: predict_proba() does not answer {len(classes)} probabilities a row, one for each of classes_; "
            "mend it, or leave predict_proba out"
        )


def alike(predicted: Any, expected: Any) -> bool:
    """Say whether one row's prediction is the expected one, as the service and a release will."""
    if isinstance(predicted, list) and isinstance(expected, list):
        return len(predicted) == len(expected) and all(starmap(alike, zip(predicted, expected, strict=True)))
    types = {type(predicted), type(expected)}
    if types <= {int, float} and float in types:
        return bool(abs(predicted - expected) <= TOLERANCE + TOLERANCE * abs(expected))
    return len(types) == 1 and bool(predicted == expected)

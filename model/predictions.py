"""What a model answers, as JSON has it."""

import math
from typing import Any

import numpy as np

from model.errors import ModelError


def predictions_of(answer: Any, row_count: int) -> list[Any]:
    """Return one prediction for each row: a number, a string or a truth value, or a list of them.

    Raises ModelError naming the row and the value that JSON cannot carry.
    """
    predictions = as_list(answer)
    if len(predictions) != row_count:
        raise ModelError(
            f"model: predict() answers {len(predictions)} predictions for {row_count} rows; answer one, or one list "
            "of them, for each row"
        )
    for row, value in enumerate(predictions):
        check(value, row)
    return predictions


def as_list(answer: Any) -> list[Any]:
    if hasattr(answer, "to_numpy"):  # a series or data frame
        answer = answer.to_numpy()
    elif hasattr(answer, "toarray"):  # a sparse matrix
        answer = answer.toarray()
    if isinstance(answer, np.ndarray):
        answer = answer.tolist()
    if not isinstance(answer, list):
        raise ModelError(
            f"model: predict() answers a {type(answer).__name__}; make it an array, a data frame or a list"
        )
    return [plain(value) for value in answer]


def plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return plain(value.tolist()) if isinstance(value, np.generic | np.ndarray) else value


def check(value: Any, row: int) -> None:
    """Raise ModelError for a value that JSON does not have."""
    if isinstance(value, list) and value:
        for each in value:
            check(each, row)
    elif type(value) not in {str, bool, int, float} or (isinstance(value, float) and not math.isfinite(value)):
        raise ModelError(
            f"model: row {row} of a golden request is predicted {value!r} (a {type(value).__name__}), which JSON does "
            "not have; let predict() answer finite numbers, strings or truth values"
        )

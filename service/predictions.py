"""What a model answers, in a form that JSON can carry: whatever class it comes in, its values stay as they are."""

from http import HTTPStatus
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from service.errors import RequestRefusedError

# One entry a row: float64, int64 (uint64 where that is too narrow), bool, or objects that are str, bool, int or finite
# float; rows, or rows x outputs.
Predictions = NDArray[Any]

FLOAT64 = np.dtype(np.float64)
MAX_DIMENSIONS = 2
NUMBER_KINDS = "fiub"


def normalise(answer: Any, row_count: int) -> Predictions:
    """Return a model's answer as an array of its own; lists, numpy, pandas and sparse matrices are taken.

    Raises RequestRefusedError (503 prediction_failed) where it is not one or more values a row that JSON can carry.
    """
    predictions = _checked_values(_as_array(answer))
    if predictions.ndim not in {1, MAX_DIMENSIONS} or len(predictions) != row_count or predictions.size == 0:
        raise prediction_failed(
            f"the model answered an array of shape {predictions.shape} to {row_count} rows, "
            "one value or one list of values a row expected"
        )
    if predictions.dtype == FLOAT64:
        finite = np.isfinite(predictions)
        if not finite.all():
            raise prediction_failed(
                f"the model's prediction for row {np.argwhere(~finite)[0][0]} is not a finite number"
            )
    return np.ascontiguousarray(predictions)


def prediction_failed(message: str) -> RequestRefusedError:
    """Return the refusal of a request whose rows are in order and whose predictions are not."""
    message = message[0].upper() + message[1:] + "."
    return RequestRefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "prediction_failed", message, "model")


def _as_array(answer: Any) -> NDArray[Any]:
    if hasattr(answer, "to_numpy"):  # a series or data frame, without importing what it is of
        answer = answer.to_numpy()
    elif hasattr(answer, "toarray"):  # a sparse matrix, as of labels
        answer = answer.toarray()
    if isinstance(answer, np.ma.MaskedArray) and np.ma.is_masked(answer):
        raise prediction_failed("the model answered masked values, which are none")
    try:
        array = np.asarray(answer)
        # Of numbers beside strings numpy would make strings of all.
        keep = isinstance(answer, np.ndarray) or array.dtype.kind in NUMBER_KINDS
        return array if keep else np.array(answer, dtype=object)
    except (ValueError, TypeError, OverflowError) as error:
        raise prediction_failed("the model answered rows of different lengths, or no array") from error


def _checked_values(array: NDArray[Any]) -> NDArray[Any]:
    match array.dtype.kind:
        case "f":
            return array.astype(np.float64, copy=False)
        case "i":
            return array.astype(np.int64, copy=False)
        case "u":
            wide = array.size > 0 and int(array.max()) > np.iinfo(np.int64).max
            return array.astype(np.uint64 if wide else np.int64, copy=False)
        case "b":
            return array
        case "O" | "U" | "T":
            return _checked_objects(array.astype(object))
        case _:
            raise prediction_failed(f"the model answered values of type {array.dtype}, which JSON does not have")


def _checked_objects(array: NDArray[Any]) -> NDArray[Any]:
    # numpy's scalars as Python's; what has no item() is looked at below.
    values = [value.item() if isinstance(value, np.generic) else value for value in array.ravel().tolist()]
    types = set(map(type, values))
    try:
        if types <= {int, float}:
            return np.array(values, dtype=np.float64 if float in types else np.int64).reshape(array.shape)
        orjson.dumps(values)
    except (OverflowError, orjson.JSONEncodeError) as error:
        raise prediction_failed("the model answered a value that JSON does not have") from error
    if not types <= {str, bool, int, float}:
        names = ", ".join(sorted(kind.__name__ for kind in types - {str, bool, int, float}))
        raise prediction_failed(f"the model answered values of type {names}, neither numbers nor strings nor booleans")
    if any(type(value) is float and not np.isfinite(value) for value in values):
        raise prediction_failed("one of the model's predictions is not a finite number")
    if types == {bool}:
        return np.array(values, dtype=np.bool_).reshape(array.shape)
    checked = np.empty(len(values), dtype=object)
    checked[:] = values
    return checked.reshape(array.shape)

"""The columns that a model takes: which values each of them has, and how they become what predict() takes."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from math import isfinite, nan
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from service.json_document import name_of
from service.model_artefacts import Feature, ModelMetadata

if TYPE_CHECKING:
    import pandas as pd

    from service.model_predictor import Rows

JSON_TYPES: dict[str, frozenset[type]] = {
    "number": frozenset({int, float}),  # not bool, which is an int to isinstance
    "string": frozenset({str}),
    "boolean": frozenset({bool}),
}


@dataclass(frozen=True)
class RowSchema:
    """The features by name, in the order of the model's columns; `input` is what its predict() takes."""

    features: dict[str, Feature]
    input: Literal["array", "data_frame"]

    @classmethod
    def of(cls, metadata: ModelMetadata) -> "RowSchema":
        """Return the schema of the model's rows."""
        return cls({feature.name: feature for feature in metadata.features}, metadata.input)

    def rows_of(self, columns: dict[str, NDArray[Any]]) -> "Rows":
        """Return rows x features, of columns as column_array() returns them."""
        if self.input == "data_frame" and not self._is_all_numbers:
            return self._data_frame(columns)
        matrix = np.empty((len(next(iter(columns.values()))), len(self.features)), dtype=np.float64)
        for position, name in enumerate(self.features):
            matrix[:, position] = columns[name]
        if self.input == "array":
            return matrix
        import pandas as pd  # noqa: PLC0415 - an image whose model takes arrays does not have it

        return pd.DataFrame(matrix, columns=self._index)

    @cached_property
    def _is_all_numbers(self) -> bool:
        return all(feature.type == "number" for feature in self.features.values())

    @cached_property
    def _index(self) -> "pd.Index":
        import pandas as pd  # noqa: PLC0415 - as above

        return pd.Index(list(self.features))

    def _data_frame(self, columns: dict[str, NDArray[Any]]) -> "pd.DataFrame":
        import pandas as pd  # noqa: PLC0415 - as above

        text = _text_dtype()
        return pd.DataFrame(
            {
                name: pd.Series(columns[name], dtype=text) if feature.type == "string" else columns[name]
                for name, feature in self.features.items()
            }
        )


def column_array(feature: Feature, values: tuple[Any, ...]) -> NDArray[Any] | None:
    """Return a column's values as an array; None where one of them has a fault.

    float64 for numbers and bool for booleans; objects for strings, and for booleans that may be null. Null is NaN.
    """
    types = set(map(type, values))
    nulls = values.count(None) if type(None) in types and feature.nullable else 0
    if nulls:
        types.remove(type(None))
    if not types <= JSON_TYPES[feature.type]:
        return None
    match feature.type:
        case "number":
            return _numbers(values, nulls)
        case "boolean":
            return _objects(values) if feature.nullable else np.array(values, dtype=np.bool_)
        case "string":
            return _objects(values) if _is_unicode(value for value in values if value is not None) else None


def fault_of(feature: Feature, value: Any) -> tuple[str, str] | None:
    """Return the code and the message of a value's fault; None where column_array() takes it."""
    if value is None and feature.nullable:
        return None
    if type(value) not in JSON_TYPES[feature.type]:
        return "wrong_type", f"A {feature.type} is expected, not {name_of(value)}."
    if feature.type == "number" and not _is_finite(value):
        return "not_finite", "The number is not a finite 64-bit float."
    if feature.type == "string" and not _is_unicode((value,)):
        return "wrong_type", "A string is expected, and half of a surrogate pair is none."
    return None


def _numbers(values: tuple[Any, ...], nulls: int) -> NDArray[np.float64] | None:
    try:
        column = np.array(values, dtype=np.float64)  # None becomes NaN
    except OverflowError:  # a whole number beyond the largest float
        return None
    return column if np.count_nonzero(np.isfinite(column)) + nulls == len(values) else None


def _objects(values: tuple[Any, ...]) -> NDArray[np.object_]:
    column = np.empty(len(values), dtype=object)
    column[:] = [nan if value is None else value for value in values]
    return column


def _is_finite(value: float) -> bool:
    try:
        return isfinite(value)
    except OverflowError:
        return False


def _is_unicode(values: Iterable[str]) -> bool:
    try:
        "".join(values).encode()
    except UnicodeEncodeError:
        return False
    return True


@cache
def _text_dtype() -> Any:
    import pandas as pd  # noqa: PLC0415 - an image whose model takes arrays does not have it

    return pd.Series([""]).dtype  # str, and object before pandas 3: what training's strings had

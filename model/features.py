"""What a model's rows are made of: name, type, gaps and range of each column, from the rows themselves."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from model.errors import ModelError
from model.trained import Rows, Trained

FeatureType = Literal["number", "string", "boolean"]
TYPES: Mapping[frozenset[type], FeatureType] = {
    frozenset({float}): "number",
    frozenset({int}): "number",
    frozenset({int, float}): "number",
    frozenset({str}): "string",
    frozenset({bool}): "boolean",
}
DATES = (dt.date, dt.time, dt.timedelta, np.datetime64, np.timedelta64)
DIMENSIONS = 2
Values = list[Any]  # a column as JSON has it, None where a value is missing


@dataclass(frozen=True)
class Feature:
    """One column; the range is that of the training rows, and a nullable one has gaps in one part or the other."""

    name: str
    type: FeatureType
    nullable: bool
    minimum: float | None = None
    maximum: float | None = None

    def described(self) -> dict[str, Any]:
        """Return the feature as metadata.json has it."""
        described: dict[str, Any] = {"name": self.name, "type": self.type}
        described |= {"nullable": True} if self.nullable else {}
        return described | ({"minimum": self.minimum, "maximum": self.maximum} if self.type == "number" else {})


def is_frame(rows: Rows) -> bool:
    """Say whether rows are a data frame, without importing what it is of."""
    return hasattr(rows, "columns")


def features_of(trained: Trained) -> list[Feature]:
    """Return the columns of the rows; raises ModelError where one of them has values that no request can carry."""
    if is_frame(trained.train_rows) != is_frame(trained.test_rows):
        raise ModelError("rows: train_rows and test_rows are not of one kind; give two arrays or two data frames")
    train, test = (columns_of(rows, trained.features) for rows in (trained.train_rows, trained.test_rows))
    if list(train) != list(test):
        raise ModelError(
            f"rows: test_rows has other columns than train_rows ({', '.join(test)} vs {', '.join(train)}); "
            "split one table into both"
        )
    return [feature_of(name, train[name], test[name]) for name in train]


def columns_of(rows: Rows, names: Sequence[str]) -> dict[str, Values]:
    """Return the columns by name; raises ModelError for what is no table of named columns."""
    if is_frame(rows):
        return columns_of_frame(rows)
    array = np.asarray(rows)
    if array.ndim != DIMENSIONS or array.dtype.kind not in "fiub":
        raise ModelError(
            f"rows: an array of shape {array.shape} and type {array.dtype} is no table of numbers; strings, truth "
            "values and objects need a pandas data frame"
        )
    if len(names) != array.shape[1] or len(set(names)) != len(names):
        raise ModelError(
            f"features: {len(names)} names ({len(set(names))} different ones) for {array.shape[1]} columns; "
            "name each column of the array once"
        )
    floats = array.astype(np.float64)
    return {name: values_of_numbers(column) for name, column in zip(names, floats.T, strict=True)}


def columns_of_frame(frame: Any) -> dict[str, Values]:
    names = list(frame.columns)
    for name in names:
        if not isinstance(name, str) or not name or names.count(name) > 1:
            why = "is there twice" if names.count(name) > 1 else "is no string, and names in JSON are"
            raise ModelError(f"rows: the column {name!r} {why}; rename the data frame's columns")
    return {name: values_of(frame[name]) for name in names}


def values_of(series: Any) -> Values:
    """Return a column of a data frame as Python's own values, None where one is missing."""
    missing = series.isna().tolist()
    values = series.astype(object).tolist()
    plain = (value.item() if isinstance(value, np.generic) else value for value in values)
    return [None if is_missing else value for value, is_missing in zip(plain, missing, strict=True)]


def values_of_numbers(column: Any) -> Values:
    return [None if value != value else value for value in column.tolist()]  # noqa: PLR0124 - only NaN is not itself


def feature_of(name: str, train: Values, test: Values) -> Feature:
    known = [(row, value) for row, value in enumerate([*train, *test]) if value is not None]
    kind = type_of(name, known, len(train))
    nullable = len(known) < len(train) + len(test)
    if kind != "number":
        return Feature(name, kind, nullable)
    for row, value in known:
        if not np.isfinite(value):
            raise ModelError(
                f"rows: column {name} is {value} in {place(row, len(train))}, which JSON does not have; "
                "make it a missing value, or leave the row out"
            )
    seen = [float(value) for value in train if value is not None]
    return Feature(name, kind, nullable, min(seen, default=None), max(seen, default=None))


def type_of(name: str, known: Sequence[tuple[int, Any]], train_count: int) -> FeatureType:
    """Return the one type of a column's values; raises ModelError naming the first value that has none or another."""
    if not known:
        raise ModelError(f"rows: column {name} has no value at all; leave it out")
    found = frozenset(type(value) for _, value in known)
    if found in TYPES:
        return TYPES[found]
    row, value = next(unfit(known))
    where = f"rows: column {name} is {value!r} in {place(row, train_count)}"
    if isinstance(value, DATES):
        raise ModelError(f"{where}, and JSON has no dates; make it a number, as of days, or a string before training")
    if type(value) not in {str, bool, int, float}:
        raise ModelError(
            f"{where}, a {type(value).__name__}; numbers, strings and truth values can be asked for, so make it one"
        )
    first_row, first = known[0]
    raise ModelError(
        f"{where} and {first!r} in {place(first_row, train_count)}, values of two types; make all of them one before "
        "training, as by astype(str)"
    )


def unfit(known: Sequence[tuple[int, Any]]) -> Iterator[tuple[int, Any]]:
    """Yield what JSON does not have, then what is of another type than the first value."""
    yield from (each for each in known if type(each[1]) not in {str, bool, int, float})
    first = group_of(known[0][1])
    yield from (each for each in known if group_of(each[1]) != first)


def group_of(value: Any) -> FeatureType:
    return TYPES[frozenset({type(value)})]


def place(row: int, train_count: int) -> str:
    """Say where a row is, of the training rows followed by the test rows."""
    return f"train_rows, row {row}" if row < train_count else f"test_rows, row {row - train_count}"

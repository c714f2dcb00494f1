"""The rows of a document in any of the three forms, as columns; or the place of the first fault."""

from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from service.errors import RequestRefusedError
from service.json_document import invalid, name_of
from service.model_artefacts import Feature
from service.row_schema import RowSchema, fault_of

ROWS_KEY = "data"
COLUMNS_KEY = "columns"


@dataclass(frozen=True)
class Table:
    """A document's rows, not looked at yet.

    `features` are in the order of the cells, where rows are lists; else rows are records.
    """

    rows: list[Any]
    features: tuple[Feature, ...]
    are_records: bool

    def columns(self) -> dict[str, tuple[Any, ...]] | None:
        """Return each feature's values; None where a row is not of the form of the others."""
        form = dict if self.are_records else list
        if set(map(type, self.rows)) != {form} or set(map(len, self.rows)) != {len(self.features)}:
            return None
        if not self.are_records:
            cells = zip(*self.rows, strict=True)
            return {feature.name: column for feature, column in zip(self.features, cells, strict=True)}
        try:
            return {feature.name: tuple(map(itemgetter(feature.name), self.rows)) for feature in self.features}
        except KeyError:
            return None

    def first_fault(self) -> RequestRefusedError:
        """Return the refusal of rows that have a fault: the first of them, in the order of the body."""
        return next(self._faults())

    def _faults(self) -> Iterator[RequestRefusedError]:
        for index, row in enumerate(self.rows):
            location = f"{ROWS_KEY}[{index}]"
            yield from self._record_faults(row, location) if self.are_records else self._list_faults(row, location)

    def _list_faults(self, row: Any, location: str) -> Iterator[RequestRefusedError]:
        refusal = list_fault(row, location)
        if refusal is not None:
            yield refusal
            return
        if len(row) != len(self.features):
            yield invalid(
                "wrong_shape", f"The row has {len(row)} values; the model takes {len(self.features)}.", location
            )
            return
        for position, (feature, value) in enumerate(zip(self.features, row, strict=True)):
            fault = fault_of(feature, value)
            if fault is not None:
                yield invalid(*fault, f"{location}[{position}]")

    def _record_faults(self, row: Any, location: str) -> Iterator[RequestRefusedError]:
        if not isinstance(row, dict):
            yield invalid("wrong_type", f"An object is expected as the first row is one, not {name_of(row)}.", location)
            return
        features = {feature.name: feature for feature in self.features}
        for name, value in row.items():
            if name not in features:
                yield invalid("unknown_field", "The model has no feature of this name.", f"{location}.{name}")
                continue
            fault = fault_of(features[name], value)
            if fault is not None:
                yield invalid(*fault, f"{location}.{name}")
        for name in features:
            if name not in row:
                yield invalid("missing_field", "The row must have every feature of the model.", f"{location}.{name}")


def read_table(document: Any, schema: RowSchema, most_rows: int) -> Table:
    """Return the document's rows; raise RequestRefusedError (422) where what is around them has a fault."""
    if not isinstance(document, dict):
        raise invalid("wrong_type", f"The body must be an object, not {name_of(document)}.", "body")
    if ROWS_KEY not in document:
        raise invalid("missing_field", f'The body must have the field "{ROWS_KEY}": a list of rows.', ROWS_KEY)
    for key in document:
        if key not in {ROWS_KEY, COLUMNS_KEY}:
            raise invalid("unknown_field", f'The body may have no field but "{ROWS_KEY}" and "{COLUMNS_KEY}".', key)
    features = tuple(schema.features.values())
    if COLUMNS_KEY in document:
        features = _named_features(document[COLUMNS_KEY], schema)
    rows = document[ROWS_KEY]
    fault = list_fault(rows, ROWS_KEY)
    if fault is not None:
        raise fault
    if len(rows) > most_rows:
        raise invalid("too_many_rows", f"{len(rows)} rows are more than {most_rows}; send fewer at a time.", ROWS_KEY)
    return Table(rows, features, are_records=COLUMNS_KEY not in document and isinstance(rows[0], dict))


def list_fault(value: Any, location: str) -> RequestRefusedError | None:
    """Return the refusal of what is not a list with something in it."""
    if not isinstance(value, list):
        return invalid("wrong_type", f"A list is expected, not {name_of(value)}.", location)
    if not value:
        return invalid("empty", "The list must not be empty.", location)
    return None


def _named_features(names: Any, schema: RowSchema) -> tuple[Feature, ...]:
    fault = list_fault(names, COLUMNS_KEY)
    if fault is not None:
        raise fault
    seen: dict[str, Feature] = {}
    for position, name in enumerate(names):
        location = f"{COLUMNS_KEY}[{position}]"
        if not isinstance(name, str):
            raise invalid("wrong_type", f"A string is expected, not {name_of(name)}.", location)
        if name not in schema.features:
            raise invalid("unknown_field", "The model has no feature of this name.", location)
        if name in seen:
            raise invalid("wrong_shape", "The column is named a second time.", location)
        seen[name] = schema.features[name]
    for name in schema.features:
        if name not in seen:
            raise invalid(
                "missing_field", f"The columns must have every feature of the model, {name} too.", COLUMNS_KEY
            )
    return tuple(seen.values())

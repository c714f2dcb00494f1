"""What the contract says of a body, worked out apart from the service: slowly, and with Python's own json alone."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fuzz.fields import Field

MALFORMED, INVALID = 400, 422
# Beyond this a body is malformed, whatever else it is.
MAX_DEPTH = 100


class _RefusedError(Exception):
    pass


@dataclass(frozen=True)
class Expected:
    """Rows in the order of the fields where the body is right; else the statuses that may refuse it."""

    rows: list[list[Any]] | None
    statuses: frozenset[int] = frozenset({200})


def expect(body: bytes, fields: Sequence[Field], most_rows: int) -> Expected:
    """Say what must come of a body."""
    try:
        text = body.decode("utf-8")
        document = json.loads(text, parse_int=_number)
    except (UnicodeDecodeError, json.JSONDecodeError):
        return Expected(None, frozenset({MALFORMED}))
    except RecursionError:
        return Expected(None, frozenset({MALFORMED, INVALID}))
    try:
        return Expected(_rows(document, fields, most_rows))
    except _RefusedError:
        # Half a surrogate pair may be refused as malformed, or for where it stands.
        is_certain = _depth(document) <= MAX_DEPTH and "\\u" not in text
        return Expected(None, frozenset({INVALID} if is_certain else {MALFORMED, INVALID}))


def _rows(document: Any, fields: Sequence[Field], most_rows: int) -> list[list[Any]]:
    _require(isinstance(document, dict) and "data" in document and set(document) <= {"data", "columns"})
    data = document["data"]
    _require(isinstance(data, list) and 1 <= len(data) <= most_rows)
    by_name = {field.name: field for field in fields}
    names = [field.name for field in fields]
    if "columns" in document:
        names = document["columns"]
        _require(isinstance(names, list) and all(isinstance(name, str) for name in names))
        _require(len(names) == len(by_name) and set(names) == set(by_name))
    elif isinstance(data[0], dict):
        _require(all(isinstance(record, dict) and set(record) == set(by_name) for record in data))
        data = [[record[name] for name in names] for record in data]
    rows = []
    for row in data:
        _require(isinstance(row, list) and len(row) == len(names))
        cells = {name: _cell(by_name[name], value) for name, value in zip(names, row, strict=True)}
        rows.append([cells[field.name] for field in fields])
    return rows


def _cell(field: Field, value: Any) -> Any:
    if value is None and field.nullable:
        return None
    match field.kind:
        case "number":
            _require(type(value) in {int, float} and math.isfinite(value))
            return float(value)
        case "boolean":
            _require(type(value) is bool)
        case "string":
            _require(type(value) is str and not any(0xD800 <= ord(character) <= 0xDFFF for character in value))  # noqa: PLR2004 - surrogates
    return value


def _number(digits: str) -> float:
    return float(digits)  # of any length, and infinite where it is too large


def _require(condition: bool) -> None:  # noqa: FBT001 - an assertion
    if not condition:
        raise _RefusedError


def _depth(document: Any) -> int:
    depth, level = 0, [document]
    while level := [value for value in level if isinstance(value, list | dict)]:
        depth += 1
        level = [each for value in level for each in (value.values() if isinstance(value, dict) else value)]
    return depth

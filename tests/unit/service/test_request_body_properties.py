"""What holds for every body: it is rows or it is refused, and the numbers and places are those of the body."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.errors import RequestRefusedError
from service.model_artefacts import ModelMetadata
from service.request_body import BodyLimits, RowSchema, decode

pytestmark = pytest.mark.unit

LIMITS = BodyLimits(rows=5)
NAMES = ("a", "b", "c")


def schema_of(features: list[dict[str, Any]], takes: str) -> RowSchema:
    document = {"name": "any", "version": "1", "model_file": "model", "model_sha256": "0" * 64, "input": takes}
    return RowSchema.of(ModelMetadata.model_validate({**document, "features": features}))


NUMBERS = schema_of([{"name": name} for name in NAMES], "array")
MIXED = schema_of(
    [{"name": "a"}, {"name": "b", "type": "string", "nullable": True}, {"name": "c", "type": "boolean"}], "data_frame"
)

numbers = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False))
# Much like a request, so that most of it is met, and anything else.
keys = st.sampled_from(["data", "columns", *NAMES, "d", ""])
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.sampled_from(NAMES)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=12,
)
records = st.fixed_dictionaries({}, optional=dict.fromkeys((*NAMES, "d"), values))
bodies = st.one_of(
    values,
    st.fixed_dictionaries({"data": st.lists(st.lists(values, min_size=3, max_size=3), max_size=6)}),
    st.fixed_dictionaries({"data": st.lists(records, max_size=6)}),
    st.fixed_dictionaries({"columns": st.permutations(NAMES), "data": st.lists(st.lists(values, max_size=4))}),
)


def decode_or_refuse(body: bytes, schema: RowSchema) -> Any:
    """Return the rows, or the refusal."""
    try:
        return decode(body, schema, LIMITS)
    except RequestRefusedError as error:
        return error


@given(body=st.one_of(st.binary(), st.text().map(str.encode)), schema=st.sampled_from([NUMBERS, MIXED]))
@example(body=b"[" * 200_000, schema=NUMBERS)
@example(body=b'{"data":[' * 50_000, schema=MIXED)
@example(body=b'"' + b"\\" * 99_999, schema=MIXED)
def test_bytes_of_any_kind_are_rows_or_refused(body: bytes, schema: RowSchema) -> None:
    assert is_verdict(decode_or_refuse(body, schema))


@given(body=bodies, schema=st.sampled_from([NUMBERS, MIXED]))
def test_json_of_any_kind_is_rows_or_refused(body: Any, schema: RowSchema) -> None:
    assert is_verdict(decode_or_refuse(json.dumps(body).encode(), schema))


def is_verdict(verdict: Any) -> bool:
    """Say whether it is rows as the model takes them, or a refusal that the caller understands."""
    if isinstance(verdict, RequestRefusedError):
        return (verdict.status, verdict.code == "malformed_json") in {(400, True), (422, False)} and bool(
            verdict.message
        )
    if isinstance(verdict, np.ndarray):
        return verdict.dtype == np.float64 and verdict.shape[1] == len(NAMES) and bool(np.isfinite(verdict).all())
    return isinstance(verdict, pd.DataFrame) and tuple(verdict.columns) == NAMES and 1 <= len(verdict) <= LIMITS.rows


@given(body=st.fixed_dictionaries({"data": st.lists(st.lists(values, min_size=3, max_size=3), min_size=1, max_size=5)}))
def test_rows_are_accepted_exactly_if_all_of_them_are_finite_numbers(body: Any) -> None:
    text = json.dumps(body)
    cells = [cell for row in json.loads(text)["data"] for cell in row]
    is_right = all(type(cell) in {int, float} and abs(cell) <= np.finfo(np.float64).max for cell in cells)
    assert isinstance(decode_or_refuse(text.encode(), NUMBERS), np.ndarray) is is_right


@given(
    rows=st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=1, max_size=5),
    order=st.permutations(NAMES),
    indent=st.sampled_from([None, 0, 3]),
)
def test_accepted_numbers_are_those_that_python_reads(rows: list[list[float]], order: list[str], indent: int) -> None:
    records = [dict(zip(NAMES, row, strict=True)) for row in rows]
    forms: list[dict[str, Any]] = [
        {"data": rows},
        {"columns": order, "data": [[record[name] for name in order] for record in records]},
        {"data": [{name: record[name] for name in order} for record in records]},
    ]
    texts = [json.dumps(form, indent=indent) for form in forms]
    try:
        expected = np.array(json.loads(texts[0])["data"], dtype=np.float64)
    except OverflowError:
        assert {decode_or_refuse(text.encode(), NUMBERS).code for text in texts} == {"not_finite"}
        return
    for text in texts:
        assert decode(text.encode(), NUMBERS, LIMITS).tobytes() == expected.tobytes()


faults = st.sampled_from(
    [
        ('"1"', "wrong_type"),
        ("true", "wrong_type"),
        ("null", "wrong_type"),
        ("[1]", "wrong_type"),
        ("{}", "wrong_type"),
        ("NaN", "not_finite"),
        ("-Infinity", "not_finite"),
        ("1e999", "not_finite"),
        ("9" * 310, "not_finite"),
        ("-" + "9" * 5000, "not_finite"),
    ]
)


@given(
    row_count=st.integers(1, 5),
    planted=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2), faults), min_size=1, max_size=3),
    order=st.permutations(NAMES),
    form=st.sampled_from(["lists", "columns", "records"]),
)
def test_of_planted_faults_the_first_is_named(
    row_count: int, planted: list[tuple[int, int, tuple[str, str]]], order: list[str], form: str
) -> None:
    cells = [["1.5"] * len(NAMES) for _ in range(row_count)]
    codes = {}
    for row, column, (text, code) in planted:
        cells[row % row_count][column] = text
        codes[row % row_count, column] = code
    (row, column), code = min(codes.items())
    names = order if form == "records" else None
    lines = ",".join(line_of(line, names) for line in cells)
    columns = f'"columns": {json.dumps(order)}, ' if form == "columns" else ""
    refusal = decode_or_refuse(f'{{{columns}"data": [{lines}]}}'.encode(), NUMBERS)
    place = f".{order[column]}" if form == "records" else f"[{column}]"
    assert (refusal.code, refusal.location) == (code, f"data[{row}]{place}")


def line_of(cells: list[str], names: list[str] | None) -> str:
    """Return one row as JSON: a list, or an object of these names."""
    if names is None:
        return f"[{','.join(cells)}]"
    return "{" + ",".join(f'"{name}": {cell}' for name, cell in zip(names, cells, strict=True)) + "}"

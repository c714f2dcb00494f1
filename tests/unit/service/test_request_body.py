"""The three forms of a body, and where each fault is said to be."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from service.errors import RequestRefusedError
from service.model_artefacts import ModelMetadata
from service.request_body import BodyLimits, RowSchema, check_content_type, decode

pytestmark = pytest.mark.unit

LIMITS = BodyLimits(rows=3)


def schema_of(*features: dict[str, Any], takes: str = "array") -> RowSchema:
    document = {"name": "any", "version": "1", "model_file": "model", "model_sha256": "0" * 64, "input": takes}
    return RowSchema.of(ModelMetadata.model_validate({**document, "features": features}))


NUMBERS = schema_of({"name": "a"}, {"name": "b"})
NULLABLE = schema_of({"name": "a", "nullable": True}, {"name": "b"})
MIXED = schema_of(
    {"name": "age"},
    {"name": "city", "type": "string"},
    {"name": "member", "type": "boolean"},
    {"name": "note", "type": "string", "nullable": True},
    takes="data_frame",
)
PERSON = {"age": 40, "city": "Bern", "member": True, "note": None}


def encoded(body: Any) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def refusal(body: Any, schema: RowSchema) -> tuple[int, str, str]:
    with pytest.raises(RequestRefusedError) as refused:
        decode(encoded(body), schema, LIMITS)
    assert refused.value.message.endswith(".")
    return refused.value.status, refused.value.code, refused.value.location


@pytest.mark.parametrize(
    "body",
    [
        {"data": [[1, 2.5], [3, 4]]},
        {"columns": ["a", "b"], "data": [[1, 2.5], [3, 4]]},
        {"columns": ["b", "a"], "data": [[2.5, 1], [4, 3]]},
        {"data": [{"a": 1, "b": 2.5}, {"b": 4, "a": 3}]},
        b'{"data": [[1e0, 25E-1], [3, 4]], "columns": ["a", "b"]}',
        b'{"data": [[9, 9]], "data": [[1, 2.5], [3, 4]]}',
        b'{"data": [{"a": 9, "b": 2.5, "a": 1}, {"a": 3, "b": 4}]}',
        b' \n{"d\\u0061ta":\t[[1,2.5],\r[3,4]]} ',
    ],
    ids=repr,
)
def test_every_form_means_the_same_rows(body: Any) -> None:
    rows = decode(encoded(body), NUMBERS, LIMITS)
    assert isinstance(rows, np.ndarray)
    assert rows.dtype == np.float64
    assert rows.flags.c_contiguous
    assert rows.tolist() == [[1.0, 2.5], [3.0, 4.0]]


@pytest.mark.parametrize(
    "body",
    [
        {"data": [list(PERSON.values())] * 2},
        {"columns": list(reversed(PERSON)), "data": [list(reversed(PERSON.values()))] * 2},
        {"data": [PERSON] * 2},
    ],
)
def test_a_data_frame_has_the_features_names_in_their_order(body: Any) -> None:
    frame = decode(encoded(body), MIXED, LIMITS)
    assert isinstance(frame, pd.DataFrame)
    expected = pd.DataFrame({"age": [40.0] * 2, "city": ["Bern"] * 2, "member": [True] * 2, "note": [np.nan] * 2})
    expected["note"] = expected["note"].astype(frame["city"].dtype)
    pd.testing.assert_frame_equal(frame, expected)


def test_a_data_frame_of_numbers_alone_has_the_features_names_too() -> None:
    schema = schema_of({"name": "a", "nullable": True}, {"name": "b"}, takes="data_frame")
    frame = decode(b'{"data": [{"b": 2, "a": null}]}', schema, LIMITS)
    pd.testing.assert_frame_equal(frame, pd.DataFrame({"a": [np.nan], "b": [2.0]}))


def test_null_is_nan_where_the_feature_is_nullable() -> None:
    rows = decode(b'{"data": [[null, 1], [2, 3]]}', NULLABLE, LIMITS)
    np.testing.assert_array_equal(rows, [[np.nan, 1.0], [2.0, 3.0]])


@pytest.mark.parametrize(
    ("body", "code", "location"),
    [
        (b"", "malformed_json", "body"),
        (b"  ", "malformed_json", "body"),
        (b'{"data": [[1, 2]', "malformed_json", "body"),
        (b'{"data": [[1, 2,]]}', "malformed_json", "body"),
        (b'{"data": [[01, 2]]}', "malformed_json", "body"),
        (b'{"data": [[1., 2]]}', "malformed_json", "body"),
        (b"{'data': [[1, 2]]}", "malformed_json", "body"),
        (b'{"data": [[1, 2]]} {}', "malformed_json", "body"),
        (b'{"data": [[1, nan]]}', "malformed_json", "body"),
        (b'\xef\xbb\xbf{"data": [[1, 2]]}', "malformed_json", "body"),
        (b'{"data": [[1, "\xff"]]}', "malformed_json", "body"),
        ('{"data": [[1, 2]]}'.encode("utf-16"), "malformed_json", "body"),
        (b'"', "malformed_json", "body"),
        (b'"' + b'\\"' * 1000, "malformed_json", "body"),
        (b"[" * 1_000_000, "malformed_json", "body"),
        (b'{"data":' * 10_000 + b"1" + b"}" * 10_000, "malformed_json", "body"),
        (b'{"data": [[1, ' + b"[" * 2_000 + b"]" * 2_000 + b"]]}", "malformed_json", "body"),
        (b'{"data": [[1, ' + b"[" * 900 + b"]" * 900 + b"]]}", "wrong_type", "data[0][1]"),
        (b'{"data": [[1, "' + b"[" * 2_000 + b'"]]}', "wrong_type", "data[0][1]"),
        ([[1, 2]], "wrong_type", "body"),
        ("data", "wrong_type", "body"),
        ({}, "missing_field", "data"),
        ({"columns": ["a", "b"]}, "missing_field", "data"),
        ({"data": [[1, 2]], "index": [0]}, "unknown_field", "index"),
        ({"data": {"a": [1], "b": [2]}}, "wrong_type", "data"),
        ({"data": []}, "empty", "data"),
        ({"data": [[]]}, "empty", "data[0]"),
        ({"data": [[1, 2]] * 4}, "too_many_rows", "data"),
        ({"data": [[1, 2], [1]]}, "wrong_shape", "data[1]"),
        ({"data": [[1, 2], [1, 2, 3]]}, "wrong_shape", "data[1]"),
        ({"data": [[1, 2], {"a": 1, "b": 2}]}, "wrong_type", "data[1]"),
        ({"data": [{"a": 1, "b": 2}, [1, 2]]}, "wrong_type", "data[1]"),
        ({"data": [1, 2]}, "wrong_type", "data[0]"),
        ({"data": ["12"]}, "wrong_type", "data[0]"),
        ({"data": [[1, 2], [1, "2"]]}, "wrong_type", "data[1][1]"),
        ({"data": [[1, 2], [True, 2]]}, "wrong_type", "data[1][0]"),
        ({"data": [[1, 2], [None, 2]]}, "wrong_type", "data[1][0]"),
        ({"data": [[1, [2]]]}, "wrong_type", "data[0][1]"),
        ({"data": [[1, {}]]}, "wrong_type", "data[0][1]"),
        (b'{"data": [[1, NaN]]}', "not_finite", "data[0][1]"),
        (b'{"data": [[1, -Infinity]]}', "not_finite", "data[0][1]"),
        (b'{"data": [[1, 1e309]]}', "not_finite", "data[0][1]"),
        (b'{"data": [[1, ' + b"9" * 400 + b"]]}", "not_finite", "data[0][1]"),
        (b'{"data": [[1, -' + b"9" * 5000 + b"]]}", "not_finite", "data[0][1]"),
        # The first in the order of the body, whatever kind they are of.
        (b'{"data": [[1, 1e999], ["x", 2], []]}', "not_finite", "data[0][1]"),
        ({"data": [[1, 2], [1], ["x", 2]]}, "wrong_shape", "data[1]"),
        ({"columns": None, "data": [[1, 2]]}, "wrong_type", "columns"),
        ({"columns": [], "data": [[1, 2]]}, "empty", "columns"),
        ({"columns": ["a", 1], "data": [[1, 2]]}, "wrong_type", "columns[1]"),
        ({"columns": ["a", "c"], "data": [[1, 2]]}, "unknown_field", "columns[1]"),
        ({"columns": ["a", "b", "a"], "data": [[1, 2, 1]]}, "wrong_shape", "columns[2]"),
        ({"columns": ["b"], "data": [[1]]}, "missing_field", "columns"),
        ({"columns": ["b", "a"], "data": [[1, "x"]]}, "wrong_type", "data[0][1]"),
        ({"columns": ["b", "a"], "data": [{"a": 1, "b": 2}]}, "wrong_type", "data[0]"),
        ({"data": [{"a": 1, "b": 2}, {"a": 1}]}, "missing_field", "data[1].b"),
        ({"data": [{}]}, "missing_field", "data[0].a"),
        ({"data": [{"a": 1, "b": 2, "c": 3}]}, "unknown_field", "data[0].c"),
        ({"data": [{"a": 1, "B": 2}]}, "unknown_field", "data[0].B"),
        ({"data": [{"a": 1, "b": 2}, {"b": "x", "a": None}]}, "wrong_type", "data[1].b"),
        (b'{"data": [{"a": 1, "b": 1e999}]}', "not_finite", "data[0].b"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_the_first_fault_is_named_with_its_place(body: Any, code: str, location: str) -> None:
    assert refusal(body, NUMBERS) == (400 if code == "malformed_json" else 422, code, location)


@pytest.mark.parametrize(
    ("changes", "location"),
    [
        ({"age": "40"}, "data[0].age"),
        ({"age": True}, "data[0].age"),
        ({"age": None}, "data[0].age"),
        ({"city": 3}, "data[0].city"),
        ({"city": None}, "data[0].city"),
        ({"city": "\ud800"}, "data[0].city"),
        ({"member": 1}, "data[0].member"),
        ({"member": "true"}, "data[0].member"),
        ({"member": None}, "data[0].member"),
        ({"note": False}, "data[0].note"),
        ({"note": []}, "data[0].note"),
    ],
    ids=repr,
)
def test_a_value_of_another_type_than_its_feature_has_is_refused(changes: dict[str, Any], location: str) -> None:
    assert refusal({"data": [{**PERSON, **changes}]}, MIXED) == (422, "wrong_type", location)
    row = list({**PERSON, **changes}.values())
    position = list(PERSON).index(next(iter(changes)))
    assert refusal({"data": [row]}, MIXED) == (422, "wrong_type", f"data[0][{position}]")


@pytest.mark.parametrize("body", [b'{"data": [[NaN, 1]]}', b'{"data": [[null, 1], [1e999, 1]]}'])
def test_a_nullable_number_is_null_or_finite(body: bytes) -> None:
    assert refusal(body, NULLABLE)[1] == "not_finite"


@pytest.mark.parametrize("city", ["", "Zürich", "\U0001f600", "\x00", 'quoted "city"', "[{"])
def test_any_text_is_a_string(city: str) -> None:
    frame = decode(encoded({"data": [{**PERSON, "city": city}]}), MIXED, LIMITS)
    assert isinstance(frame, pd.DataFrame)
    assert frame["city"].tolist() == [city]


def test_the_message_for_malformed_json_says_line_and_column() -> None:
    with pytest.raises(RequestRefusedError, match=r"at line 2, column 14\.$"):
        decode(b'{"data":\n [[1, 2], [1 2]]}', NUMBERS, LIMITS)


@pytest.mark.parametrize(
    ("content_type", "encoding", "code"),
    [
        ("application/json", None, None),
        ('Application/JSON; charset="UTF-8"', "identity", None),
        (None, None, "unsupported_content_type"),
        ("text/json", None, "unsupported_content_type"),
        ("application/json; charset=latin-1", None, "unsupported_content_type"),
        ("application/json", "gzip", "unsupported_content_encoding"),
    ],
)
def test_a_body_is_plain_json_in_utf_8(content_type: str | None, encoding: str | None, code: str | None) -> None:
    if code is None:
        check_content_type(content_type, encoding)
    else:
        with pytest.raises(RequestRefusedError) as refused:
            check_content_type(content_type, encoding)
        assert (refused.value.status, refused.value.code) == (415, code)

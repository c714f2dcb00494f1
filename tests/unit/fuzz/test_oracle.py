import json
from random import Random
from typing import Any

import pytest

from fuzz.bodies import encode, valid_document
from fuzz.checks import Answer, violation
from fuzz.fields import MIXED, NUMBERS, Field
from fuzz.oracle import Expected, expect

pytestmark = pytest.mark.unit

TWO = (Field("a"), Field("b"))
JSON = {"content-type": "application/json", "x-request-id": "1"}


def add_up(rows: Any) -> Any:
    if (rows < 0).any():
        raise ValueError("negative")
    return rows.sum(axis=1)


@pytest.mark.parametrize(
    "body",
    [
        b'{"data":[[1,2]]}',
        b'{"columns":["b","a"],"data":[[2,1]]}',
        b'{"data":[{"b":2,"a":1}]}',
        b'{"data":0,"data":[[1,2]]}',
    ],
)
def test_every_form_is_rows_in_the_order_of_the_fields(body: bytes) -> None:
    assert expect(body, TWO, 10).rows == [[1.0, 2.0]]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff", 400),
        (b"\xef\xbb\xbf{}", 400),
        (b"[]", 422),
        (b'{"data":[]}', 422),
        (b'{"data":[[1]]}', 422),
        (b'{"data":[[1,2],[1]]}', 422),
        (b'{"data":[[1,true]]}', 422),
        (b'{"data":[[1,"2"]]}', 422),
        (b'{"data":[[1,null]]}', 422),
        (b'{"data":[[1,NaN]]}', 422),
        (b'{"data":[[1,1e999]]}', 422),
        (b'{"data":[[1,' + b"9" * 5000 + b"]]}", 422),
        (b'{"data":[[1,2]],"more":1}', 422),
        (b'{"columns":["a"],"data":[[1,2]]}', 422),
        (b'{"columns":["a","a"],"data":[[1,2]]}', 422),
        (b'{"data":[{"a":1}]}', 422),
        (b'{"data":[{"a":1,"b":2},[1,2]]}', 422),
    ],
)
def test_a_body_that_is_not_rows_has_the_status_of_its_fault(body: bytes, status: int) -> None:
    assert expect(body, TWO, 10) == Expected(None, frozenset({status}))


@pytest.mark.parametrize("fields", [NUMBERS, MIXED])
def test_what_is_made_to_be_right_is_right(fields: tuple[Field, ...]) -> None:
    random = Random(1)  # noqa: S311 - the same each time
    for _ in range(300):
        assert expect(encode(valid_document(fields, random), random), fields, 10).rows is not None


@pytest.mark.parametrize(
    ("answer", "body", "complaint"),
    [
        (Answer(200, JSON, b"[3.0]"), b'{"data":[[1,2]]}', None),
        (Answer(200, JSON, b"[3.1]"), b'{"data":[[1,2]]}', "model.predict"),
        (Answer(200, JSON, b"[3.0,3.0]"), b'{"data":[[1,2]]}', "one prediction a row"),
        (Answer(200, JSON, b"[NaN]"), b'{"data":[[1,2]]}', "not JSON"),
        (Answer(200, JSON, b"[3.0]"), b'{"data":[[1]]}', "must be refused"),
        (Answer(500, JSON, b"{}"), b'{"data":[[1]]}', "not the documented one"),
        (Answer(200, {**JSON, "content-type": "text/plain"}, b"[3.0]"), b'{"data":[[1,2]]}', "content type"),
        (Answer(200, {"content-type": "application/json"}, b"[3.0]"), b'{"data":[[1,2]]}', "x-request-id"),
    ],
)
def test_an_answer_is_held_against_the_contract(answer: Answer, body: bytes, complaint: str | None) -> None:
    found = violation(answer, expect(body, TWO, 10), add_up)
    assert found is None if complaint is None else complaint in (found or "")


@pytest.mark.parametrize(
    ("status", "code", "body", "is_allowed"),
    [
        (422, "wrong_shape", b'{"data":[[1]]}', True),
        (400, "malformed_json", b'{"data":[[1]]}', False),
        (422, "wrong_shape", b"{", False),
        (422, "no_such_code", b'{"data":[[1]]}', False),
        (503, "service_fault", b'{"data":[[1]]}', False),
        (422, "wrong_shape", b'{"data":[[1,2]]}', False),
        (503, "prediction_failed", b'{"data":[[1,2]]}', False),
        (503, "prediction_failed", b'{"data":[[1e308,1e308]]}', True),
        (422, "refused_by_model", b'{"data":[[1,2]]}', False),
        (422, "refused_by_model", b'{"data":[[1]]}', False),
        (422, "refused_by_model", b'{"data":[[-1,2]]}', True),
        (500, "anything", b"{", False),
    ],
)
def test_a_refusal_is_held_against_the_contract(status: int, code: str, body: bytes, *, is_allowed: bool) -> None:
    error = {"error": {"code": code, "message": "Something.", "location": "body"}}
    answer = Answer(status, JSON, json.dumps(error).encode())
    assert (violation(answer, expect(body, TWO, 10), add_up) is None) is is_allowed

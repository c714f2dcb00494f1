"""What models answer, and the JSON that is made of it."""

import json
import re
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from service.errors import RequestRefusedError
from service.predictions import Predictions, normalise

pytestmark = pytest.mark.unit


def told(value: object) -> str:
    """Say what a value is, the same in every process."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def as_json(predictions: Predictions) -> bytes:
    """Return the answer's body, as the engine makes it."""
    return orjson.dumps(predictions.tolist())


@pytest.mark.parametrize(
    ("answered", "expected"),
    [
        ([1.5, 2.5], [1.5, 2.5]),
        ((1, 2), [1, 2]),
        ([np.float32(0.1), np.float64(2.5)], [float(np.float32(0.1)), 2.5]),
        ([np.int8(1), np.int64(-2)], [1, -2]),
        ([1, 2.5], [1.0, 2.5]),
        (np.array([0.1, 2.5], dtype=np.float32), [float(np.float32(0.1)), 2.5]),
        (np.array([0.5, 2.5], dtype=np.float16), [0.5, 2.5]),
        (np.array([0.5, 2.5], dtype=np.longdouble), [0.5, 2.5]),
        (np.array([1.5, 2.5], dtype=">f8"), [1.5, 2.5]),
        (np.array([1, 255], dtype=np.uint8), [1, 255]),
        (np.array([1, 2**64 - 1], dtype=np.uint64), [1, 2**64 - 1]),
        (np.array([True, False]), [True, False]),
        ([True, False], [True, False]),
        ([True, "x"], [True, "x"]),
        (np.array(["a", "bc"]), ["a", "bc"]),
        (["a", "bc"], ["a", "bc"]),
        ([np.str_("a"), "bc"], ["a", "bc"]),
        ([1, "a"], [1, "a"]),
        (np.array(["a", "bc"], dtype=np.dtypes.StringDType()), ["a", "bc"]),
        (np.array([1.5, 2], dtype=object), [1.5, 2.0]),
        (np.array([[1.0, 2.0], [3.0, 4.0]], order="F"), [[1.0, 2.0], [3.0, 4.0]]),
        (np.arange(4.0)[::2], [0.0, 2.0]),
        ([[1.0], [2.0]], [[1.0], [2.0]]),
        ([["a", 1.5], ["b", 2.5]], [["a", 1.5], ["b", 2.5]]),
        (pd.Series([1.5, 2.5], index=[9, 8]), [1.5, 2.5]),
        (pd.Series(["a", "b"], dtype="category"), ["a", "b"]),
        (pd.Series([1, 2], dtype="Int64"), [1, 2]),
        (pd.DataFrame({"x": [1.5, 2.5], "y": [1, 2]}), [[1.5, 1.0], [2.5, 2.0]]),
        (pd.DataFrame({"x": [1.5, 2.5], "y": ["a", "b"]}), [[1.5, "a"], [2.5, "b"]]),
        (csr_array(np.eye(2, dtype=int)), [[1, 0], [0, 1]]),
        (np.ma.masked_array([1.5, 2.5]), [1.5, 2.5]),
    ],
    ids=told,
)
def test_whatever_class_an_answer_has_its_values_are_written(answered: Any, expected: list[Any]) -> None:
    predictions = normalise(answered, 2)
    assert predictions.flags.c_contiguous
    assert predictions.dtype in {np.dtype(kind) for kind in (np.float64, np.int64, np.uint64, np.bool_, object)}
    for document in (orjson.loads(as_json(predictions)), predictions.tolist()):
        assert document == expected
        assert json.dumps(document) == json.dumps(expected)


@pytest.mark.parametrize(
    "answered",
    [
        None,
        1.5,
        np.float64(1.5),
        "ab",
        {"a": 1.0, "b": 2.0},
        [],
        [1.5],
        [1.5, 2.5, 3.5],
        [[1.0], [2.0, 3.0]],
        [[], []],
        [[[1.0]], [[2.0]]],
        [1.5, float("nan")],
        [1.5, float("inf")],
        ["a", float("nan")],
        [1.5, None],
        ["a", None],
        np.array([1.5, np.nan], dtype=np.float32),
        np.array([1j, 2j]),
        np.array(["2026-01-01", "2026-01-02"], dtype="datetime64[D]"),
        np.array([b"a", b"b"]),
        np.array([b"a", b"b"], dtype=object),
        [object(), object()],
        [2**64, 1],
        [2**2000, 1],
        ["\ud800", "a"],
        pd.Series([1, None], dtype="Int64"),
        pd.Series(["a", None]),
        np.ma.masked_array([1.5, 2.5], mask=[True, False]),
        iter([1.5, 2.5]),
        ({1}, {2}),
    ],
    ids=told,
)
def test_an_answer_without_a_value_for_each_row_that_json_has_is_refused(answered: Any) -> None:
    with pytest.raises(RequestRefusedError) as refused:
        normalise(answered, 2)
    assert (refused.value.status, refused.value.code, refused.value.location) == (503, "prediction_failed", "model")
    assert refused.value.message.endswith(".")


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_a_float_comes_back_from_json_bit_by_bit(values: list[float]) -> None:
    predictions = normalise(np.array(values), len(values))
    read = np.array(json.loads(as_json(predictions)), dtype=np.float64)
    assert read.tobytes() == np.array(values).tobytes()


value = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=3),
    st.binary(max_size=2),
    st.complex_numbers(),
)


@given(st.one_of(st.lists(value, max_size=4), st.lists(st.lists(value, max_size=3), max_size=4), value))
def test_an_answer_is_either_strict_json_of_one_entry_a_row_or_refused(answered: Any) -> None:
    try:
        predictions = normalise(answered, 2)
    except RequestRefusedError as error:
        assert error.code == "prediction_failed"  # noqa: PT017 - either of both is right
        return
    document = json.loads(as_json(predictions), parse_constant=pytest.fail)
    assert len(document) == 2
    assert document == predictions.tolist()

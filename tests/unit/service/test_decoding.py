import json
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import example, given

from service.engine.decoding import RowsDecoder
from service.errors import RequestRefusedError
from service.model_artefacts import Feature, ModelMetadata
from service.request_body import BodyLimits, RowSchema, decode

pytestmark = pytest.mark.unit

LIMITS = BodyLimits(body_bytes=10_000, rows=4)
SCHEMA = RowSchema.of(
    ModelMetadata(
        name="pair",
        version="1",
        model_file="model.joblib",
        model_sha256="0" * 64,
        features=(Feature(name="left"), Feature(name="right")),
    )
)
DECODER = RowsDecoder(2, LIMITS)

CELLS = st.one_of(
    st.integers(), st.floats(), st.booleans(), st.none(), st.text(max_size=3), st.lists(st.integers(), max_size=2)
)
ROWS = st.lists(st.one_of(st.lists(CELLS, max_size=3), CELLS), max_size=6)
BODIES = st.one_of(
    st.fixed_dictionaries({"data": st.lists(st.lists(st.floats(), min_size=2, max_size=2), min_size=1, max_size=5)}),
    st.fixed_dictionaries({"data": ROWS}),
    st.dictionaries(st.sampled_from(["data", "columns", "x"]), ROWS),
    CELLS,
)


def carefully(body: bytes) -> Any:
    try:
        return decode(body, SCHEMA, LIMITS)
    except RequestRefusedError:
        return None


def check(body: bytes) -> bool:
    """Return whether the short way took the body; what it takes, the careful one takes and reads alike."""
    rows = DECODER.decode(body)
    if rows is None:
        return False
    expected = carefully(body)
    assert expected is not None
    assert np.array_equal(np.array(rows, dtype=np.float64), expected)
    return True


@given(BODIES)
def test_what_the_short_way_takes_the_careful_one_reads_alike(document: Any) -> None:
    check(json.dumps(document).encode())


@given(st.binary(max_size=40))
@example(b'{"data":[[1,2]],"data":[[3,4]]}')
@example(b'{"d\\u0061ta":[[1,2]]}')
@example(b'{"data":[[1e999,2]]}')
@example(b'{"data":[[1e-400,-0]]}')
@example(b'{"data":[[18446744073709551617,9007199254740993]]}')
@example(b'{"data":[[' + b"9" * 300 + b",2]]}")
@example(b'\xef\xbb\xbf{"data":[[1,2]]}')
@example(b'{"data":[[NaN,Infinity]]}')
@example(b'{"data":[[01,2]]}')
@example(b'{"data":[[true,2]]}')
def test_so_it_is_for_bytes_of_any_kind(body: bytes) -> None:
    check(body)


@given(
    st.lists(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=2), min_size=1, max_size=4)
)
def test_rows_of_finite_numbers_take_the_short_way(rows: list[list[float]]) -> None:
    assert check(json.dumps({"data": rows}).encode())


@pytest.mark.parametrize("count", [0, 5])
def test_too_few_or_too_many_rows_are_left_to_the_careful_way(count: int) -> None:
    assert DECODER.decode(json.dumps({"data": [[1.0, 2.0]] * count}).encode()) is None

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from load.predictions import distance, kind_of, predictions_of, told
from load.verdict import Outcome
from tests.lib.parity_samples import NAN, answered, compared, once

pytestmark = pytest.mark.unit


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


BODIES = JSON.filter(lambda body: body is not None)  # null is what stands for a body that was not kept


@given(BODIES)
def test_every_body_is_like_itself(body: Any) -> None:
    found, criteria = compared(answered(once(body), once(body)))
    assert found.unlike == 0
    assert {criterion.result for criterion in criteria.values()} == {Outcome.PASS}


@given(BODIES, BODIES)
def test_any_two_bodies_can_be_compared_and_what_differs_can_be_told(live: Any, candidate: Any) -> None:
    found, _ = compared(answered(once(live), once(candidate)))
    assert found.unlike in {0, 1}
    assert all(isinstance(text, str) for worst in found.worst for text in (worst.live, worst.candidate))


@given(st.integers() | st.floats(), st.integers() | st.floats())
def test_a_distance_is_the_same_both_ways_and_never_nan(first: float, second: float) -> None:
    assert distance(first, second) == distance(second, first) >= 0


def test_a_long_label_is_told_in_short() -> None:
    assert told("x" * 100) == '"' + "x" * 38 + "…"
    assert [told(value) for value in (1.0, 2 / 3, 7, None, "a", NAN)] == ["1", "0.666667", "7", "null", '"a"', "nan"]


def test_predictions_are_told_by_where_they_stand_and_of_which_kind_they_are() -> None:
    body = {"b": [1, {"x": "t"}], "a": None}
    assert [(each.path, kind_of(each.value)) for each in predictions_of(body)] == [
        (".a", "null"),
        (".b[]", "number"),
        (".b[].x", "text"),
    ]

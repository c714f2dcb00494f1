"""Golden requests: what counts as the same answer."""

import json
from pathlib import Path
from typing import Any

import pytest

from deployment.golden import GoldenRequest, GoldenRequests, read_artefacts, refuse_if_wrong
from deployment.outcomes import BadInputError, Breach, Outcome
from deployment.scoring import Answer
from load.report_data import SmokeCheck

pytestmark = pytest.mark.unit

REQUEST = GoldenRequest(id="golden-00", body={"data": [[1.0], [2.0]]}, predictions=(10.0, 20.0))
GOLDEN = GoldenRequests(absolute_tolerance=0.0, relative_tolerance=1e-3, requests=(REQUEST,))


def answer(body: Any, status: int = 200) -> Answer:
    return Answer(status, "green", body, "")


@pytest.mark.parametrize("body", [[10.0, 20.0], [10.009, 19.981], [10, 20]])
def test_an_answer_within_the_tolerance_matches(body: Any) -> None:
    assert GOLDEN.mismatch(REQUEST, answer(body)) is None


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ([10.0, 20.03], "20.03 instead of 20 in row 1"),
        ([10.0], "[10] instead of a list of 2 predictions"),
        ({"predictions": [10.0, 20.0]}, "instead of a list of 2 predictions"),
        ([10.0, None], "null instead of 20 in row 1"),
        ([10.0, "20.0"], "20.0 instead of 20 in row 1"),
        ([10.0, [20.0]], "[20] instead of 20 in row 1"),
        ([10.0, True], "true instead of 20 in row 1"),
        ([10.0, float("nan")], "nan instead of 20 in row 1"),
        ("not JSON", "not JSON instead of a list"),
    ],
)
def test_any_other_answer_is_named(body: Any, reason: str) -> None:
    mismatch = GOLDEN.mismatch(REQUEST, answer(body))
    assert mismatch is not None
    assert reason in mismatch


@pytest.mark.parametrize(
    ("expected", "same", "other"),
    [
        (["benign", "malign"], ["benign", "malign"], ["benign", "benign"]),
        ([True, False], [True, False], [1, 0]),
        ([1_000_000, 2], [1_000_000, 2], [1_000_001, 2]),
        ([[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.0001], [3.0, 4.0]], [[1.0, 2.0], [3.0]]),
        ([["a", 1.0]], [["a", 1]], [["b", 1.0]]),
    ],
)
def test_labels_are_equal_or_wrong_and_lists_of_outputs_are_compared_one_by_one(
    expected: list[Any], same: list[Any], other: list[Any]
) -> None:
    request = GoldenRequest(id="golden-00", body={}, predictions=tuple(expected))
    assert GOLDEN.mismatch(request, answer(same)) is None
    assert GOLDEN.mismatch(request, answer(other)) is not None


def test_a_failed_request_is_no_match_whatever_its_body() -> None:
    assert GOLDEN.mismatch(REQUEST, answer([10.0, 20.0], status=424)) == "status 424 ([10, 20]) instead of 200"


def test_one_wrong_answer_refuses_the_candidate_and_names_it() -> None:
    results = (SmokeCheck("golden-00", "[1]", "[1]", None), SmokeCheck("golden-01", "[1]", "[2]", "2 instead of 1"))
    with pytest.raises(
        Breach, match="green answered 1 of 2 golden requests wrongly: golden-01 got 2 instead of 1"
    ) as e:
        refuse_if_wrong(results, "green")
    assert e.value.outcome is Outcome.REFUSED_BY_SMOKE


def test_no_wrong_answer_refuses_nothing() -> None:
    refuse_if_wrong((SmokeCheck("golden-00", "[1]", "[1]", None),), "green")


def test_a_folder_without_metadata_is_bad_input_that_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"metadata.json cannot be read .*python -m model train"):
        read_artefacts(tmp_path)


def test_golden_requests_without_a_single_request_are_bad_input(tmp_path: Path) -> None:
    (tmp_path / "metadata.json").write_text(json.dumps({"name": "m", "version": "1", "golden_requests_file": "g.json"}))
    (tmp_path / "g.json").write_text('{"absolute_tolerance": 0, "relative_tolerance": 0, "requests": []}')
    with pytest.raises(BadInputError, match=r"g\.json cannot be read"):
        read_artefacts(tmp_path)

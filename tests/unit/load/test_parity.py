from typing import Any

import numpy as np
import pytest

from load.gate import judge
from load.parity import parity
from load.rows import Rows, make_rows
from load.verdict import Outcome
from tests.lib.load_samples import POLICY, synthetic_rows
from tests.lib.parity_samples import ALIKE, FORM, INFINITE, NAN, UNREADABLE, answered, compared, each, once

pytestmark = pytest.mark.unit


# The same model


def test_the_same_answers_of_the_same_model_are_alike() -> None:
    found, criteria = compared(answered(each([[1.5], [2.5]]), each([[1.5], [2.5]])))
    assert (found.same_model, found.steady, found.compared, found.values, found.unlike) == (True, True, 2, 2, 0)
    assert {name: criterion.result for name, criterion in criteria.items()} == {FORM: "PASS", ALIKE: "PASS"}
    assert criteria[ALIKE].reason == "all 2 payloads were answered like live"


@pytest.mark.parametrize(
    ("live", "candidate", "alike"),
    [
        (100.0, 100.0009, True),  # 1e-6 + 1e-5 x 100
        (100.0, 100.0011, False),
        (-100.0, -100.0009, True),
        (0.0, 5e-7, True),
        (0.0, 2e-6, False),
        (1, 1.0, True),
        (7, 8, False),
        ("yes", "yes", True),
        ("yes", "no", False),
        (True, False, False),
        (None, None, True),
        (NAN, NAN, True),
        ([NAN, 1.0], [NAN, 1.0 + 1e-9], True),
        ([NAN, 1.0], [INFINITE, 1.0 + 1e-9], False),
        (INFINITE, INFINITE, True),
        (INFINITE, -INFINITE, False),
        (10**400, 10**400, True),
        (10**400, 10**400 + 1, False),
        (10**400, -(10**400), False),
        (1e308, -1e308, False),
        ([], [], True),
        ([[1.0, "a"], [2.0, "b"]], [[1.0, "a"], [2.0, "b"]], True),
        ([[1.0, "a"], [2.0, "b"]], [[1.0, "a"], [2.0, "c"]], False),
    ],
)
def test_the_same_model_has_to_answer_alike_within_the_tolerance(live: Any, candidate: Any, *, alike: bool) -> None:
    found, criteria = compared(answered(once([live]), once([candidate])))
    assert criteria[FORM].result is Outcome.PASS
    assert found.unlike == (0 if alike else 1)
    assert criteria[ALIKE].result is (Outcome.PASS if alike else Outcome.FAIL)


@pytest.mark.parametrize(
    ("live", "candidate"),
    [
        (1.0, NAN),
        (NAN, 1.0),
        (1.0, INFINITE),
        (INFINITE, 1.0),
        (10**400, 1.0),
        (1.0, None),
        (1.0, "1.0"),
        (1, True),
        (0, False),
        ("yes", None),
        ("yes", True),
        (NAN, None),
        (1.0, [1.0, 2.0]),
        (1.0, []),
        ({"score": 1.0}, {"value": 1.0}),
    ],
)
def test_what_is_no_number_or_another_kind_is_never_like_live(live: Any, candidate: Any) -> None:
    found, criteria = compared(answered(once([live]), once([candidate])))
    assert found.unlike == 1 or criteria[FORM].result is Outcome.FAIL
    assert criteria[ALIKE].result is Outcome.FAIL or criteria[FORM].result is Outcome.FAIL
    assert Outcome.FAIL in {criterion.result for criterion in criteria.values()}


def test_unlike_answers_are_told_with_a_payload_and_both_predictions() -> None:
    live, candidate = each([[1.0], [2.0], [3.0]]), each([[1.0], [2.5], [9.0]])
    found, criteria = compared(answered(live, candidate))
    assert criteria[ALIKE].measured == 2 / 3
    assert criteria[ALIKE].reason == (
        "2 of 3 payloads were answered unlike live, though both name one model version (line-2: 9 instead of 3), "
        "0.00 % are allowed"
    )
    assert [(worst.payload, worst.live, worst.candidate, worst.difference) for worst in found.worst] == [
        ("line-2", "3", "9", 6.0),
        ("line-1", "2", "2.5", 0.5),
    ]


def test_the_worst_are_five_and_those_that_differ_by_no_number_come_first() -> None:
    live, candidate = each([[float(n)] for n in range(8)]), each([[float(n * n)] for n in range(7)] + [["text"]])
    found, _ = compared(answered(live, candidate))
    assert [worst.payload for worst in found.worst] == ["line-7", "line-6", "line-5", "line-4", "line-3"]
    assert found.worst[0].difference is None


def test_of_one_payload_the_prediction_that_differs_most_is_told() -> None:
    found, _ = compared(answered(once([1.0, 2.0, 3.0]), once([1.5, 9.0, 3.0])))
    assert (found.worst[0].live, found.worst[0].candidate, found.worst[0].difference) == ("2", "9", 7.0)


def test_a_share_of_unlike_payloads_can_be_allowed() -> None:
    rows = answered(each([[1.0]] * 10), each([[1.0]] * 9 + [[2.0]]))
    assert compared(rows, max_unlike_ratio=0.1)[1][ALIKE].result is Outcome.PASS
    assert compared(rows, max_unlike_ratio=0.09)[1][ALIKE].result is Outcome.FAIL
    assert ALIKE not in compared(rows, max_unlike_ratio="off")[1]


def test_a_candidate_that_answers_right_at_first_and_wrong_later_is_unlike() -> None:
    found, criteria = compared(answered({"golden-00": [[1.0], [1.0]]}, {"golden-00": [[1.0], [2.0], [1.0]]}))
    assert found.steady
    assert criteria[ALIKE].result is Outcome.FAIL


def test_a_live_that_does_not_answer_alike_itself_is_nothing_to_hold_the_candidate_to() -> None:
    found, criteria = compared(answered({"golden-00": [[1.0], [1.5]]}, {"golden-00": [[7.0]]}))
    assert not found.steady
    assert found.unlike == 1
    assert set(criteria) == {FORM}


def test_a_live_whose_answers_differ_within_the_tolerance_is_steady() -> None:
    found, criteria = compared(answered({"golden-00": [[1.0], [1.0 + 1e-9]]}, {"golden-00": [[1.0 + 2e-9]]}))
    assert found.steady
    assert criteria[ALIKE].result is Outcome.PASS


def test_what_stands_beside_the_predictions_is_not_compared() -> None:
    live = {"golden-00": [{"predictions": [1.0], "took_ms": 3}, {"predictions": [1.0], "took_ms": 4}]}
    found, criteria = compared(answered(live, once({"predictions": [1.0], "took_ms": 9, "id": "x"})))
    assert found.steady
    assert {criterion.result for criterion in criteria.values()} == {Outcome.PASS}


# The form


@pytest.mark.parametrize(
    ("live", "candidate", "reason"),
    [
        ([1.0, 2.0], [1.0], "1 predictions instead of 2"),
        ([1.0], ["a"], "text at [] instead of number at []"),
        ([1.0], [None], "null at [] instead of number at []"),
        ([1.0], [NAN], "NaN or infinite at [] instead of number at []"),
        (["a"], [None], "null at [] instead of text at []"),
        ([1], [True], "truth value at [] instead of number at []"),
        ([1.0], [[1.0]], "number at [][] instead of number at []"),
        ([1.0], {"predictions": [1.0]}, "number at .predictions[] instead of number at []"),
        ([1.0], 1.0, "number instead of number at []"),
        ([{"score": 1.0}], [{"Score": 1.0}], "number at [].Score instead of number at [].score"),
    ],
)
def test_answers_in_another_form_fail_whatever_the_model(live: Any, candidate: Any, reason: str) -> None:
    for models in (("1", "1"), ("1", "2"), ("", "")):
        _, criteria = compared(answered(once(live), once(candidate), models))
        assert criteria[FORM].result is Outcome.FAIL
        assert criteria[FORM].reason == (
            f"1 of 1 payloads were answered in another form than live's (golden-00: {reason})"
        )


def test_an_answer_that_live_itself_gives_at_times_has_the_form_of_lives() -> None:
    live = {"golden-00": [[1.0], [None]]}
    assert compared(answered(live, once([None]), ("1", "2")))[1][FORM].result is Outcome.PASS
    assert compared(answered(live, once(["a"]), ("1", "2")))[1][FORM].result is Outcome.FAIL


def test_a_candidate_none_of_whose_answers_can_be_read_fails() -> None:
    found, (criterion,) = parity(answered(each([[1.0]] * 3), each([UNREADABLE] * 3)), POLICY, 0.95)
    assert found is None
    assert criterion.name == FORM
    assert criterion.result is Outcome.FAIL
    assert "none of the candidate's answers to 3 payloads could be read (no JSON, or over 16 KiB)" in criterion.reason


def test_a_live_none_of_whose_answers_can_be_read_is_told_as_such() -> None:
    _, (criterion,) = parity(answered(each([UNREADABLE] * 3), each([[1.0]] * 3)), POLICY, 0.95)
    assert "none of live's answers to 3 payloads could be read" in criterion.reason


def test_answers_too_long_to_keep_are_left_out_where_others_can_be_compared() -> None:
    found, criteria = compared(answered(each([[1.0], UNREADABLE, [1.0]]), each([[1.0], [1.0], UNREADABLE])))
    assert found.compared == 1
    assert criteria[FORM].result is Outcome.PASS


# Nothing to compare


def test_answers_that_nobody_could_read_of_either_decide_nothing() -> None:
    assert parity(answered(once(UNREADABLE), once(UNREADABLE)), POLICY, 0.95) == (None, ())


def test_without_live_nothing_is_compared() -> None:
    assert parity(answered({}, once([1.0]), live_name=None), POLICY, 0.95) == (None, ())


def test_payloads_that_only_one_has_answered_are_not_compared() -> None:
    assert parity(answered({"a": [[1.0]]}, {"b": [[1.0]]}), POLICY, 0.95) == (None, ())


def test_answers_that_were_not_kept_are_not_compared() -> None:
    rows = answered(once([1.0]), once([2.0]))
    forgotten = make_rows(rows.plan, rows.end, [], {})
    assert parity(forgotten, POLICY, 0.95) == (None, ())
    assert parity(synthetic_rows(), POLICY, 0.95) == (None, ())


def test_a_candidate_that_answers_otherwise_fails_the_gate_and_the_sentence_says_so() -> None:
    rows = synthetic_rows()
    names = np.where(rows.role == "live", "ours", "theirs")
    wrong = Rows(
        **{**vars(rows), "answer": names, "model": np.full(len(rows), "1"), "answers": {"ours": [1.0], "theirs": [3.0]}}
    )
    verdict = judge(wrong, POLICY)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.sentence.startswith("green answers otherwise: 8 of 8 payloads were answered unlike live")
    assert verdict.parity is not None
    assert verdict.parity.compared == 8

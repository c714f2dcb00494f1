import numpy as np
import pytest

from benchmarks import dialects
from benchmarks.cases import CASES
from benchmarks.contenders import AZMLINFSRV, LIMIT, MORE_PEERS, OURS, PLAIN, Contender
from benchmarks.environments import LOCKS
from benchmarks.errors import BenchmarkError
from benchmarks.rounds import Measured, check_answers, ratios
from benchmarks.wrk import Reading
from tests.lib.bench_server import AnsweringServer

pytestmark = pytest.mark.unit

ROWS = np.array([[1.0, 2.0], [3.0, 4.0]])


def readings(*rates: float) -> list[Reading]:
    return [Reading(rate, 1.0, 2.0) for rate in rates]


def test_ratios_are_of_the_same_round() -> None:
    table = [Measured(OURS, readings(100, 200)), Measured(PLAIN, readings(10, 40))]
    assert ratios(table, OURS, PLAIN) == [10.0, 5.0]


def test_there_is_no_ratio_to_a_server_that_failed_or_was_not_asked() -> None:
    table = [Measured(OURS, readings(100)), Measured(PLAIN, readings(10), failure="it ended")]
    assert ratios(table, OURS, PLAIN) == []
    assert ratios(table, OURS, AZMLINFSRV) == []


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ((200, b"[3.0, 7.5]"), "predicts otherwise"),
        ((200, b"[3.0]"), "predicts otherwise"),
        ((200, b"5"), "cannot be read"),
        ((200, b"not JSON"), "cannot be read"),
        ((500, b"[3.0, 7.0]"), "answers 500"),
    ],
)
def test_a_server_that_answers_wrongly_is_not_timed(answer: tuple[int, bytes], complaint: str) -> None:
    with pytest.raises(BenchmarkError, match=complaint):
        check_answers(PLAIN, AnsweringServer(*answer), [PLAIN.dialect.body(ROWS)], [[3.0, 7.0]])


def test_a_server_that_answers_as_model_predict_does_is_timed() -> None:
    check_answers(PLAIN, AnsweringServer(200, b"[3.0, 7.0]"), [PLAIN.dialect.body(ROWS)], [[3.0, 7.0]])


def test_the_limit_needs_to_answer_only() -> None:
    check_answers(LIMIT, AnsweringServer(200, b"[1.0]"), [LIMIT.dialect.body(ROWS)], [[3.0, 7.0]])


def test_every_peer_with_an_environment_of_its_own_has_a_hashed_lock() -> None:
    for peer in MORE_PEERS:
        lock = (LOCKS / f"{peer.lock}.txt").read_text()
        assert f"\n{peer.packages[0]}==" in f"\n{lock}"
        assert "--hash=sha256:" in lock


@pytest.mark.parametrize("contender", [PLAIN, *MORE_PEERS], ids=lambda contender: contender.name)
def test_a_body_is_one_line_with_every_number(contender: Contender) -> None:
    body = contender.dialect.body(ROWS)
    assert "\n" not in body
    for number in ("1.0", "2.0", "3.0", "4.0"):
        assert number in body


def test_open_inference_answers_are_read() -> None:
    assert dialects.OPEN_INFERENCE.predictions(b'{"outputs": [{"data": [1, 2.5]}]}') == [1.0, 2.5]


def test_every_bound_is_of_contenders_of_its_case() -> None:
    for case in CASES:
        for bound in case.bounds:
            assert {bound.contender, bound.peer} <= set(case.contenders)

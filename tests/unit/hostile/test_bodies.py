"""Bodies of every sort to a running service, each answer held against the contract and model.predict."""

import json
import threading
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz.bodies import bodies
from fuzz.checks import violation
from fuzz.fields import NUMBERS
from fuzz.oracle import expect
from fuzz.targets import ScoringClient
from tests.lib.raw_http import ask, connected, read_answers, request
from tests.unit.hostile.conftest import Target

pytestmark = pytest.mark.unit

MOST_ROWS = 10_000
CLIENTS = 16
NAMES = [field.name for field in NUMBERS]
CELLS = st.floats(-1e6, 1e6) | st.integers(-(10**6), 10**6)
ROWS = st.lists(st.lists(CELLS, min_size=len(NAMES), max_size=len(NAMES)), min_size=1, max_size=5)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["data", "columns", *NAMES]), inner),
    max_leaves=30,
)
MANY = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def check(target: Target, body: bytes) -> None:
    client = ScoringClient(target.port)
    try:
        assert violation(client.post(body), expect(body, NUMBERS, MOST_ROWS), target.predict) is None, body
    finally:
        client.close()


def test_10_000_malformed_bodies_are_refused_one_by_one(target: Target) -> None:
    malformed = (body for body in bodies(NUMBERS, seed=3) if expect(body, NUMBERS, MOST_ROWS).rows is None)
    client = ScoringClient(target.port)
    try:
        for body in islice(malformed, 10_000):
            found = violation(client.post(body), expect(body, NUMBERS, MOST_ROWS), target.predict)
            assert found is None, body
    finally:
        client.close()


@MANY
@given(rows=ROWS, order=st.permutations(range(len(NAMES))))
def test_all_three_forms_are_answered_as_model_predict_does(target: Target, rows: Any, order: list[int]) -> None:
    columns = {"columns": [NAMES[at] for at in order], "data": [[row[at] for at in order] for row in rows]}
    records = {"data": [{NAMES[at]: row[at] for at in order} for row in rows]}
    for document in ({"data": rows}, columns, records):
        check(target, json.dumps(document).encode())


@MANY
@given(document=JSON_VALUES | st.fixed_dictionaries({"data": JSON_VALUES}, optional={"columns": JSON_VALUES}))
def test_any_json_is_rows_or_refused(target: Target, document: Any) -> None:
    check(target, json.dumps(document).encode())


@MANY
@given(body=st.binary(max_size=300))
def test_any_bytes_are_refused(target: Target, body: bytes) -> None:
    check(target, body)


def test_score_and_predict_agree_on_bodies_of_every_sort(target: Target) -> None:
    client = ScoringClient(target.port)
    try:
        for body in islice(bodies(NUMBERS, seed=4), 1000):
            scored, predicted = client.post(body), client.post(body, "/predict")
            assert scored.status == predicted.status, body
            document = json.loads(predicted.body)
            answered = document["predictions"] if scored.status == 200 else document
            assert json.loads(scored.body) == answered, body
    finally:
        client.close()


@pytest.mark.parametrize("path", ["/score", "/predict"])
def test_a_body_beyond_the_limit_is_refused_before_it_is_parsed(target: Target, path: str) -> None:
    assert ask(target.port, request(b"[" * 5_000_000, path=path)).code == "body_too_large"


def test_among_good_and_bad_requests_at_once_each_gets_its_own_answer(target: Target) -> None:
    """As many clients as cores of a front: whatever shares a batch, ids and predictions stay apart."""
    random = np.random.default_rng(5)
    complaints: list[str] = []

    def converse(number: int, rows: list[list[float]]) -> None:
        made = bodies(NUMBERS, seed=100 + number)
        with connected(target.port) as connection:
            for turn, row in enumerate(rows):
                body = json.dumps({"data": [row]}).encode() if turn % 2 else next(made)
                request_id = f"client-{number}-{turn}"
                connection.sendall(request(body, f"x-request-id: {request_id}"))
                (answer,) = read_answers(connection, 1)
                if answer.headers["x-request-id"] != request_id:
                    complaints.append(f"{request_id} was answered to {answer.headers['x-request-id']}")
                found = violation(answer, expect(body, NUMBERS, MOST_ROWS), target.predict)
                if found:
                    complaints.append(f"{found}: {body!r}")

    # Rows that differ by orders of magnitude, so that another's prediction would show.
    every_row = (random.normal(size=(CLIENTS, 100, len(NAMES))) * 10.0 ** np.arange(CLIENTS)[:, None, None]).tolist()
    threads = [threading.Thread(target=converse, args=(number, rows)) for number, rows in enumerate(every_row)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not complaints

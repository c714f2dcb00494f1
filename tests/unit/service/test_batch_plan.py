import time

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor

from service.engine.batch_plan import INLINE_LIMIT_S, MAX_BATCH_ROWS, plan_batches
from service.model_predictor import Floats

pytestmark = pytest.mark.unit

ROWS = np.random.default_rng(3).normal(size=(16, 4))


def row_sums(rows: Floats) -> Floats:
    return np.asarray(np.vecdot(rows, np.ones(4)))


def test_a_quick_model_whose_rows_stand_alone_is_batched_on_the_event_loop() -> None:
    plan = plan_batches(row_sums, ROWS)
    assert plan.batch_rows > 100
    assert plan.inline_rows > 0


def test_a_model_whose_answer_depends_on_the_other_rows_is_never_batched() -> None:
    assert plan_batches(lambda rows: row_sums(rows) + rows.mean(), ROWS).batch_rows == 1
    assert plan_batches(lambda rows: row_sums(rows) + len(rows), ROWS).batch_rows == 1


def test_a_model_that_answers_otherwise_from_some_size_on_is_batched_below_it() -> None:
    plan = plan_batches(lambda rows: row_sums(rows) * (1 + 1e-9 * (len(rows) > 20)), ROWS)
    assert plan.batch_rows == 13  # the largest size tried at which the answers were the same


def test_a_model_that_takes_its_time_is_predicted_in_a_thread() -> None:
    def slow(rows: Floats) -> Floats:
        time.sleep(40 * INLINE_LIMIT_S)
        return row_sums(rows)

    plan = plan_batches(slow, ROWS)
    assert plan.inline_rows == 0
    assert 1 < plan.batch_rows <= MAX_BATCH_ROWS


def test_a_model_that_takes_its_time_for_each_row_shares_no_calls_it_would_only_lengthen() -> None:
    def slow(rows: Floats) -> Floats:
        time.sleep(0.03 * len(rows))
        return row_sums(rows)

    assert plan_batches(slow, ROWS).batch_rows == 1


def test_a_forest_is_batched_and_answers_the_same_in_every_batch() -> None:
    forest = RandomForestRegressor(20, random_state=1).fit(ROWS, row_sums(ROWS))
    plan = plan_batches(forest.predict, ROWS)
    assert plan.batch_rows > 1
    together = forest.predict(np.resize(ROWS, (plan.batch_rows, 4)))
    assert np.array_equal(together[:16], [forest.predict(row[None])[0] for row in ROWS][: len(together)])


def test_labels_are_compared_as_numbers_are() -> None:
    def label(rows: Floats) -> np.ndarray:
        return np.where(rows.sum(axis=1) > 0, "up", "down").astype(object)

    assert plan_batches(label, ROWS).batch_rows > 1

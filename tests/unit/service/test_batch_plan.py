import time
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.svm import SVR

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


@pytest.mark.parametrize(
    "is_other",
    [
        lambda rows: len(rows) > 20,
        lambda rows: len(rows) == 8,
        lambda rows: (np.arange(len(rows)) == 3) & (len(rows) < 5),
    ],
    ids=["from 21 rows on", "at 8 rows", "in the fourth of four rows"],
)
def test_a_model_that_answers_otherwise_at_some_size_or_place_is_never_batched(
    is_other: Callable[[Floats], bool | NDArray[np.bool_]],
) -> None:
    assert plan_batches(lambda rows: row_sums(rows) * (1 + 1e-9 * is_other(rows)), ROWS).batch_rows == 1


def test_a_model_that_answers_a_few_rows_otherwise_is_never_batched() -> None:
    # As where exp() of several numbers at once rounds one in some hundred differently.
    def predict(rows: Floats) -> Floats:
        rare = (rows[:, 0] > 2.7) & (len(rows) > 1)  # one row in 300
        return row_sums(rows) * (1 + 1e-15 * rare)

    rows = np.random.default_rng(4).normal(size=(4096, 4))
    assert 0 < np.count_nonzero(rows[:, 0] > 2.7) < 20
    assert plan_batches(predict, rows).batch_rows == 1


@pytest.mark.parametrize(
    "model",
    [
        Ridge(),
        MLPRegressor(hidden_layer_sizes=(20,), max_iter=20, random_state=2),
        SVR(),
        KNeighborsRegressor(),
        HistGradientBoostingRegressor(max_iter=10),
    ],
    ids=repr,
)
@pytest.mark.parametrize("features", [2, 7, 10])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_no_answer_of_a_batch_that_is_made_differs_from_the_rows_own(model: RegressorMixin, features: int) -> None:
    random = np.random.default_rng(features)
    training = random.normal(size=(300, features))
    model.fit(training, np.exp(0.3 * training.sum(axis=1)))
    batch_rows = plan_batches(model.predict, random.normal(size=(4096, features))).batch_rows
    rows = random.normal(size=(200, features))
    alone = np.concatenate([model.predict(row[np.newaxis]) for row in rows])
    for size in range(2, min(batch_rows, 20) + 1):
        for start in range(0, len(rows) - size, size):
            assert np.array_equal(model.predict(rows[start : start + size]), alone[start : start + size]), size


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

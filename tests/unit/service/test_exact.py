from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from sklearn.base import RegressorMixin
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor, Ridge, SGDRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from service.engine.exact import exact_model

pytestmark = pytest.mark.unit

RANDOM = np.random.default_rng(5)
ROWS = RANDOM.normal(size=(200, 6))
TARGETS = np.abs(ROWS @ RANDOM.normal(size=6) + 0.1 * RANDOM.normal(size=200)) + 1.0
UNSEEN = RANDOM.normal(scale=3.0, size=(300, 6))


class NeverNegative(Ridge):  # type: ignore[misc]  # scikit-learn ships no type information
    """A user's own model: its inherited coefficients are not all that it predicts with."""

    def predict(self, rows: Any) -> Any:
        return np.maximum(super().predict(rows), 0.0)


@pytest.mark.parametrize(
    "model",
    [
        Ridge(),
        LinearRegression(fit_intercept=False),
        SGDRegressor(random_state=0),
        make_pipeline(StandardScaler(), Ridge()),
        make_pipeline(StandardScaler(with_mean=False), StandardScaler(with_std=False), LinearRegression()),
        RandomForestRegressor(30, random_state=0),
        make_pipeline(StandardScaler(), ExtraTreesRegressor(30, random_state=0)),
        GradientBoostingRegressor(n_estimators=30, random_state=0),
        GradientBoostingRegressor(n_estimators=30, init="zero", loss="huber", random_state=0),
    ],
    ids=repr,
)
def test_a_direct_predictor_answers_what_the_model_answers(model: RegressorMixin) -> None:
    model.fit(ROWS, TARGETS)
    exact = exact_model(model, ROWS[:32])
    assert exact is not None
    np.testing.assert_allclose(exact.predict(UNSEEN), model.predict(UNSEEN), rtol=1e-12, atol=1e-12)
    one_by_one = [exact.predict(row[np.newaxis])[0] for row in UNSEEN]
    assert np.array_equal(exact.predict(UNSEEN), one_by_one)


@pytest.mark.parametrize(
    "model",
    [
        NeverNegative(),
        PoissonRegressor(),
        HistGradientBoostingRegressor(max_iter=10),
        make_pipeline(PolynomialFeatures(), Ridge()),
    ],
    ids=repr,
)
def test_a_model_without_a_direct_predictor_is_left_to_itself(model: RegressorMixin) -> None:
    assert exact_model(model.fit(ROWS, TARGETS), ROWS[:32]) is None


def test_classifiers_and_models_of_several_outputs_are_left_to_themselves() -> None:
    assert exact_model(LogisticRegression().fit(ROWS, TARGETS > 2), ROWS[:32]) is None
    both = np.column_stack([TARGETS, TARGETS])
    assert exact_model(Ridge().fit(ROWS, both), ROWS[:32]) is None
    assert exact_model(RandomForestRegressor(5).fit(ROWS, both), ROWS[:32]) is None


def test_a_direct_predictor_that_answers_otherwise_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Ridge().fit(ROWS, TARGETS)
    predict = model.predict
    monkeypatch.setattr(model, "predict", lambda rows: predict(rows) * (1 + 1e-10))
    assert exact_model(model, ROWS[:32]) is None


def test_what_a_tree_cannot_hold_in_32_bits_is_left_to_the_model() -> None:
    model = RandomForestRegressor(5, random_state=0).fit(ROWS, TARGETS)
    exact = exact_model(model, ROWS[:32])
    assert exact is not None
    with np.errstate(over="ignore"), pytest.raises(ValueError, match="too large for dtype"):
        exact.predict(np.full((1, 6), 1e300))


@pytest.mark.parametrize("missing", [[0], [3, 7], range(20)], ids=["one", "two", "all"])
def test_a_row_with_a_missing_value_changes_no_other_rows_answer(missing: Sequence[int]) -> None:
    # On several threads a forest adds its trees up in another order each time.
    model = RandomForestRegressor(60, random_state=0, n_jobs=2).fit(ROWS, TARGETS)
    exact = exact_model(model, ROWS[:32])
    assert exact is not None
    rows = UNSEEN[:20].copy()
    alone = exact.predict(rows)
    rows[list(missing), 2] = np.nan
    answers = exact.predict(rows)
    others = np.setdiff1d(np.arange(20), list(missing))
    assert np.array_equal(answers[others], alone[others])
    np.testing.assert_allclose(answers, model.predict(rows), rtol=1e-12)


def test_a_row_that_overflows_changes_no_other_rows_answer() -> None:
    exact = exact_model(Ridge().fit(ROWS, 1000 * TARGETS), ROWS[:32])
    assert exact is not None
    rows = UNSEEN[:20].copy()
    alone = exact.predict(rows)
    rows[5] = 1.7e308 * np.sign(exact.coef_)
    with np.errstate(over="ignore", invalid="ignore"):
        answers = exact.predict(rows)
    assert not np.isfinite(answers[5])
    assert np.array_equal(np.delete(answers, 5), np.delete(alone, 5))


def test_everything_but_predict_is_the_models_own() -> None:
    exact = exact_model(Ridge(alpha=3.0).fit(ROWS, TARGETS), ROWS[:32])
    assert exact is not None
    assert exact.alpha == 3.0

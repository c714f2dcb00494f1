"""Direct predictors: the answers of model.predict without its cost for each call, where they prove to be the same."""

from collections.abc import Callable
from typing import Any

import numpy as np

from service.model_predictor import Floats

Predict = Callable[[Floats], Floats]

TOLERANCE = 1e-12


class ExactModel:
    """A model whose predict() takes the short way; everything else is the model's own."""

    def __init__(self, model: Any, predict: Predict) -> None:
        self._model = model
        self.predict = predict

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


def exact_model(model: Any, rows: Floats) -> ExactModel | None:
    """Return the model with a direct predictor where there is one and it answers these rows as model.predict does.

    To TOLERANCE, relative to the largest prediction. None for every model that is not a single-output scikit-learn
    linear regression or tree ensemble, alone or behind standard scaling.
    """
    try:
        predict = _direct_predictor(model)
        if predict is None:
            return None
        expected = np.asarray(model.predict(rows), dtype=np.float64)
        answered = predict(rows)
        one_by_one = np.concatenate([predict(row[np.newaxis]) for row in rows])
    except Exception:  # noqa: BLE001 - the direct way leans on a library's inside, which may change in any way
        return None
    scale = float(np.max(np.abs(expected), initial=1.0))
    for candidate in (answered, one_by_one):
        if candidate.shape != expected.shape or not np.allclose(
            candidate, expected, rtol=TOLERANCE, atol=TOLERANCE * scale
        ):
            return None
    return ExactModel(model, _or_the_model(model, predict))


def _or_the_model(model: Any, predict: Predict) -> Predict:
    """Leave to the model itself the rows that overflow: it refuses such, and says so."""

    def predict_or_leave(rows: Floats) -> Floats:
        with np.errstate(over="ignore", invalid="ignore"):
            predictions = predict(rows)
        finite = np.isfinite(predictions)
        if np.count_nonzero(finite) < len(rows):
            predictions[~finite] = model.predict(rows[~finite])
        return predictions

    return predict_or_leave


def _direct_predictor(model: Any) -> Predict | None:
    # A class of the user's own may add to the arithmetic of the class it extends, and beyond the proof's rows alone.
    if not type(model).__module__.startswith("sklearn."):
        return None
    match type(model).__name__:
        case "Pipeline":
            return _pipeline(model)
        case "RandomForestRegressor" | "ExtraTreesRegressor":
            return _forest(model)
        case "GradientBoostingRegressor":
            return _gradient_boosting(model)
        case _ if hasattr(model, "coef_") and hasattr(model, "intercept_"):
            return _linear(model)
        case _:
            return None


def _pipeline(pipeline: Any) -> Predict | None:
    *transformers, final = (step for _, step in pipeline.steps)
    predict = _direct_predictor(final)
    if predict is None or any(type(step).__name__ != "StandardScaler" for step in transformers):
        return None
    scalings = [(step.mean_ if step.with_mean else 0.0, step.scale_ if step.with_std else 1.0) for step in transformers]

    def scale_and_predict(rows: Floats) -> Floats:
        for mean, scale in scalings:
            rows = (rows - mean) / scale
        return predict(rows)

    return scale_and_predict


def _linear(model: Any) -> Predict | None:
    coefficients = np.ascontiguousarray(model.coef_, dtype=np.float64)
    intercepts = np.ravel(model.intercept_)
    if coefficients.ndim != 1 or intercepts.size != 1:
        return None
    intercept = float(intercepts[0])

    def predict(rows: Floats) -> Floats:
        # Row by row: a matrix product rounds differently with the number of rows, so an answer would depend on the
        # requests beside it.
        products: Floats = np.vecdot(rows, coefficients)
        return products + intercept

    return predict


def _forest(model: Any) -> Predict | None:
    if model.n_outputs_ != 1:
        return None
    add_trees = _tree_sum([[tree] for tree in model.estimators_], scale=1.0)
    trees = len(model.estimators_)
    return _on_finite_float32(model, lambda rows: add_trees(rows, 0.0) / trees)


def _gradient_boosting(model: Any) -> Predict | None:
    start = 0.0 if model.init_ == "zero" else float(model.init_.constant_.ravel()[0])
    add_trees = _tree_sum(model.estimators_.tolist(), scale=model.learning_rate)
    return _on_finite_float32(model, lambda rows: add_trees(rows, start))


def _tree_sum(estimators: list[list[Any]], scale: float) -> Callable[[Any, float], Floats]:
    # Private to scikit-learn; exact_model() holds its answers against model.predict's before any is given.
    from sklearn.ensemble._gradient_boosting import predict_stages  # noqa: PLC0415 - after the model's own imports

    stages = np.array(estimators, dtype=object)

    def add_trees(rows: Any, start: float) -> Floats:
        sums = np.full((len(rows), 1), start, dtype=np.float64)
        predict_stages(stages, rows, scale, sums)
        return sums[:, 0]

    return add_trees


def _on_finite_float32(model: Any, predict: Callable[[Any], Floats]) -> Predict:
    """Leave to the model itself the rows that trees treat apart: with values missing or beyond a 32-bit float.

    Those rows alone: a model that predicts on several threads adds up in an order of its own each time.
    """

    def predict_or_leave(rows: Floats) -> Floats:
        with np.errstate(over="ignore"):
            narrow = np.ascontiguousarray(rows, dtype=np.float32)
        finite = np.isfinite(narrow)
        if finite.all():
            return predict(narrow)
        apart = ~finite.all(axis=1)
        predictions = np.empty(len(rows), dtype=np.float64)
        predictions[apart] = model.predict(rows[apart])
        if not apart.all():
            predictions[~apart] = predict(narrow[~apart])
        return predictions

    return predict_or_leave

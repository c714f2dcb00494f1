"""Train on scikit-learn's diabetes set: 442 patients, 10 measurements each, disease progression after a year."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

Floats = NDArray[np.float64]

TARGET = "disease progression one year after baseline (25 to 346)"
RANDOM_STATE = 7


@dataclass(frozen=True)
class Dataset:
    """Rows to train on and rows to test with; `features` names the columns in their order."""

    features: tuple[str, ...]
    train_rows: Floats
    train_targets: Floats
    test_rows: Floats
    test_targets: Floats


@dataclass(frozen=True)
class Metrics:
    """How well a model does on the test rows."""

    r2: float
    mean_absolute_error: float
    rows_trained: int
    rows_tested: int


def load_dataset() -> Dataset:
    """Return the diabetes set, a fifth of it held back for testing, split the same way each time."""
    bunch = load_diabetes(scaled=False)
    train_rows, test_rows, train_targets, test_targets = train_test_split(
        bunch.data, bunch.target, test_size=0.2, random_state=RANDOM_STATE
    )
    return Dataset(tuple(bunch.feature_names), train_rows, train_targets, test_rows, test_targets)


def train(dataset: Dataset, *, alpha: float) -> Pipeline:
    """Return a fitted pipeline: standardised features, ridge regression with the penalty `alpha` (0 or more)."""
    return make_pipeline(StandardScaler(), Ridge(alpha=alpha)).fit(dataset.train_rows, dataset.train_targets)


def evaluate(pipeline: Pipeline, dataset: Dataset) -> Metrics:
    """Measure the pipeline on the rows it has not seen."""
    predicted = pipeline.predict(dataset.test_rows)
    return Metrics(
        r2=float(r2_score(dataset.test_targets, predicted)),
        mean_absolute_error=float(mean_absolute_error(dataset.test_targets, predicted)),
        rows_trained=len(dataset.train_rows),
        rows_tested=len(dataset.test_rows),
    )

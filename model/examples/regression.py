"""Regression on an array: scikit-learn's diabetes set, 442 patients, disease progression after a year."""

from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from model.trained import Trained, first_share

NAME = "diabetes"
SEED = 7
ALPHA = 1.0


def train(rows_share: float = 1.0) -> Trained:
    """Fit on a share of the training rows; a fifth of all rows is held back for testing."""
    dataset = load_diabetes(scaled=False)
    train_rows, test_rows, train_targets, test_targets = train_test_split(
        dataset.data, dataset.target, test_size=0.2, random_state=SEED
    )
    train_rows, train_targets = first_share(train_rows, rows_share), first_share(train_targets, rows_share)

    model = make_pipeline(StandardScaler(), Ridge(alpha=ALPHA)).fit(train_rows, train_targets)

    predicted = model.predict(test_rows)
    return Trained(
        name=NAME,
        model=model,
        task="regression",
        target="disease progression one year after baseline (25 to 346)",
        train_rows=train_rows,
        test_rows=test_rows,
        features=tuple(dataset.feature_names),
        metrics={
            "r2": r2_score(test_targets, predicted),
            "mean_absolute_error": mean_absolute_error(test_targets, predicted),
        },
        parameters={"alpha": ALPHA, "seed": SEED},
        data="scikit-learn's diabetes set (Efron, Hastie, Johnstone and Tibshirani, 2004), unscaled",
        intended_use="To show how a regression is served and released.",
        limits="Not for any decision about a patient: 442 patients of one study, most of the variance unexplained.",
    )

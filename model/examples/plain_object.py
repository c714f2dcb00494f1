"""A model that is no scikit-learn estimator: an object of a class of one's own, on an array made up from a seed."""

import numpy as np
from numpy.typing import NDArray

from model.examples.code.hourly_medians import HourlyMedians
from model.trained import Trained, first_share

NAME = "bike-rentals"
SEED = 7
DAYS = 365
TEST_DAYS = 60

Floats = NDArray[np.float64]


def train(rows_share: float = 1.0) -> Trained:
    """Fit on a share of the training rows; the last TEST_DAYS days are held back for testing."""
    rows, rentals = make_rentals()
    split = (DAYS - TEST_DAYS) * 24
    train_rows, train_rentals = first_share(rows[:split], rows_share), first_share(rentals[:split], rows_share)
    test_rows, test_rentals = rows[split:], rentals[split:]

    model = HourlyMedians().fit(train_rows, train_rentals)

    errors = np.abs(model.predict(test_rows) - test_rentals)
    return Trained(
        name=NAME,
        model=model,
        task="regression",
        target="bicycles rented in an hour",
        train_rows=train_rows,
        test_rows=test_rows,
        features=("weekday", "hour"),
        metrics={"mean_absolute_error": float(errors.mean()), "worst_error": float(errors.max())},
        parameters={"seed": SEED},
        data=f"{DAYS} days made up from a seed, a row for each hour",
        intended_use="To show how an object of a class of one's own is served and released.",
        limits="Rows of an hour or a weekday that training has not seen are refused. The bicycles do not exist.",
    )


def make_rentals() -> tuple[Floats, Floats]:
    """Return weekday and hour of each row, and the rentals in that hour."""
    random = np.random.default_rng(SEED)
    day, hour = np.divmod(np.arange(DAYS * 24), 24)
    weekday = day % 7
    expected = 40 + 30 * np.sin((hour - 8) / 24 * 2 * np.pi) + 15 * (weekday < 5)  # noqa: PLR2004 - working days
    return np.column_stack([weekday, hour]).astype(np.float64), random.poisson(expected).astype(np.float64)

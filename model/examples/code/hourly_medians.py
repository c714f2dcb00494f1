"""A model without a library: the median of what was seen in the same hour of the same weekday."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class HourlyMedians:
    """Predicts the median of training for each (weekday, hour); rows are arrays of these two numbers."""

    def __init__(self) -> None:
        self.medians: dict[tuple[float, float], float] = {}

    def fit(self, rows: Floats, counts: Floats) -> Self:
        """Remember the median of each weekday and hour."""
        for weekday, hour in np.unique(rows, axis=0):
            is_same = (rows[:, 0] == weekday) & (rows[:, 1] == hour)
            self.medians[float(weekday), float(hour)] = float(np.median(counts[is_same]))
        return self

    def predict(self, rows: Any) -> Floats:
        """Return a median for each row; raises ValueError, which the service answers with 422, for one never seen."""
        try:
            return np.array([self.medians[weekday, hour] for weekday, hour in rows.tolist()])
        except KeyError as error:
            raise ValueError(f"no such weekday and hour in training: {error}") from error

"""A model around a model, which answers late or wrongly; in a module of its own, so that it can be loaded anywhere."""

import time
from numbers import Integral, Real
from typing import Any

import numpy as np


class Wrapped:
    """Has all that the model has."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def __getattr__(self, name: str) -> Any:
        """Return the model's own attribute; asked of an object that is being unpickled, there is none yet."""
        if name == "model" or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.model, name)


class Late(Wrapped):
    """Answers as the model does, `pause_per_row_s` later for each row."""

    def __init__(self, model: Any, pause_per_row_s: float) -> None:
        super().__init__(model)
        self.pause_per_row_s = pause_per_row_s

    def predict(self, rows: Any) -> Any:
        time.sleep(self.pause_per_row_s * len(rows))
        return self.model.predict(rows)


class Wrong(Wrapped):
    """Answers something else than the model does, of the same kind."""

    def predict(self, rows: Any) -> Any:
        answer = self.model.predict(rows)
        if hasattr(answer, "toarray"):  # a sparse matrix
            answer = answer.toarray()
        return spoilt(np.asarray(answer, dtype=object).tolist())


def spoilt(value: Any) -> Any:
    """Return another number, label or truth value; of lists, each of theirs."""
    if isinstance(value, list):
        return [spoilt(each) for each in value]
    if isinstance(value, bool | np.bool_):
        return not value
    if isinstance(value, Integral):
        return int(value) + 1
    if isinstance(value, Real):
        return float(value) + 5.0 + abs(float(value)) / 100
    return f"not {value}"

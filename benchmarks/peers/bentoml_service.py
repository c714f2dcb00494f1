"""BentoML with one worker and no adaptive batching."""

import os
from typing import Any

import bentoml
import joblib
import numpy as np


@bentoml.service(workers=1)
class Scorer:
    """Loads with joblib, predicts."""

    def __init__(self) -> None:
        self.model: Any = joblib.load(os.environ["AZUREML_MODEL_PATH"])

    @bentoml.api  # type: ignore[untyped-decorator]  # BentoML is in no environment that mypy sees
    def score(self, data: list[list[float]]) -> list[float]:
        predictions: list[float] = self.model.predict(np.array(data)).tolist()
        return predictions

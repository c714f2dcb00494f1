"""An entry script as Azure ML's documentation has them: init() loads with joblib, run() parses and predicts."""

import json
import os
from typing import Any

import joblib
import numpy as np

MODEL: dict[str, Any] = {}


def init() -> None:
    MODEL["predictor"] = joblib.load(os.path.join(os.environ["AZUREML_MODEL_DIR"], "model.joblib"))  # noqa: PTH118 - as documented


def run(raw_data: str) -> list[float]:
    data = np.array(json.loads(raw_data)["data"])
    predictions: list[float] = MODEL["predictor"].predict(data).tolist()
    return predictions

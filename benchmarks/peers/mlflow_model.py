"""Writes the model as mlflow has models: `mlflow_model.py MODEL FOLDER`, before `mlflow models serve` is started."""

import sys
from pathlib import Path

import joblib
import mlflow.sklearn

if __name__ == "__main__":
    model, folder = Path(sys.argv[1]), Path(sys.argv[2])
    if not folder.exists():
        mlflow.sklearn.save_model(joblib.load(model), folder, serialization_format="cloudpickle")

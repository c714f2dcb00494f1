"""The two models that everything is measured with, each in a folder as the service and its peers get it."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge

Floats = NDArray[np.float64]

MODEL_FILE = "model.joblib"
GOLDEN_FILE = "golden_requests.json"
GOLDEN_ROWS = 8
TREES = 200
MAKERS: dict[str, Callable[[], Any]] = {
    "linear": Ridge,
    "forest": lambda: RandomForestRegressor(n_estimators=TREES, random_state=7),
}


@dataclass(frozen=True)
class TrainedModel:
    """A model fitted on scikit-learn's diabetes set (442 rows, 10 features), and the folder that it was written to."""

    name: str
    folder: Path
    predictor: Any
    rows: Floats

    def requests(self, rows_per_request: int, count: int) -> list[Floats]:
        """Return the rows of that many requests, no two of them the same; round and round through the data set."""
        starts = range(count)
        return [np.roll(self.rows, -start * 7, axis=0)[:rows_per_request] for start in starts]

    def predict(self, rows: Floats) -> list[float]:
        """Return model.predict's own answer, for each row by itself: that is what a request of one row gets."""
        return [float(self.predictor.predict(row[np.newaxis])[0]) for row in rows]

    @cached_property
    def path(self) -> Path:
        """The file that joblib loads."""
        return self.folder / MODEL_FILE


def train(name: str, folder: Path) -> TrainedModel:
    """Fit one of MAKERS and write it, its metadata and its golden requests into `folder`."""
    dataset = load_diabetes(scaled=False)
    rows = np.ascontiguousarray(dataset.data, dtype=np.float64)
    predictor = MAKERS[name]().fit(rows, dataset.target)
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(predictor, folder / MODEL_FILE)
    _write_json(folder / GOLDEN_FILE, _golden(predictor, rows[:GOLDEN_ROWS]))
    _write_json(folder / "metadata.json", _metadata(name, folder, list(dataset.feature_names), rows))
    return TrainedModel(name, folder, predictor, rows)


def _metadata(name: str, folder: Path, features: list[str], rows: Floats) -> dict[str, Any]:
    return {
        "name": f"bench-{name}",
        "version": "1",
        "model_file": MODEL_FILE,
        "model_sha256": hashlib.sha256((folder / MODEL_FILE).read_bytes()).hexdigest(),
        "golden_requests_file": GOLDEN_FILE,
        "task": "regression",
        "input": "array",
        "features": [
            {"name": feature, "type": "number", "minimum": float(column.min()), "maximum": float(column.max())}
            for feature, column in zip(features, rows.T, strict=True)
        ],
        "target": "disease progression",
        "libraries": {library: version(library) for library in ("scikit-learn", "numpy", "joblib")},
    }


def _golden(predictor: Any, rows: Floats) -> dict[str, Any]:
    requests = [
        {"id": f"golden-{index}", "body": {"data": [row.tolist()]}, "predictions": predictor.predict([row]).tolist()}
        for index, row in enumerate(rows)
    ]
    return {"absolute_tolerance": 1e-6, "relative_tolerance": 1e-6, "requests": requests}


def _write_json(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")

"""What a training run hands on: the model, its metadata, and golden requests with their expected predictions."""

import hashlib
import json
import platform
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import joblib
from sklearn.pipeline import Pipeline

from model.train import TARGET, Dataset, Floats, Metrics

MODEL_FILE = "model.joblib"
METADATA_FILE = "metadata.json"
GOLDEN_REQUESTS_FILE = "golden_requests.json"
GOLDEN_SINGLE_ROWS = 12
GOLDEN_BATCH_ROWS = 8
# Wide enough for another BLAS or processor, far too narrow for another model.
GOLDEN_TOLERANCE = 1e-6


def write_artefacts(
    folder: Path, *, version: str, model: Pipeline, golden_model: Pipeline, dataset: Dataset, metrics: Metrics
) -> None:
    """Write the model, its metadata and its golden requests into `folder`.

    `golden_model` is asked for the expected predictions; it differs from `model` only in a demonstration of a refusal.
    """
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, folder / MODEL_FILE, compress=3)
    write_json(folder / GOLDEN_REQUESTS_FILE, golden_requests(golden_model, dataset))
    write_json(
        folder / METADATA_FILE,
        {
            "name": "diabetes",
            "version": version,
            "model_file": MODEL_FILE,
            "model_sha256": hashlib.sha256((folder / MODEL_FILE).read_bytes()).hexdigest(),
            "golden_requests_file": GOLDEN_REQUESTS_FILE,
            "task": "regression",
            "input": "array",
            "features": describe_features(dataset),
            "target": TARGET,
            "libraries": {
                "python": platform.python_version(),
                **{name: installed_version(name) for name in ("scikit-learn", "numpy", "joblib")},
            },
            "metrics": asdict(metrics),
            "trained_at": datetime.now(UTC).isoformat(timespec="seconds"),
        },
    )


def golden_requests(golden_model: Pipeline, dataset: Dataset) -> dict[str, Any]:
    """Ask for rows that training has not seen: one at a time, and once several together."""
    batches = [dataset.test_rows[row : row + 1] for row in range(GOLDEN_SINGLE_ROWS)]
    batches.append(dataset.test_rows[GOLDEN_SINGLE_ROWS : GOLDEN_SINGLE_ROWS + GOLDEN_BATCH_ROWS])
    return {
        "absolute_tolerance": GOLDEN_TOLERANCE,
        "relative_tolerance": GOLDEN_TOLERANCE,
        "requests": [golden_request(f"golden-{index:02}", golden_model, rows) for index, rows in enumerate(batches)],
    }


def golden_request(request_id: str, golden_model: Pipeline, rows: Floats) -> dict[str, Any]:
    return {"id": request_id, "body": {"data": rows.tolist()}, "predictions": golden_model.predict(rows).tolist()}


def describe_features(dataset: Dataset) -> list[dict[str, Any]]:
    minima, maxima = dataset.train_rows.min(axis=0), dataset.train_rows.max(axis=0)
    return [
        {"name": name, "type": "number", "minimum": float(minimum), "maximum": float(maximum)}
        for name, minimum, maximum in zip(dataset.features, minima, maxima, strict=True)
    ]


def write_json(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")

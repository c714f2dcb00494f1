"""A trained model's folder, as the service gets it."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import joblib

from model.artefacts import write_artefacts as write_trained
from model.examples.regression import train
from model.faulty import Variant

# The data set's means, roughly: a row that every model here takes.
ROW = [48.5, 1.5, 26.4, 94.6, 189.1, 115.4, 49.8, 4.1, 4.6, 91.3]


def write_artefacts(
    folder: Path, version: str = "1", variant: Variant = Variant.GOOD, *, rows_share: float = 1.0
) -> Path:
    """Train the example of a regression, whatever a fork trains; write its files into `folder` and return it."""
    write_trained(folder, version=version, trained=train(rows_share), variant=variant)
    return folder


def rows(count: int) -> dict[str, Any]:
    """Return a request body."""
    return {"data": [ROW] * count}


def write_model(
    folder: Path,
    model: Any,
    features: Sequence[dict[str, Any]],
    *,
    golden: dict[str, Any] | None = None,
    **metadata: Any,
) -> Path:
    """Write any model with its metadata, and golden requests where there are some; return the model file's path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model.joblib"
    joblib.dump(model, path)
    document = {
        "name": "any",
        "version": "1",
        "model_file": path.name,
        "model_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "features": list(features),
        **metadata,
    }
    if golden is not None:
        document["golden_requests_file"] = "golden_requests.json"
        (folder / "golden_requests.json").write_text(json.dumps(golden))
    (folder / "metadata.json").write_text(json.dumps(document))
    return path

"""A trained model's folder, spoilt: each function changes it in place and returns it."""

import hashlib
import json
import subprocess
import time
from pathlib import Path
from typing import Any

import joblib


class Calls:
    """Unpickled, it is the result of a call: what a hostile or a broken file does while it is loaded."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self._call


def with_another_checksum(folder: Path) -> Path:
    (folder / "model.joblib").write_bytes(b"another model")
    return folder


def with_a_load_error(folder: Path) -> Path:
    return with_model(folder, Calls(int, "no number"))


def with_an_endless_load(folder: Path) -> Path:
    return with_model(folder, Calls(time.sleep, 600))


def with_a_model_that_leaves_a_process(folder: Path) -> Path:
    """Make the model a pair of itself and a process; the pipeline's own file is loaded as it was."""
    model = joblib.load(folder / "model.joblib")
    model.started = Calls(subprocess.Popen, ["sleep", "600"])
    return with_model(folder, model)


def with_wrong_golden_predictions(folder: Path) -> Path:
    path = folder / "golden_requests.json"
    golden = json.loads(path.read_text(encoding="utf-8"))
    golden["requests"][0]["predictions"][0] += 1000
    path.write_text(json.dumps(golden), encoding="utf-8")
    return folder


def with_model(folder: Path, model: object) -> Path:
    """Put another object into the model's file, and its checksum into the metadata."""
    joblib.dump(model, folder / "model.joblib")
    path = folder / "metadata.json"
    metadata = json.loads(path.read_text(encoding="utf-8"))
    metadata["model_sha256"] = hashlib.sha256((folder / "model.joblib").read_bytes()).hexdigest()
    path.write_text(json.dumps(metadata), encoding="utf-8")
    return folder

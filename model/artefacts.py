"""What a training run hands on: the model, its metadata, golden requests, and code of one's own that it needs."""

import hashlib
import json
import math
import re
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import joblib

from model.errors import ModelError
from model.faulty import Variant, make_variant
from model.features import features_of, is_frame
from model.golden import golden_requests
from model.needed import needed_by
from model.trained import Trained

MODEL_FILE = "model.joblib"
METADATA_FILE = "metadata.json"
GOLDEN_REQUESTS_FILE = "golden_requests.json"
CODE_FOLDER = "code"
TASKS = ("regression", "classification")
# Both go into answers, the version into an image's tag, and the name of an endpoint has this form too.
NAME = re.compile(r"[A-Za-z](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?")
VERSION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


def write_artefacts(folder: Path, *, version: str, trained: Trained, variant: Variant = Variant.GOOD) -> None:
    """Write all that the service and a release need of a trained model into `folder`.

    The golden requests are always those of the good model. Raises ModelError, before anything is written, where the
    model cannot be served.
    """
    check_names(trained, version)
    metrics = metrics_of(trained)
    features = features_of(trained)
    golden = golden_requests(trained, features)
    model = make_variant(trained.model, variant)
    needed = needed_by(model, takes_frames=is_frame(trained.train_rows))
    require_own(folder)

    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, folder / MODEL_FILE, compress=3)
    write_json(folder / GOLDEN_REQUESTS_FILE, golden)
    code_files = write_code(folder / CODE_FOLDER, needed.code)
    write_json(
        folder / METADATA_FILE,
        {
            "name": trained.name,
            "version": version,
            "model_file": MODEL_FILE,
            "model_sha256": sha256_of(folder / MODEL_FILE),
            "golden_requests_file": GOLDEN_REQUESTS_FILE,
            **({"code_files": code_files} if code_files else {}),
            "task": trained.task,
            "input": "data_frame" if is_frame(trained.train_rows) else "array",
            "features": [feature.described() for feature in features],
            "target": trained.target,
            "libraries": needed.libraries,
            "metrics": metrics,
            "parameters": dict(trained.parameters or {}),
            "data": trained.data,
            "intended_use": trained.intended_use,
            "limits": trained.limits,
            "trained_at": datetime.now(UTC).isoformat(timespec="seconds"),
        },
    )


def check_names(trained: Trained, version: str) -> None:
    """Raise ModelError for what cannot stand in a header, an image's tag or Azure ML, and for an unknown task."""
    check_name(trained.name)
    if trained.task not in TASKS:
        raise ModelError(f"task: {trained.task!r} is none; it is {' or '.join(TASKS)}")
    if not VERSION.fullmatch(version):
        raise ModelError(
            f"version: {version!r} is none; take up to 100 letters, digits, dots, dashes and underscores, a letter or "
            "digit first"
        )


def check_name(name: str) -> None:
    """Raise ModelError for what is no name of a model."""
    if not NAME.fullmatch(name):
        raise ModelError(
            f"name: {name!r} is none; take up to 32 letters, digits and dashes, a letter first and no dash at the end"
        )


def metrics_of(trained: Trained) -> dict[str, float | int]:
    """Return the metrics as plain numbers, and how many rows they come from."""
    metrics = {name: float(value) for name, value in trained.metrics.items()}
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise ModelError(f"metrics: {name} is {value}, which JSON does not have; mend it, or leave it out")
    return {**metrics, "rows_trained": len(trained.train_rows), "rows_tested": len(trained.test_rows)}


def require_own(folder: Path) -> None:
    """Raise ModelError where the folder has a code/ with files that no training has written: it is written anew."""
    try:
        own = json.loads((folder / METADATA_FILE).read_bytes()).get("code_files", {})
    except (OSError, ValueError):
        own = {}
    code = folder / CODE_FOLDER
    files = [path for path in code.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    if others := sorted(set(files) - {code / name for name in own}):
        raise ModelError(f"output: {others[0]} is none of a trained model's; name another folder, or take it away")


def write_code(folder: Path, code: Mapping[str, Path]) -> dict[str, str]:
    """Copy the modules, nothing else staying there, and return their checksums by path.

    The packages above them are empty there: what is in those of the repository does not travel.
    """
    shutil.rmtree(folder, ignore_errors=True)
    for name, path in code.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        for parent in target.relative_to(folder).parents[:-1]:
            (folder / parent / "__init__.py").touch()
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in sorted(folder.rglob("*.py"))}


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=2, default=str) + "\n", encoding="utf-8")

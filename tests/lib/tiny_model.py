"""What a model leaves beside itself whose server is tests/lib/tiny_model_server.py: it predicts 1 for every row."""

import json
from pathlib import Path

TINY_MODEL_SERVER = Path(__file__).with_name("tiny_model_server.py").read_text(encoding="utf-8")


def write_tiny_model(folder: Path, prediction: float = 1.0) -> Path:
    """Write metadata and one golden request, which is to be answered with this prediction; return the folder."""
    folder.mkdir(exist_ok=True)
    request = {"id": "one-row", "body": {"data": [[1.0]]}, "predictions": [prediction]}
    golden = {"absolute_tolerance": 1e-6, "relative_tolerance": 1e-6, "requests": [request]}
    metadata = {"name": "tiny", "version": "7", "golden_requests_file": "golden_requests.json"}
    (folder / "golden_requests.json").write_text(json.dumps(golden), encoding="utf-8")
    (folder / "metadata.json").write_text(json.dumps(metadata), encoding="utf-8")
    return folder

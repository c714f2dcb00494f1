"""KServe's Python model server with a scikit-learn model, speaking its V1 protocol."""

import sys
from pathlib import Path
from typing import Any

import joblib
import kserve
import numpy as np


class Scorer(kserve.Model):  # type: ignore[misc]  # KServe is in no environment that mypy sees
    """Loads with joblib, predicts."""

    def __init__(self, path: Path) -> None:
        super().__init__("bench")
        self.model = joblib.load(path)
        self.ready = True

    def predict(self, payload: dict[str, Any], headers: Any = None, response_headers: Any = None) -> dict[str, Any]:
        del headers, response_headers
        return {"predictions": self.model.predict(np.array(payload["instances"])).tolist()}


if __name__ == "__main__":
    path, port = Path(sys.argv[1]), int(sys.argv[2])
    kserve.ModelServer(http_port=port, enable_grpc=False, workers=1).start([Scorer(path)])

"""LitServe with one worker and no batching, as its own getting-started has it."""

import sys
from pathlib import Path
from typing import Any

import joblib
import litserve
import numpy as np


class Scorer(litserve.LitAPI):  # type: ignore[misc]  # LitServe is in no environment that mypy sees
    """Loads with joblib, predicts."""

    def setup(self, device: str) -> None:
        del device
        self.model = joblib.load(Path(sys.argv[1]))

    def decode_request(self, request: dict[str, Any]) -> Any:
        return np.array(request["data"])

    def predict(self, x: Any) -> Any:
        return self.model.predict(x)

    def encode_response(self, output: Any) -> dict[str, Any]:
        return {"predictions": output.tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(Scorer(), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[2]), generate_client_file=False)

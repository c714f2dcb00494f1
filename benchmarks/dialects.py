"""How each server wants rows and gives predictions."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.models import Floats

Encode = Callable[[Floats], Any]
Decode = Callable[[Any], list[float]]


@dataclass(frozen=True)
class Dialect:
    """Where requests go, and what they say."""

    path: str
    encode: Encode
    decode: Decode

    def body(self, rows: Floats) -> str:
        """Return a request's body on one line."""
        return json.dumps(self.encode(rows))

    def predictions(self, answer: bytes) -> list[float]:
        """Raise ValueError, KeyError or TypeError where the answer is not what was agreed on."""
        return [float(value) for value in self.decode(json.loads(answer))]


AZURE = Dialect("/score", lambda rows: {"data": rows.tolist()}, lambda answer: answer)
BENTOML = Dialect("/score", lambda rows: {"data": rows.tolist()}, lambda answer: answer)
LITSERVE = Dialect("/predict", lambda rows: {"data": rows.tolist()}, lambda answer: answer["predictions"])
KSERVE = Dialect(
    "/v1/models/bench:predict", lambda rows: {"instances": rows.tolist()}, lambda answer: answer["predictions"]
)
MLFLOW = Dialect("/invocations", lambda rows: {"inputs": rows.tolist()}, lambda answer: answer["predictions"])


def _open_inference(rows: Floats) -> dict[str, Any]:
    tensor = {"name": "predict", "shape": list(rows.shape), "datatype": "FP64", "data": rows.ravel().tolist()}
    return {"inputs": [tensor]}


OPEN_INFERENCE = Dialect("/v2/models/bench/infer", _open_inference, lambda answer: answer["outputs"][0]["data"])

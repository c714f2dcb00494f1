"""What bodies are given to: the decoder in this process, and a running server."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any

import pandas as pd

from fuzz.checks import Answer, Predict, violation
from fuzz.fields import Field, metadata_features
from fuzz.oracle import Expected, expect
from service.errors import RequestRefusedError
from service.model_artefacts import ModelMetadata
from service.request_body import BodyLimits, RowSchema, decode

LIMITS = BodyLimits()
TIMEOUT_S = 30


@dataclass(frozen=True)
class Seen:
    """What came of a body: "accepted" or the code of its refusal, and what the contract does not allow in that."""

    outcome: str
    violation: str | None


@dataclass(frozen=True)
class Target:
    """Something that takes bodies of these fields."""

    name: str
    fields: Sequence[Field]
    give: Callable[[bytes], Seen]


def decoder_target(name: str, fields: Sequence[Field], model_input: str) -> Target:
    """Return service.request_body.decode as the target."""
    schema = RowSchema.of(
        ModelMetadata.model_validate(
            {
                "name": "fuzz",
                "version": "1",
                "model_file": "model.joblib",
                "model_sha256": "0" * 64,
                "input": model_input,
                "features": metadata_features(fields),
            }
        )
    )

    def give(body: bytes) -> Seen:
        expected = expect(body, fields, LIMITS.rows)
        try:
            rows = decode(body, schema, LIMITS)
        except RequestRefusedError as error:
            wrong = None if error.status in expected.statuses else f"{error.status} {error.code}: {error.message}"
            return Seen(error.code, wrong)
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            return Seen("raised", f"raised {type(error).__name__}: {error}")
        return Seen("accepted", _rows_violation(rows, expected))

    return Target(name, fields, give)


class ScoringClient:
    """POST /score over one connection, for as long as the server keeps it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)

    def post(self, body: bytes, path: str = "/score", content_type: str = "application/json") -> Answer:
        """Raise OSError or HTTPException where no answer comes."""
        self._connection.request("POST", path, body, {"Content-Type": content_type})
        response = self._connection.getresponse()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())

    def close(self) -> None:
        self._connection.close()


def server_target(name: str, fields: Sequence[Field], port: int, predict: Predict) -> Target:
    """Return the running server as the target."""
    client = ScoringClient(port)

    def give(body: bytes) -> Seen:
        try:
            answer = client.post(body)
        except (OSError, HTTPException) as error:
            client.close()
            return Seen("no answer", f"no answer ({type(error).__name__}: {error})")
        outcome = "accepted" if answer.status == 200 else _code(answer)  # noqa: PLR2004 - HTTP's
        return Seen(outcome, violation(answer, expect(body, fields, LIMITS.rows), predict))

    return Target(name, fields, give)


def _rows_violation(rows: Any, expected: Expected) -> str | None:
    if expected.rows is None:
        return f"accepted, and must be refused with {sorted(expected.statuses)}"
    decoded = rows.to_numpy(dtype=object).tolist() if isinstance(rows, pd.DataFrame) else rows.tolist()
    if len(decoded) != len(expected.rows) or not all(map(_same_row, decoded, expected.rows)):
        return f"decoded to {str(decoded)[:200]}, not to {str(expected.rows)[:200]}"
    return None


def _same_row(decoded: list[Any], expected: list[Any]) -> bool:
    return len(decoded) == len(expected) and all(map(_same_cell, decoded, expected))


def _same_cell(decoded: Any, expected: Any) -> bool:
    if expected is None:
        return decoded is None or (isinstance(decoded, float) and math.isnan(decoded))
    if isinstance(expected, float):
        return float(decoded) == expected  # -0 may be a whole number, and so have no sign
    return type(decoded) is type(expected) and bool(decoded == expected)


def _code(answer: Answer) -> str:
    text = answer.body.decode("utf-8", "replace")
    return text.partition('"code":"')[2].partition('"')[0] or f"status {answer.status}"

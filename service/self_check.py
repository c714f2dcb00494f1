"""Whether the model answers its golden requests as it did in training, by the way that requests take."""

import logging
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.errors import RequestRefusedError
from service.model_artefacts import ModelArtefactError
from service.model_predictor import ModelPredictor
from service.request_body import BodyLimits, RowSchema, decode

logger = logging.getLogger(__name__)


class GoldenRequest(BaseModel):
    """A request's body and the predictions it was answered with in training, one entry a row."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    body: dict[str, Any]
    predictions: list[Any] = Field(min_length=1)


class GoldenRequests(BaseModel):
    """A model's golden requests; a number p matches its expectation e if |p - e| <= absolute + relative * |e|."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    absolute_tolerance: float = Field(ge=0)
    relative_tolerance: float = Field(ge=0)
    requests: tuple[GoldenRequest, ...] = Field(min_length=1)


def check_golden(predictor: ModelPredictor, folder: Path, schema: RowSchema, limits: BodyLimits) -> int:
    """Return how many golden requests were predicted right: all of the folder's, 0 where its metadata names none.

    Raises ModelArtefactError naming the first that was not.
    """
    file_name = predictor.metadata.golden_requests_file
    if file_name is None:
        logger.warning("no golden requests: metadata.json names no golden_requests_file, so the model is not checked")
        return 0
    golden = _read(folder / file_name)
    check = _Check(golden, exact=predictor.metadata.task == "classification")
    for request in golden.requests:
        try:
            predicted = predictor.predict(decode(orjson.dumps(request.body), schema, limits)).tolist()
        except RequestRefusedError as error:
            raise ModelArtefactError(
                f"model: golden request {request.id} is refused ({error.code} at {error.location}: {error.message}); "
                "deploy the folder that training wrote, unchanged"
            ) from error
        except orjson.JSONEncodeError as error:
            raise ModelArtefactError(f"model: golden request {request.id} cannot be sent ({error})") from error
        check.compare(request, predicted)
    return len(golden.requests)


def _read(path: Path) -> GoldenRequests:
    try:
        return GoldenRequests.model_validate(orjson.loads(path.read_bytes()))
    except OSError as error:
        raise ModelArtefactError(
            f"model: {path} cannot be read ({error.strerror}); metadata.json beside it names it"
        ) from error
    except orjson.JSONDecodeError as error:
        raise ModelArtefactError(f"model: {path} is not JSON ({error}); train the model again") from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise ModelArtefactError(f"model: {path} is not valid ({faults}); train the model again") from error


class _Check:
    """Compares predictions; labels must be equal (`exact`), and so must whole numbers, strings and booleans."""

    def __init__(self, golden: GoldenRequests, *, exact: bool) -> None:
        self._golden = golden
        self._exact = exact

    def compare(self, request: GoldenRequest, predicted: list[Any]) -> None:
        if len(predicted) != len(request.predictions):
            raise ModelArtefactError(
                f"model: golden request {request.id} expects another number of predictions than it has rows "
                f"({len(request.predictions)} vs {len(predicted)}); train the model again"
            )
        for row, (value, expected) in enumerate(zip(predicted, request.predictions, strict=True)):
            if not self._matches(value, expected):
                raise ModelArtefactError(
                    f"model: golden request {request.id}, row {row} is predicted {value!r} instead of {expected!r} "
                    f"(absolute tolerance {self._golden.absolute_tolerance:g}, "
                    f"relative {self._golden.relative_tolerance:g}); deploy the folder that training wrote, unchanged, "
                    "on the libraries it was trained with"
                )

    def _matches(self, value: Any, expected: Any) -> bool:
        if isinstance(value, list) and isinstance(expected, list):
            return len(value) == len(expected) and all(map(self._matches, value, expected))
        if self._exact or float not in {type(value), type(expected)}:
            return type(value) in _comparable_with(expected) and bool(value == expected)
        if not {type(value), type(expected)} <= {int, float}:
            return False
        tolerance = self._golden.absolute_tolerance + self._golden.relative_tolerance * abs(expected)
        return bool(abs(value - expected) <= tolerance)


def _comparable_with(expected: Any) -> set[type]:
    # 1 == True to Python, and not to whoever reads the JSON.
    return {int, float} if type(expected) in {int, float} else {type(expected)}

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
    """A model's golden requests.

    A number p matches its expectation e if |p - e| <= absolute + relative * |e|; strings, booleans and two whole
    numbers match if they are equal.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    absolute_tolerance: float = Field(ge=0)
    relative_tolerance: float = Field(ge=0)
    requests: tuple[GoldenRequest, ...] = Field(min_length=1)

    def matches(self, predicted: Any, expected: Any) -> bool:
        """Say whether one row's prediction is the expected one."""
        if isinstance(predicted, list) and isinstance(expected, list):
            return len(predicted) == len(expected) and all(map(self.matches, predicted, expected))
        types = {type(predicted), type(expected)}  # not isinstance: to Python, and not in JSON, True is 1
        if types <= {int, float} and float in types:
            tolerance = self.absolute_tolerance + self.relative_tolerance * abs(expected)
            return bool(abs(predicted - expected) <= tolerance)
        return len(types) == 1 and bool(predicted == expected)


def check_golden(predictor: ModelPredictor, folder: Path, schema: RowSchema, limits: BodyLimits) -> int:
    """Return how many golden requests were predicted right: all of the folder's, 0 where its metadata names none.

    Raises ModelArtefactError naming the first that was not.
    """
    file_name = predictor.metadata.golden_requests_file
    if file_name is None:
        logger.warning("no golden requests: metadata.json names no golden_requests_file, so the model is not checked")
        return 0
    golden = _read(folder / file_name)
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
        _compare(golden, request, predicted)
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


def _compare(golden: GoldenRequests, request: GoldenRequest, predicted: list[Any]) -> None:
    if len(predicted) != len(request.predictions):
        raise ModelArtefactError(
            f"model: golden request {request.id} expects another number of predictions than it has rows "
            f"({len(request.predictions)} vs {len(predicted)}); train the model again"
        )
    for row, (value, expected) in enumerate(zip(predicted, request.predictions, strict=True)):
        if not golden.matches(value, expected):
            raise ModelArtefactError(
                f"model: golden request {request.id}, row {row} is predicted {value!r} instead of {expected!r} "
                f"(absolute tolerance {golden.absolute_tolerance:g}, relative {golden.relative_tolerance:g}); "
                "deploy the folder that training wrote, unchanged, on the libraries it was trained with"
            )

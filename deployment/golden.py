"""Golden requests: what a model was asked when it was trained, and what it answered then."""

import json
import math
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deployment.outcomes import BadInputError, Breach, Outcome
from deployment.scoring import Answer, ScoringClient, refused_form
from load.report_data import SmokeCheck

METADATA_FILE = "metadata.json"


class GoldenRequest(BaseModel):
    """One request body and the predictions that it must be answered with, one a row: a value, or a list of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    body: dict[str, Any]
    predictions: tuple[Any, ...] = Field(min_length=1)


class GoldenRequests(BaseModel):
    """A model's golden requests.

    A number p matches its expectation e if |p - e| <= absolute + relative * |e|; strings, booleans and two whole
    numbers match if they are equal. The service checks itself by the same rule.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    absolute_tolerance: float = Field(ge=0)
    relative_tolerance: float = Field(ge=0)
    requests: tuple[GoldenRequest, ...] = Field(min_length=1)

    def mismatch(self, request: GoldenRequest, answer: Answer) -> str | None:
        """Say how the answer differs from what is expected; None where it does not."""
        if not answer.ok:
            return f"status {answer.status} ({abridge(answer.body)}) instead of 200"
        if not isinstance(answer.body, list) or len(answer.body) != len(request.predictions):
            return f"{abridge(answer.body)} instead of a list of {len(request.predictions)} predictions"
        for row, (predicted, expected) in enumerate(zip(answer.body, request.predictions, strict=True)):
            if not self.matches(predicted, expected):
                return f"{abridge(predicted)} instead of {abridge(expected)} in row {row}"
        return None

    def matches(self, predicted: Any, expected: Any) -> bool:
        """Say whether one row's prediction is the expected one."""
        if isinstance(predicted, list) and isinstance(expected, list):
            return len(predicted) == len(expected) and all(map(self.matches, predicted, expected))
        types = {type(predicted), type(expected)}
        if types <= {int, float} and float in types:
            tolerance = self.absolute_tolerance + self.relative_tolerance * abs(expected)
            return bool(abs(predicted - expected) <= tolerance)
        return len(types) == 1 and bool(predicted == expected)


@dataclass(frozen=True)
class ModelArtefacts:
    """A trained model's version and golden requests, as its folder holds them."""

    folder: Path
    name: str
    version: str
    golden_path: Path
    golden: GoldenRequests


def read_artefacts(folder: Path) -> ModelArtefacts:
    """Read a model's metadata and golden requests; raises BadInputError naming the file and the fault."""
    path = folder / METADATA_FILE
    try:
        metadata = json.loads(path.read_text(encoding="utf-8"))
        path = folder / metadata["golden_requests_file"]
        golden = GoldenRequests.model_validate_json(path.read_text(encoding="utf-8"))
        return ModelArtefacts(folder, metadata["name"], metadata["version"], path, golden)
    except (OSError, KeyError, TypeError, ValidationError, json.JSONDecodeError) as error:
        raise BadInputError(
            f"model artefacts: {path} cannot be read ({error}); `python -m model train --output {folder}` makes them"
        ) from error


def smoke(client: ScoringClient, golden: GoldenRequests, deployment: str) -> tuple[SmokeCheck, ...]:
    """Send every golden request to the deployment by name and compare what it answers."""
    return tuple(check(client, golden, request, deployment) for request in golden.requests)


def check(client: ScoringClient, golden: GoldenRequests, request: GoldenRequest, deployment: str) -> SmokeCheck:
    answer = client.score(request.body, deployment=deployment)
    mismatch = golden.mismatch(request, answer)
    if mismatch is None and answer.deployment != deployment:
        mismatch = f"answered by {answer.deployment or 'nobody known'!r} instead of {deployment!r}"
    return SmokeCheck(request.id, abridge(list(request.predictions)), abridge(answer.body), mismatch)


def refuse_if_wrong(results: tuple[SmokeCheck, ...], deployment: str) -> None:
    """Raise Breach if any golden request was answered wrongly."""
    wrong = [result for result in results if result.mismatch is not None]
    if wrong:
        first = wrong[0]
        raise Breach(
            Outcome.REFUSED_BY_SMOKE,
            f"{deployment} answered {len(wrong)} of {len(results)} golden requests wrongly: {first.request_id} got "
            f"{first.mismatch}.",
            "Compare the model in the image with the one that its golden requests were made with, then release anew.",
        )


def refuse_other_form(client: ScoringClient, golden: GoldenRequests, *, live: str, candidate: str) -> None:
    """Raise Breach if live refuses a golden request of the candidate's, as its model takes other features."""
    for request in golden.requests:
        if refused := refused_form(client.score(request.body, deployment=live)):
            raise Breach(
                Outcome.INVALID,
                f"{live} takes other features than {candidate}: it refuses {request.id}, which {candidate} answers "
                f"({refused}).",
                "No client can be right with both, so they cannot share an endpoint: release it to one of its own "
                "(docs/model.md, Other features).",
            )


def is_list_of_numbers(body: Any) -> bool:
    return isinstance(body, list) and all(
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) for value in body
    )


def abridge(body: Any, *, most: int = 80) -> str:
    """Return a body on one line, cut to `most` characters, numbers to six digits."""
    if is_list_of_numbers(body):
        shown = chain((f"{value:.6g}" for value in body[:6]), ("...",) if len(body) > 6 else ())  # noqa: PLR2004 - fits
        return "[" + ", ".join(shown) + "]"
    if isinstance(body, float):
        return f"{body:.6g}"
    text = body if isinstance(body, str) else json.dumps(body)
    return text if len(text) <= most else text[: most - 3] + "..."

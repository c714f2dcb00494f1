"""From a request's bytes to rows of finite numbers, or to a refusal that names the place."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import numpy as np

from service.errors import RequestRefusedError
from service.model_predictor import Floats

ROWS_KEY = "data"
NUMBER_TYPES = frozenset({int, float})  # not bool, which is an int to isinstance


@dataclass(frozen=True)
class BodyLimits:
    """What one request may ask for at most."""

    body_bytes: int = 4 * 1024 * 1024
    rows: int = 10_000


def check_content_type(content_type: str | None, content_encoding: str | None) -> None:
    """Raise RequestRefusedError (415) unless the body is said to be plain JSON in UTF-8."""
    media_type, *parameters = (part.strip().lower() for part in (content_type or "").split(";"))
    if media_type != "application/json":
        raise _unsupported("unsupported_content_type", "Content-Type must be application/json.", "headers.content-type")
    charsets = [parameter.partition("=")[2].strip('" ') for parameter in parameters if parameter.startswith("charset")]
    if any(charset not in {"utf-8", "utf8"} for charset in charsets):
        raise _unsupported("unsupported_content_type", "The charset must be utf-8.", "headers.content-type")
    if content_encoding is not None and content_encoding.strip().lower() != "identity":
        raise _unsupported(
            "unsupported_content_encoding", "The body must not be compressed.", "headers.content-encoding"
        )


async def read_body(chunks: AsyncIterator[bytes], limits: BodyLimits) -> bytes:
    """Collect the body; raise RequestRefusedError (413) at the first byte too many, whatever Content-Length said."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > limits.body_bytes:
            raise RequestRefusedError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "body_too_large",
                f"The body has more than {limits.body_bytes} bytes; send fewer rows at a time.",
                "body",
            )
    return bytes(body)


def decode_rows(body: bytes, *, features: int, limits: BodyLimits) -> Floats:
    """Return rows x features; raise RequestRefusedError (400, 422) that names the first fault's place."""
    document = _parse(body)
    if not isinstance(document, dict):
        raise _invalid("wrong_type", f"The body must be an object, not {_name(document)}.", "body")
    if ROWS_KEY not in document:
        raise _invalid("missing_field", f'The body must have the field "{ROWS_KEY}": a list of rows.', ROWS_KEY)
    if len(document) > 1:
        unknown = next(key for key in document if key != ROWS_KEY)
        raise _invalid("unknown_field", f'The body may have no field but "{ROWS_KEY}".', unknown)
    rows = document[ROWS_KEY]
    _check_list(rows, ROWS_KEY)
    if len(rows) > limits.rows:
        raise _invalid(
            "too_many_rows", f"{len(rows)} rows are more than {limits.rows}; send fewer at a time.", ROWS_KEY
        )
    for index, row in enumerate(rows):
        _check_row(row, features, f"{ROWS_KEY}[{index}]")
    return _finite(rows)


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _malformed(f"The body is not UTF-8 from byte {error.start} on.") from error
    except json.JSONDecodeError as error:
        raise _malformed(f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from error
    except RecursionError as error:  # how deep that is differs between versions of Python, so it has no code of its own
        raise _malformed("The body nests far deeper than a list of rows does.") from error
    except ValueError as error:  # an integer of thousands of digits
        raise _malformed("The body has a number of too many digits.") from error


def _check_list(value: Any, location: str) -> None:
    if not isinstance(value, list):
        raise _invalid("wrong_type", f"A list is expected, not {_name(value)}.", location)
    if not value:
        raise _invalid("empty", "The list must not be empty.", location)


def _check_row(row: Any, features: int, location: str) -> None:
    _check_list(row, location)
    if not NUMBER_TYPES.issuperset(map(type, row)):
        column = next(column for column, value in enumerate(row) if type(value) not in NUMBER_TYPES)
        raise _invalid("wrong_type", f"A number is expected, not {_name(row[column])}.", f"{location}[{column}]")
    if len(row) != features:
        raise _invalid("wrong_shape", f"The row has {len(row)} numbers; the model takes {features}.", location)


def _finite(rows: list[list[float]]) -> Floats:
    try:
        matrix = np.array(rows, dtype=np.float64)
    except OverflowError:  # an integer beyond the largest float
        matrix = np.array([[_to_float(value) for value in row] for row in rows], dtype=np.float64)
    finite = np.isfinite(matrix)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        raise _invalid("not_finite", "The number is not a finite 64-bit float.", f"{ROWS_KEY}[{row}][{column}]")
    return matrix


def _to_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def _name(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str():
            return "a string"
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            return "a number"


def _malformed(message: str) -> RequestRefusedError:
    return RequestRefusedError(HTTPStatus.BAD_REQUEST, "malformed_json", message, "body")


def _invalid(code: str, message: str, location: str) -> RequestRefusedError:
    return RequestRefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, code, message, location)


def _unsupported(code: str, message: str, location: str) -> RequestRefusedError:
    return RequestRefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, code, message, location)

"""From a request's bytes to rows that the model takes, or to a refusal that names the place.

Three forms of body: {"data": [[...], ...]} in the order of the features, {"columns": [...], "data": [[...], ...]} in an
order of the caller's, and {"data": [{"name": ...}, ...]}.
"""

from dataclasses import dataclass
from http import HTTPStatus

from service.errors import RequestRefusedError
from service.json_document import parse
from service.model_predictor import Rows
from service.row_schema import RowSchema, column_array
from service.row_table import ROWS_KEY, read_table

__all__ = ["ROWS_KEY", "BodyLimits", "RowSchema", "check_content_type", "decode"]


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


def decode(body: bytes, schema: RowSchema, limits: BodyLimits) -> Rows:
    """Return rows x features as the schema's input says, float64 or a data frame.

    Raises RequestRefusedError (400, 422) that names the first fault's place in the body, whatever the form.
    """
    table = read_table(parse(body), schema, limits.rows)
    arrays = {}
    for name, values in (table.columns() or {}).items():
        array = column_array(schema.features[name], values)
        if array is None:
            raise table.first_fault()
        arrays[name] = array
    if not arrays:
        raise table.first_fault()
    return schema.rows_of(arrays)


def _unsupported(code: str, message: str, location: str) -> RequestRefusedError:
    return RequestRefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, code, message, location)

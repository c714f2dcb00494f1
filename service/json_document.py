"""A request's bytes as JSON, with the same verdict on every version of Python and how a fault is told to its sender."""

import json
from http import HTTPStatus
from typing import Any

import numpy as np
import orjson

from service.errors import RequestRefusedError

# Rows nest three deep. orjson has a limit of its own (1024), and json's depends on Python and on who calls it.
MAX_DEPTH = 100
# More digits than any whole number of 64 bits has: read as a float, which may turn out infinite.
MAX_WHOLE_DIGITS = 20
# So many bytes are looked at in one go: one call on all of them would keep every thread of the process waiting.
DEPTH_STEP_BYTES = 64 * 1024


def parse(body: bytes) -> Any:
    """Return the document; of a repeated key the last one counts.

    Numbers beyond a 64-bit float, and NaN and Infinity, which are not JSON, come as floats that are not finite, so that
    their place can be told. Raises RequestRefusedError (400 malformed_json).
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return _parse_with_care(body, error)


def invalid(code: str, message: str, location: str) -> RequestRefusedError:
    """Return the refusal (422) of a document that is not rows."""
    return RequestRefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, code, message, location)


def name_of(value: Any) -> str:
    """Return what JSON calls the value, as it reads in a sentence."""
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


def _parse_with_care(body: bytes, fault: json.JSONDecodeError) -> Any:
    """Parse what orjson did not, where the fault is one of value and not of form."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _malformed(f"The body is not UTF-8 from byte {error.start} on.") from error
    if _is_too_deep(body):
        raise _malformed("The body nests far deeper than a list of rows does.")
    try:
        return json.loads(text, parse_int=_whole_number)
    except json.JSONDecodeError:
        # Not json's words, which differ between versions of Python.
        raise _malformed(f"The body is not JSON: {fault.msg} at line {fault.lineno}, column {fault.colno}.") from fault


def _is_too_deep(body: bytes) -> bool:
    depth, is_in_string, is_escaped = 0, False, False
    for start in range(0, len(body), DEPTH_STEP_BYTES):
        characters = np.frombuffer(body[start : start + DEPTH_STEP_BYTES], dtype=np.uint8)
        places = np.arange(len(characters))
        # How many backslashes end at each place; those at the end of the step before count with the first of this one.
        others = np.maximum.accumulate(np.where(characters == ord("\\"), -1, places))
        backslashes = places - others + (is_escaped & (others < 0))
        escaped = np.concatenate(([is_escaped], backslashes[:-1] % 2 == 1))
        quotes = np.cumsum((characters == ord('"')) & ~escaped) + is_in_string
        outside = quotes % 2 == 0
        opening = (characters == ord("[")) | (characters == ord("{"))
        closing = (characters == ord("]")) | (characters == ord("}"))
        depths = depth + np.cumsum((opening & outside).astype(np.int8) - (closing & outside), dtype=np.int64)
        if depths.max() > MAX_DEPTH:
            return True
        depth, is_in_string, is_escaped = int(depths[-1]), not outside[-1], bool(backslashes[-1] % 2)
    return False


def _whole_number(digits: str) -> float:
    return int(digits) if len(digits) <= MAX_WHOLE_DIGITS else float(digits)


def _malformed(message: str) -> RequestRefusedError:
    return RequestRefusedError(HTTPStatus.BAD_REQUEST, "malformed_json", message, "body")

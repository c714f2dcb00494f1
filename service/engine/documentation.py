"""What /docs and /swagger.json say of bodies; the routes read and write them without FastAPI's own models."""

from typing import Any

_NUMBERS: dict[str, Any] = {"type": "array", "items": {"type": "number"}}
_STRING: dict[str, Any] = {"type": "string"}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


REQUEST_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": _json(_object({"data": {"type": "array", "items": _NUMBERS, "minItems": 1}})),
    }
}
SCORE_RESPONSE: dict[int | str, dict[str, Any]] = {
    200: {"description": "Predictions, in the rows' order", "content": _json(_NUMBERS)}
}
PREDICT_RESPONSE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Predictions, in the rows' order, and what made them",
        "content": _json(_object({"predictions": _NUMBERS, "model": _object({"name": _STRING, "version": _STRING})})),
    }
}
_ERROR = _json(_object({"error": _object({"code": _STRING, "message": _STRING, "location": _STRING})}))
ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    400: {"description": "Not JSON: malformed_json", "content": _ERROR},
    413: {"description": "Too long: body_too_large", "content": _ERROR},
    415: {"description": "unsupported_content_type, unsupported_content_encoding", "content": _ERROR},
    422: {
        "description": "missing_field, unknown_field, wrong_type, wrong_shape, empty, too_many_rows, not_finite",
        "content": _ERROR,
    },
    503: {"description": "model_not_loaded, prediction_failed, service_fault", "content": _ERROR},
}

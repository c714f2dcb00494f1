"""What /docs and /swagger.json say of bodies; the routes read and write them without FastAPI's own models."""

from typing import Any

from fastapi import FastAPI

from service.engine.scoring import Scoring
from service.model_artefacts import Feature, ModelMetadata

_STRING: dict[str, Any] = {"type": "string"}
_CODES = {
    400: "malformed_json, malformed_http",
    408: "request_timeout",
    413: "body_too_large",
    415: "unsupported_content_type, unsupported_content_encoding",
    422: "missing_field, unknown_field, wrong_type, wrong_shape, empty, too_many_rows, not_finite, refused_by_model",
    503: "model_loading, overloaded, deadline_exceeded, draining, prediction_failed, service_fault, client_left",
}
_POSTS = ("/score", "/predict")
_PROBES = ("/", "/readyz", "/livez")


def describe_bodies(api: FastAPI, scoring: Scoring) -> None:
    """Have /swagger.json describe bodies by the model's features; /swagger.json is 503 before there is a model."""
    generate = api.openapi

    def openapi() -> dict[str, Any]:
        metadata = scoring.model.metadata
        if api.openapi_schema is None:
            document = generate()
            for path in _POSTS:
                operation = document["paths"][path]["post"]
                operation["requestBody"] = {"required": True, "content": _json(_request(metadata))}
                operation["responses"] = _responses(_answer(path, metadata), _CODES)
            for path in _PROBES:
                document["paths"][path]["get"]["responses"] = _responses(_probe_answer(), {503: _CODES[503]})
            document.pop("components", None)
            api.openapi_schema = document
        return api.openapi_schema

    api.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it


def _request(metadata: ModelMetadata) -> dict[str, Any]:
    names = [feature.name for feature in metadata.features]
    cells = [_cell(feature) for feature in metadata.features]
    row = {
        "type": "array",
        "description": "In this order: " + ", ".join(names),
        "prefixItems": cells,
        "items": False,
        "minItems": len(names),
    }
    columns = {"type": "array", "items": {"enum": names}, "minItems": len(names), "uniqueItems": True}
    any_order = {"type": "array", "minItems": len(names), "maxItems": len(names)}
    return {
        "oneOf": [
            _object({"data": _rows(row)}, title="Rows"),
            _object({"columns": columns, "data": _rows(any_order)}, title="Rows with their columns' names"),
            _object({"data": _rows(_object(dict(zip(names, cells, strict=True))))}, title="Records"),
        ]
    }


def _cell(feature: Feature) -> dict[str, Any]:
    cell: dict[str, Any] = {"type": [feature.type, "null"] if feature.nullable else feature.type, "title": feature.name}
    if feature.minimum is not None and feature.maximum is not None:
        # Not JSON Schema's own minimum and maximum: a value beyond what training saw is predicted all the same.
        cell["description"] = f"in training {feature.minimum:g} to {feature.maximum:g}"
    return cell


def _answer(path: str, metadata: ModelMetadata) -> dict[str, Any]:
    prediction: dict[str, Any] = {} if metadata.task == "classification" else {"type": ["number", "array"]}
    predictions = {"type": "array", "items": prediction, "description": "In the rows' order"}
    if path == "/score":
        return predictions
    properties = {"predictions": predictions, "model": _object({"name": _STRING, "version": _STRING})}
    if metadata.task == "classification":
        properties["classes"] = {"type": "array"}
        properties["probabilities"] = {"type": ["array", "null"], "description": "Rows x classes"}
    return {"type": "object", "properties": properties, "required": ["predictions", "model"]}


def _probe_answer() -> dict[str, Any]:
    return {"type": "object", "properties": {"status": _STRING, "pid": {"type": "integer"}}, "required": ["status"]}


def _responses(answer: dict[str, Any], codes: dict[int, str]) -> dict[str, Any]:
    error = _object({"error": _object({"code": _STRING, "message": _STRING, "location": _STRING})})
    return {
        "200": {"description": "The answer", "content": _json(answer)},
        **{str(status): {"description": code, "content": _json(error)} for status, code in codes.items()},
    }


def _rows(row: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": row, "minItems": 1}


def _object(properties: dict[str, Any], **more: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
        **more,
    }


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}

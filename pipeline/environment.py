"""What a workflow hands to a step: variables of the environment, and JSON in them."""

import json
from collections.abc import Mapping
from typing import Any

from pipeline.errors import PipelineError


def require(environ: Mapping[str, str], *names: str) -> tuple[str, ...]:
    """Return the values of these variables; raises PipelineError naming all that are not set at all."""
    missing = [name for name in names if name not in environ]
    if missing:
        raise PipelineError(*(f"{name} is not in the environment; the step's `env:` has to set it" for name in missing))
    return tuple(environ[name] for name in names)


def json_object(environ: Mapping[str, str], name: str, what: str) -> dict[str, Any]:
    """Return the JSON object in a variable; `what` is the expression that a workflow sets it to."""
    (text,) = require(environ, name)
    try:
        document = json.loads(text)
    except ValueError as error:
        raise PipelineError(f"{name}: {text[:80]!r} is not JSON ({error}); set it to {what}") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise PipelineError(f"{name}: it is a JSON {type(document).__name__}, not an object; set it to {what}")
    return document

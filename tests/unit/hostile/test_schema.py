"""Requests that schemathesis draws up from /swagger.json, right ones and wrong ones."""

from http import HTTPStatus
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from fuzz.checks import Answer, violation
from fuzz.fields import NUMBERS
from fuzz.oracle import expect
from tests.unit.hostile.conftest import Target

pytestmark = pytest.mark.unit

AS_DESCRIBED = [content_type_conformance, response_schema_conformance, status_code_conformance]
OPERATIONS = ["GET /", "GET /livez", "GET /readyz", "POST /predict", "POST /score"]
RIGHT = [GenerationMode.POSITIVE]
GENERATED = [*RIGHT, GenerationMode.NEGATIVE]
MOST_ROWS = 10_000
SOME = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def described(target: Target) -> Any:
    return schemathesis.openapi.from_url(f"http://127.0.0.1:{target.port}/swagger.json")


def test_these_are_the_operations(described: Any) -> None:
    operations = [result.ok() for result in described.get_all_operations()]
    assert sorted(f"{operation.method.upper()} {operation.path}" for operation in operations) == OPERATIONS


@pytest.mark.parametrize(
    ("operation", "mode"),
    # There is nothing in a GET here that could be wrong.
    [(operation, mode) for operation in OPERATIONS for mode in (GENERATED if operation.startswith("POST") else RIGHT)],
)
def test_every_operation_answers_as_described(
    described: Any, target: Target, operation: str, mode: GenerationMode
) -> None:
    method, path = operation.split()

    @SOME
    @given(case=described[path][method].as_strategy(generation_mode=mode))
    def answers_as_described(case: Any) -> None:
        response = case.call()
        case.validate_response(response, checks=AS_DESCRIBED)
        # One that nobody overloads is 503 only where the model itself has no answer.
        assert response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR or "prediction_failed" in response.text
        sent = response.request.body
        if path == "/score" and sent and response.request.headers.get("Content-Type") == "application/json":
            body = sent if isinstance(sent, bytes) else sent.encode()
            headers = {name.lower(): values[0] for name, values in response.headers.items()}
            answer = Answer(response.status_code, headers, response.content)
            assert violation(answer, expect(body, NUMBERS, MOST_ROWS), target.predict) is None, body

    answers_as_described()

"""docs/observability.md says of the log and of what is sent what the service does."""

import json
import logging
import re
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # it ships no type information

from service.engine.request_head import RequestHead
from service.logs import JsonFormatter
from service.settings import SettingsError, connection_string_from
from service.telemetry_azure import COUNTERS, QUEUE

pytestmark = pytest.mark.unit

PAGE = (Path(__file__).parents[3] / "docs" / "observability.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def line_of(head: RequestHead) -> dict[str, object]:
    record = logging.LogRecord("service.engine.refusals", logging.INFO, "x.py", 1, "m", (), None)
    record.__dict__.update(head.log_fields())
    return dict(json.loads(JsonFormatter().format(record)))


def test_the_example_of_a_line_has_the_fields_of_a_real_one() -> None:
    (example,) = (json.loads(block) for block in blocks("json"))
    asked = RequestHead([(b"x-request-id", b"r-1"), (b"x-ms-client-request-id", b"c-1")])
    real = line_of(asked)
    assert list(example) == list(real)
    assert [type(value) for value in example.values()] == [type(value) for value in real.values()]


def test_every_field_that_a_line_may_have_is_told_and_no_other() -> None:
    section = PAGE.partition("| field |")[2].partition("\n\n")[0]
    told = {name for row in section.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    ids = [(b"x-request-id", b"1"), (b"x-ms-request-id", b"2"), (b"x-ms-client-request-id", b"3")]
    assert told == set(line_of(RequestHead(ids)))


def test_the_queries_name_metrics_that_are_sent() -> None:
    named = set(re.findall(r"scoring_\w+", "".join(blocks("kusto"))))
    assert named
    assert named <= {*COUNTERS, QUEUE}


def test_the_snippet_of_deployment_yml_is_what_the_service_reads_once_the_platform_has_replaced_it() -> None:
    (variables,) = (yaml.safe_load(block)["environment_variables"] for block in blocks("yaml"))
    with pytest.raises(SettingsError, match="has not replaced"):
        connection_string_from(variables)

"""The JSON document and its schema, and JUnit XML."""

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema  # type: ignore[import-untyped]
import pytest

from load.report import ReleaseReport, render_json, render_junit
from load.report_json import json_schema, render_json_schema
from load.verdict import Outcome
from tests.lib.report_samples import EVIL, SAMPLES, sample

pytestmark = pytest.mark.unit

SCHEMA_FILE = Path(__file__).parents[3] / "docs" / "report.schema.json"


@pytest.fixture(params=SAMPLES)
def report(request: pytest.FixtureRequest) -> ReleaseReport:
    return sample(request.param)


def strict(document: str) -> Any:
    """Parse JSON as its standard has it: no NaN, no Infinity."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(document, parse_constant=refuse)


def described(schema: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    for name, part in {"document": schema, **schema["$defs"]}.items():
        yield name, bool(part.get("description"))
        for field, property_ in part.get("properties", {}).items():
            yield f"{name}.{field}", bool(property_.get("description"))


def test_the_schema_that_is_checked_in_is_the_one_that_documents_are_made_by() -> None:
    assert SCHEMA_FILE.read_text(encoding="utf-8") == render_json_schema(), (
        "`python -m load.report_json > docs/report.schema.json` writes it anew"
    )


def test_the_schema_is_one_and_describes_every_property() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
    undescribed = [name for name, told in described(json_schema()) if not told]
    assert undescribed == []


def test_every_document_is_what_the_schema_says(report: ReleaseReport) -> None:
    validator = jsonschema.Draft202012Validator(json_schema(), format_checker=jsonschema.FormatChecker())
    document = strict(render_json(report))
    assert [error.message for error in validator.iter_errors(document)] == []
    assert set(document) == set(json_schema()["properties"])


def test_the_document_says_what_the_report_says() -> None:
    report = sample("failing")
    document = strict(render_json(report))
    assert report.verdict is not None
    assert document["schema"] == 1
    assert document["sentence"] == report.sentence
    assert document["verdict"]["outcome"] == "FAIL"
    assert [each["name"] for each in document["verdict"]["criteria"]] == [each.name for each in report.verdict.criteria]
    assert document["verdict"]["errors"][0]["candidate"] == 237
    assert document["journal"][0]["traffic"] == {"blue": 100}


def test_what_the_report_is_not_told_the_document_has_from_the_verdict() -> None:
    document = strict(render_json(replace(sample("promoted"), live=None, candidate=None)))
    assert (document["live"], document["candidate"]) == ("blue", "green")


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_cannot_hold_is_null(number: float) -> None:
    report = sample("promoted")
    assert report.verdict is not None
    criteria = tuple(
        replace(each, measured=number, limit=number, interval=(number, number)) for each in report.verdict.criteria
    )
    document = strict(render_json(replace(report, verdict=replace(report.verdict, criteria=criteria))))
    first = document["verdict"]["criteria"][0]
    assert (first["measured"], first["limit"], first["interval"]) == (None, None, [None, None])
    jsonschema.validate(document, json_schema())


def test_half_a_character_costs_neither_document() -> None:
    report = replace(sample("unstarted"), sentence="cut in a character: \ud83d", facts={"half \ud83d": "\ud83d"})
    assert strict(render_json(report))["sentence"] == "cut in a character: ?"
    assert ET.fromstring(render_junit(report)) is not None  # noqa: S314 - what this process wrote


def test_junit_counts_what_it_holds(report: ReleaseReport) -> None:
    suite = ET.fromstring(render_junit(report))  # noqa: S314 - what this process wrote
    cases = suite.findall("testcase")
    criteria = report.verdict.criteria if report.verdict else ()
    assert int(suite.attrib["tests"]) == len(cases) == len(report.smoke) + len(criteria) + 1
    failed, broken = suite.findall("testcase/failure"), suite.findall("testcase/error")
    assert (int(suite.attrib["failures"]), int(suite.attrib["errors"])) == (len(failed), len(broken))
    wrong = [check for check in report.smoke if check.mismatch]
    bad = [each for each in criteria if each.result in {Outcome.FAIL, Outcome.INCONCLUSIVE}]
    invalid = [each for each in criteria if each.result is Outcome.INVALID]
    ended = 0 if report.good else 1
    assert len(failed) + len(broken) == len(wrong) + len(bad) + len(invalid) + ended


def test_junit_is_green_only_where_the_release_ended_as_it_was_meant_to(report: ReleaseReport) -> None:
    suite = ET.fromstring(render_junit(report))  # noqa: S314 - what this process wrote
    green = suite.attrib["failures"] == suite.attrib["errors"] == "0"
    assert green is (report.good and all(check.mismatch is None for check in report.smoke))


def test_an_invalid_measurement_is_an_error_and_no_failure() -> None:
    suite = ET.fromstring(render_junit(sample("broken off")))  # noqa: S314 - what this process wrote
    assert suite.attrib["failures"] == "0"
    assert int(suite.attrib["errors"]) > 1


def test_what_xml_cannot_hold_is_marked_and_the_rest_is_kept() -> None:
    controls = "".join(map(chr, range(32))) + "\x7f\ufffe\uffff\ud800]]>&<\"'"
    report = replace(sample("wrong"), sentence=f"{controls}{EVIL}", endpoint=controls, facts={controls: controls})
    suite = ET.fromstring(render_junit(report))  # noqa: S314 - what this process wrote
    told = {each.attrib["name"]: each.attrib["value"] for each in suite.findall("properties/property")}
    assert told["sentence"].startswith("\ufffd" * 9 + "\t\n")
    assert told["sentence"].endswith(EVIL)

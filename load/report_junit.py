"""The report as JUnit XML, for whatever shows test results: a case for each golden request, each criterion, the end."""

import re
from xml.etree import ElementTree as ET

from load.report_data import ReleaseReport
from load.report_facts import facts_of
from load.report_text import REPLACEMENT, redacted
from load.verdict import Outcome

# What XML 1.0 cannot hold: https://www.w3.org/TR/xml/#charsets
NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# A criterion that could not be judged is an error of the measurement, not a failure of the candidate.
ELEMENTS = {Outcome.FAIL: "failure", Outcome.INCONCLUSIVE: "failure", Outcome.INVALID: "error"}


def render_junit(report: ReleaseReport) -> str:
    """Return the XML; the suite's properties hold outcome, sentence and facts."""
    suite = ET.Element(
        "testsuite", name=text(f"release to {report.endpoint}"), timestamp=report.finished_at.isoformat()
    )
    properties = ET.SubElement(suite, "properties")
    told = {"outcome": report.outcome, "sentence": report.sentence, "next action": report.next_action}
    for name, value in {**told, **facts_of(report)}.items():
        ET.SubElement(properties, "property", name=text(name), value=text(value))
    add_cases(suite, report)
    cases = suite.findall("testcase")
    suite.set("tests", str(len(cases)))
    suite.set("failures", str(sum(case.find("failure") is not None for case in cases)))
    suite.set("errors", str(sum(case.find("error") is not None for case in cases)))
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def add_cases(suite: ET.Element, report: ReleaseReport) -> None:
    """Add what was tested, the end of the release last: without it one that was rolled back would be all green."""
    for check in report.smoke:
        wrong = Outcome.FAIL if check.mismatch else Outcome.PASS
        add_case(suite, "golden requests", check.request_id, wrong, check.mismatch or "")
    for each in report.verdict.criteria if report.verdict else ():
        add_case(suite, f"gate.{each.layer}", each.name, each.result, each.reason)
    end = report.verdict.outcome if report.verdict else Outcome.FAIL
    if end is Outcome.PASS and not report.good:
        end = Outcome.FAIL
    add_case(suite, "release", "ended as it was meant to", Outcome.PASS if report.good else end, report.sentence)


def add_case(suite: ET.Element, group: str, name: str, outcome: Outcome, reason: str) -> None:
    case = ET.SubElement(suite, "testcase", classname=group, name=text(name), time="0")
    if outcome in ELEMENTS:
        ET.SubElement(case, ELEMENTS[outcome], message=text(reason), type=outcome)


def text(value: str) -> str:
    """Return the text without keys, and without what XML cannot hold."""
    return NOT_IN_XML.sub(REPLACEMENT, redacted(value))

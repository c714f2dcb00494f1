"""The report as JUnit XML, for whatever shows test results: a test case for each golden request and each criterion."""

import re
from xml.etree import ElementTree as ET

from load.report_data import ReleaseReport
from load.report_wording import writable
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
    told = {"outcome": report.outcome, "sentence": report.sentence, "next action": report.next_action, **report.facts}
    for name, value in told.items():
        ET.SubElement(properties, "property", name=text(name), value=text(value))
    for check in report.smoke:
        case = ET.SubElement(suite, "testcase", classname="golden requests", name=text(check.request_id), time="0")
        if check.mismatch:
            ET.SubElement(case, "failure", message=text(check.mismatch), type="FAIL")
    for each in report.verdict.criteria if report.verdict else ():
        case = ET.SubElement(suite, "testcase", classname=f"gate.{each.layer}", name=text(each.name), time="0")
        if each.result in ELEMENTS:
            ET.SubElement(case, ELEMENTS[each.result], message=text(each.reason), type=each.result)
    cases = suite.findall("testcase")
    suite.set("tests", str(len(cases)))
    suite.set("failures", str(sum(case.find("failure") is not None for case in cases)))
    suite.set("errors", str(sum(case.find("error") is not None for case in cases)))
    ET.indent(suite)
    return writable(ET.tostring(suite, encoding="unicode", xml_declaration=True)) + "\n"


def text(value: str) -> str:
    """Return the text without what XML cannot hold."""
    return NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", value)

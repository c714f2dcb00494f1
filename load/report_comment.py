"""The report as a comment of a pull request: what one has to know, in fifteen lines at most, updated in place."""

import re
from collections.abc import Mapping

from load.report_data import ReleaseReport
from load.report_markup import link, plain, prose, table
from load.report_text import writable
from load.report_wording import SIGNS, tone
from load.verdict import Criterion, Layer, Outcome
from load.wording import change, limit, number

MOST_ROWS = 4
MOST_LINKS = 5
MOST_NAME_CHARACTERS = 100
MOST_SENTENCE_CHARACTERS = 500
SEVERITY = (Outcome.FAIL, Outcome.INVALID, Outcome.INCONCLUSIVE, Outcome.PASS)
LAYERS = (Layer.RELATIVE, Layer.ERRORS, Layer.PARITY, Layer.ABSOLUTE, Layer.VALIDITY)


def marker(endpoint: str) -> str:
    """Return the line by which the comment of an earlier run is found, and replaced."""
    return f"<!-- release report of {re.sub(r'[^0-9A-Za-z.-]', '_', endpoint)[:MOST_NAME_CHARACTERS]} -->"


def render_comment(report: ReleaseReport, links: Mapping[str, str] | None = None) -> str:
    """Return the comment; `links` are labels and addresses, such as of the run and of the report."""
    outcome, endpoint = (plain(text, MOST_NAME_CHARACTERS) for text in (report.outcome, report.endpoint))
    lines = [
        marker(report.endpoint),
        f"### {SIGNS[tone(report)]} {outcome} · {endpoint}",
        prose(report.sentence, MOST_SENTENCE_CHARACTERS),
    ]
    if report.verdict is not None:
        rows = (cells(each) for each in chosen(report.verdict.criteria))
        lines += ["", table(("criterion", "limit", "live", "candidate", "measured", "result"), rows)]
    lines += ["", f"Next: {prose(report.next_action, MOST_SENTENCE_CHARACTERS)}"]
    if links:
        lines += ["", " · ".join(link(label, address) for label, address in list(links.items())[:MOST_LINKS])]
    return writable("\n".join(lines)) + "\n"


def chosen(criteria: tuple[Criterion, ...]) -> list[Criterion]:
    """Return the few that tell most: the worst first, then what is compared with live."""
    told = [each for each in criteria if each.layer is not Layer.VALIDITY or each.result is not Outcome.PASS]
    return sorted(told, key=lambda each: (SEVERITY.index(each.result), LAYERS.index(each.layer)))[:MOST_ROWS]


def cells(each: Criterion) -> tuple[str, ...]:
    return (
        each.name,
        limit(each),
        number(each.live, each.unit),
        number(each.candidate, each.unit),
        change(each),
        each.result,
    )

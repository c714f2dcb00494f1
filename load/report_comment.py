"""The report as a comment of a pull request: what one has to know, in fifteen lines at most, updated in place."""

from load.report_data import ReleaseReport
from load.report_markdown import plain
from load.report_wording import writable
from load.verdict import Criterion, Layer, Outcome
from load.wording import change, limit, number

MOST_LINES = 15
MOST_ROWS = 4
MOST_SENTENCE_CHARACTERS = 500
SEVERITY = (Outcome.FAIL, Outcome.INVALID, Outcome.INCONCLUSIVE, Outcome.PASS)
LAYERS = (Layer.RELATIVE, Layer.ERRORS, Layer.PARITY, Layer.ABSOLUTE, Layer.VALIDITY)


def marker(endpoint: str) -> str:
    """Return the line by which the comment of an earlier run is found, and replaced."""
    return f"<!-- release report of {plain(endpoint).replace('--', '')} -->"


def render_comment(report: ReleaseReport, links: dict[str, str] | None = None) -> str:
    """Return the comment; `links` are labels and addresses, such as of the run and of the report."""
    lines = [
        marker(report.endpoint),
        f"### {'✅' if report.good else '⛔'} {plain(report.outcome)} · {plain(report.endpoint)}",
        plain(report.sentence[:MOST_SENTENCE_CHARACTERS]),
        "",
    ]
    if report.verdict is not None:
        lines += [
            "| criterion | limit | live | candidate | measured | result |",
            "| --- | --- | --- | --- | --- | --- |",
        ]
        lines += [row(each) for each in chosen(report.verdict.criteria)]
        lines.append("")
    lines.append(f"Next: {plain(report.next_action[:MOST_SENTENCE_CHARACTERS])}")
    if links:
        lines.append(" · ".join(f"[{plain(label)}]({address})" for label, address in links.items()))
    return writable("\n".join(lines)) + "\n"


def chosen(criteria: tuple[Criterion, ...]) -> list[Criterion]:
    """Return the few that tell most: the worst first, then what is compared with live."""
    told = [each for each in criteria if each.layer is not Layer.VALIDITY or each.result is not Outcome.PASS]
    return sorted(told, key=lambda each: (SEVERITY.index(each.result), LAYERS.index(each.layer)))[:MOST_ROWS]


def row(each: Criterion) -> str:
    cells = (
        plain(each.name),
        limit(each),
        number(each.live, each.unit),
        number(each.candidate, each.unit),
        change(each),
        str(each.result),
    )
    return f"| {' | '.join(cells)} |"

"""The report as one HTML page: no script, nothing fetched, readable on a phone, in the dark and on paper."""

import re
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from load import report_logs, wording
from load.charts import Chart, judged_latencies
from load.charts_histogram import histogram
from load.charts_percentiles import percentile_curve
from load.charts_timeline import timeline
from load.charts_traffic import traffic_chart
from load.report_data import ReleaseReport
from load.report_facts import facts_of
from load.report_markup import CODE, safe_address
from load.report_method import method_of
from load.report_text import short_and_shown, writable
from load.report_wording import (
    alone_sentence,
    candidate_of,
    day_and_time,
    in_words,
    judged_s_of,
    live_of,
    parity_facts,
    parity_sentence,
    past_releases,
    short,
    tone,
)
from load.verdict import Criterion, Layer

TEMPLATES = Path(__file__).with_name("templates")
BAR_WIDTH = 160
SLO_CRITERION = "p95 within SLO"
LIMIT_ROOM = 1.35  # a bar reaches this far beyond its limit, so that the limit is seen
UNIT = re.compile(r"(?<=\d) (?=%|m?s\b)")
LONG_JOURNAL = 40  # entries from which the table is scrolled
MOST_EVENTS = 50
MOST_BYTES = 295_000


@dataclass(frozen=True)
class Detail:
    """How much of what has no length of its own is shown: characters of a text, rows of a table, containers' output."""

    text_characters: int
    table_rows: int
    logs: report_logs.Room


# The first with which the page is small enough: nobody's logs or names make it one that cannot be sent.
DETAILS = (
    Detail(2000, 400, report_logs.Room(lines=400, line_characters=2000, total_bytes=70_000)),
    Detail(300, 150, report_logs.Room(lines=400, line_characters=1000, total_bytes=25_000)),
    Detail(60, 60, report_logs.Room(lines=50, line_characters=300, total_bytes=5_000)),
)


@dataclass(frozen=True)
class Bar:
    """Where nothing, a measured value, its bounds and its limit lie on a bar, in units of its view box."""

    zero: float
    value: float
    lower: float
    upper: float
    limit: float


def render_html(report: ReleaseReport) -> str:
    """Return the whole page; everything that comes from outside is escaped, and shown without keys."""
    page = ""
    for detail in DETAILS:
        page = writable(environment(detail).get_template("report.html.j2").render(context(report, detail)))
        if len(page.encode()) <= MOST_BYTES:
            break
    return page


def environment(detail: Detail) -> Environment:
    """Return what fills in the templates: each text fit to be shown, and no longer than it may be."""

    def fit(value: Any) -> Any:
        is_text = isinstance(value, str) and not isinstance(value, Markup)
        return short_and_shown(value, detail.text_characters) if is_text else value

    def code_spans(text: str) -> Markup:
        """Return the text escaped, with what stands in backticks as code."""
        parts = CODE.split(UNIT.sub("\N{NO-BREAK SPACE}", fit(text)))
        return Markup("").join(
            Markup("<code>{}</code>").format(part) if index % 2 else part for index, part in enumerate(parts)
        )

    found = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=fit,
    )
    found.globals |= {
        name: getattr(wording, name) for name in ("change", "clock", "limit", "number", "share_of_traffic")
    }
    found.filters |= {each.__name__: each for each in (code_spans, day_and_time, in_words, safe_address, short)}
    return found


def context(report: ReleaseReport, detail: Detail) -> dict[str, Any]:
    verdict, candidate = report.verdict, candidate_of(report)
    criteria = verdict.criteria if verdict else ()
    events = report_logs.happenings(report.logs, detail.text_characters)
    return {
        "report": report,
        "tone": tone(report),
        "live": live_of(report),
        "candidate": candidate,
        "alone": alone_sentence(report),
        "decisive": [(each, bar(each)) for each in criteria if each.layer is not Layer.VALIDITY],
        "validity": [each for each in criteria if each.layer is Layer.VALIDITY],
        "latency_charts": latency_charts(report),
        "start_status": report_logs.status_of(report.logs),
        "start_events": events[-MOST_EVENTS:],
        "earlier_events": max(0, len(events) - MOST_EVENTS),
        "tails": report_logs.tails(report.logs, report.sentence, detail.logs),
        "wrong": [check for check in report.smoke if check.mismatch],
        "right": [check for check in report.smoke if not check.mismatch],
        "most_golden": detail.table_rows,
        "parity_sentence": parity_sentence(verdict) if verdict else "",
        "parity_facts": parity_facts(verdict) if verdict else {},
        "traffic": traffic_chart(report.journal, candidate),
        "journal": report.journal[-detail.table_rows :],
        "earlier_entries": max(0, len(report.journal) - detail.table_rows),
        "long_journal": len(report.journal) >= LONG_JOURNAL,
        "past_releases": past_releases(report),
        "facts": facts_of(report),
        "method": method_of(report),
    }


def bar(criterion: Criterion) -> Bar | None:
    """Return the bar of a criterion; a limit of 0 says enough in words.

    What limits a share from below is shown as what is missing of the whole, so that all bars are read alike.
    """
    measured, limit = criterion.measured, criterion.limit
    if measured is None:
        return None
    lower, upper = criterion.interval or (measured, measured)
    if criterion.operator != "<=":
        measured, limit, lower, upper = 1 - measured, 1 - limit, 1 - upper, 1 - lower
    if limit <= 0 or not all(map(isfinite, (measured, limit, lower, upper))):
        return None
    left, right = max(min(0.0, lower), -limit), max(limit * LIMIT_ROOM, upper * 1.05)

    def at(value: float) -> float:
        return round(BAR_WIDTH * min(1.0, max(0.0, (value - left) / (right - left))), 1)

    return Bar(at(0.0), at(measured), at(lower), at(upper), at(limit))


def latency_charts(report: ReleaseReport) -> tuple[Chart, ...]:
    """Return the percentile curve, the histogram and the timeline; the first two only where something is judged."""
    rows = report.rows
    if rows is None or not len(rows):
        return ()
    criteria = report.verdict.criteria if report.verdict else ()
    slo_ms = next((each.limit for each in criteria if each.name == SLO_CRITERION and isfinite(each.limit)), None)
    looks_s = [each.judged_s for each in report.verdict.looks] if report.verdict else []
    judged_s = judged_s_of(report)
    latencies = judged_latencies(rows, judged_s)
    spread = (percentile_curve(latencies, slo_ms), histogram(latencies, slo_ms)) if latencies else ()
    return (*spread, timeline(rows, judged_s, slo_ms, looks_s))

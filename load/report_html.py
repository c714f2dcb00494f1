"""The report as one HTML page: no script, nothing fetched, readable on a phone, in the dark and on paper."""

from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from load import charts, report_logs, wording
from load.charts_histogram import histogram
from load.charts_traffic import traffic_chart
from load.report_data import ReleaseReport
from load.report_wording import (
    alone_sentence,
    candidate_of,
    day_and_time,
    parity_facts,
    parity_sentence,
    past_releases,
    short,
    writable,
)
from load.verdict import Criterion, Layer, Outcome

TEMPLATES = Path(__file__).with_name("templates")
BAR_WIDTH = 120
SLO_CRITERION = "p95 within SLO"
LOG_ROOM = report_logs.Room(lines=400, line_characters=4000, total_bytes=70_000)
LIMIT_ROOM = 1.35  # a bar reaches this far beyond its limit, so that the limit is seen


@dataclass(frozen=True)
class Bar:
    """Where a measured value, its bounds and its limit lie on a bar, in units of its view box."""

    value: float
    lower: float
    upper: float
    limit: float


def render_html(report: ReleaseReport) -> str:
    """Return the whole page; everything that comes from outside is escaped."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        name: getattr(wording, name) for name in ("change", "clock", "limit", "number", "share_of_traffic")
    }
    environment.filters |= {"code_spans": code_spans, "day_and_time": day_and_time, "short": short}
    verdict = report.verdict
    live = report.live or (verdict.live if verdict else None)
    candidate = candidate_of(report)
    criteria = verdict.criteria if verdict else ()
    template = environment.get_template("report.html.j2")
    page = template.render(
        report=report,
        tone="good" if report.good else tone(report),
        decisive=[(each, bar(each)) for each in criteria if each.layer is not Layer.VALIDITY],
        validity=[each for each in criteria if each.layer is Layer.VALIDITY],
        latency_charts=latency_charts(report),
        alone=alone_sentence(report),
        start_status=report_logs.status_of(report.logs),
        start_events=report_logs.happenings(report.logs, LOG_ROOM.line_characters),
        tails=report_logs.tails(report.logs, report.sentence, LOG_ROOM),
        past_releases=past_releases(report),
        parity_sentence=parity_sentence(verdict) if verdict else "",
        parity_facts=parity_facts(verdict) if verdict else {},
        live=live,
        candidate=candidate,
        traffic=traffic_chart(report.journal, candidate),
        box=charts,
    )
    return writable(page)


def code_spans(text: str) -> Markup:
    """Return the text escaped, with what stands in backticks as code."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if index % 2 and index < len(parts) - 1 else part
        for index, part in enumerate(parts)
    )


def tone(report: ReleaseReport) -> str:
    """Return `bad` for what was shown to be bad, `unsure` where nothing was shown."""
    outcome = report.verdict.outcome if report.verdict else Outcome.FAIL
    return "unsure" if outcome in {Outcome.INCONCLUSIVE, Outcome.INVALID} else "bad"


def bar(criterion: Criterion) -> Bar | None:
    """Return the bar of a criterion that limits from above; the others say enough in words, and so does a limit of 0."""
    if criterion.measured is None or criterion.operator != "<=" or not criterion.limit:
        return None
    lower, upper = criterion.interval or (criterion.measured, criterion.measured)
    top = max(criterion.limit * LIMIT_ROOM, upper * 1.05)

    def at(value: float) -> float:
        return round(BAR_WIDTH * min(1.0, max(0.0, value / top)), 1)

    return Bar(at(criterion.measured), at(lower), at(upper), at(criterion.limit))


def latency_charts(report: ReleaseReport) -> tuple[charts.Chart, ...]:
    """Return the percentile curve, the timeline and the histogram; nothing where no request was measured."""
    rows = report.rows
    if rows is None or not rows.latency_known.any():
        return ()
    roles = ("live", "candidate") if rows.plan.live else ("candidate",)
    criteria = report.verdict.criteria if report.verdict else ()
    slo_ms = next((each.limit for each in criteria if each.name == SLO_CRITERION), None)
    looks_s = [each.judged_s for each in report.verdict.looks] if report.verdict else []
    return (
        charts.percentile_curve(rows, roles, slo_ms),
        charts.timeline(rows, roles, slo_ms, looks_s),
        histogram(rows, roles, slo_ms),
    )

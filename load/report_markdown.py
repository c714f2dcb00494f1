"""The Markdown twin of the report, for a job summary or a terminal."""

import re
from collections.abc import Iterable, Sequence

from load.intervals import quantile
from load.report_data import ContainerLog, ReleaseReport
from load.report_logs import Room, Tail, happenings, status_of, tails
from load.report_wording import (
    alone_sentence,
    day_and_time,
    parity_facts,
    parity_sentence,
    past_releases,
    short,
    writable,
)
from load.rows import ROLES, Rows
from load.verdict import Layer, Verdict
from load.wording import MARKS, change, clock, limit, number, share_of_traffic

ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "`": "&#96;", "@": "&#64;"}
MOST_BYTES = 60_000  # GitHub takes 65,536 characters of a comment, and 1 MiB of a job summary
LOG_ROOM = Room(lines=40, line_characters=400, total_bytes=24_000)
MOST_EVENTS = 10
MOST_SENTENCE_CHARACTERS = 2000
PERCENTILES = (0.5, 0.75, 0.9, 0.95, 0.99)
BACKTICKS = re.compile("`+")


def render_markdown(report: ReleaseReport) -> str:
    """Return the report for GitHub's job summary, as long as one may be: everything untrusted escaped or fenced."""
    head = [
        f"## {'✅' if report.good else '⛔'} {plain(report.outcome)} · {plain(report.endpoint)}",
        f"**{plain(report.sentence[:MOST_SENTENCE_CHARACTERS])}**",
    ]
    alone = alone_sentence(report)
    if alone is not None:
        head.append(plain(alone))
    head.append(f"Next: {plain(report.next_action[:MOST_SENTENCE_CHARACTERS])}")
    return writable("\n\n".join(fitted(head, sections(report))) + "\n")


def sections(report: ReleaseReport) -> list[tuple[str, str]]:
    """Return heading and body of what there is to tell, in the order of the page."""
    found = []
    if report.logs:
        found.append(("Why it did not start", start(report.logs, report.sentence)))
    found += measured(report)
    if report.smoke:
        header = ("request", "expected", "answered", "result")
        checks = ((each.request_id, each.expected, each.answered, each.mismatch or "right") for each in report.smoke)
        found.append(("Golden requests", table(header, checks)))
    if report.journal:
        header = ("at (UTC)", "event", "traffic", "seen in the answers")
        entries = (
            (clock(entry.at), entry.event, share_of_traffic(entry.traffic) or "none", MARKS[entry.verified])
            for entry in report.journal
        )
        found.append(("What happened", table(header, entries)))
    if report.history:
        found.append(("Releases before this one", history_table(report)))
    if report.facts:
        found.append(("Environment", table(("", ""), report.facts.items())))
    if report.replay_command:
        command = report.replay_command.replace("`", "")
        found.append(("Judge the same rows again", f"```sh\n{command}\n```"))
    return found


def measured(report: ReleaseReport) -> list[tuple[str, str]]:
    """Return the sections of the load test."""
    found, verdict = [], report.verdict
    if verdict is not None:
        found.append(("What the gate looked at", criteria_table(verdict)))
        if verdict.errors:
            found.append(("What failed", errors_table(verdict)))
    if report.rows is not None and report.rows.latency_known.any():
        found.append(("How long requests took", latency_section(report.rows)))
    if verdict is not None and verdict.parity is not None:
        found.append(("Answers beside live's", parity_section(verdict)))
    return found


def fitted(head: Sequence[str], parts: Iterable[tuple[str, str]]) -> list[str]:
    """Return head and sections as far as they may go, and name those that would be too long."""
    fitting, left_out = list(head), []
    left = MOST_BYTES - sum(len(part.encode("utf-8", "replace")) + 2 for part in head)
    for heading, body in parts:
        section = f"### {heading}\n\n{body}"
        size = len(section.encode("utf-8", "replace")) + 2
        if size > left:
            left_out.append(heading)
            continue
        fitting.append(section)
        left -= size
    if left_out:
        fitting.append(f"Too long for this summary, and in the page alone: {', '.join(left_out)}.")
    return fitting


def start(logs: Sequence[ContainerLog], sentence: str) -> str:
    """Return how far the start came, what the platform says of it, and the containers' last lines."""
    parts = []
    status = status_of(logs)
    if status:
        parts.append("Instance status: " + ", ".join(f"{plain(step)} **{plain(state)}**" for step, state in status))
    events = happenings(logs, LOG_ROOM.line_characters)
    if events:
        earlier = len(events) - MOST_EVENTS
        lines = [f"- {earlier} earlier ones are in the page"] if earlier > 0 else []
        for each in events[-MOST_EVENTS:]:
            name = plain(f"{'⚠ ' if each.warning else ''}{each.name}")
            times = f" ({each.times} times)" if each.times > 1 else ""
            lines.append(f"- {plain(each.when)} **{name}**: {plain(each.message)}{times}")
        parts.append("\n".join(lines))
    for tail in tails(logs, sentence, LOG_ROOM):
        parts.append(f"**{plain(tail.container)}**, {tail.extent}{':' if tail.lines else ''}")
        if tail.lines:
            parts.append(fenced(tail))
    return "\n\n".join(parts)


def fenced(tail: Tail) -> str:
    """Return the lines between fences that none of them can end: a fence is ended by no fewer backticks than it has."""
    content = "\n".join(tail.lines)
    fence = "`" * max(3, 1 + max(map(len, BACKTICKS.findall(content)), default=0))
    return f"{fence}text\n{content}\n{fence}"


def errors_table(verdict: Verdict) -> str:
    """Return the kinds of failure with their counts."""
    both = verdict.live is not None
    return table(
        ("kind", "what it means", *(("live",) if both else ()), "candidate", "request ids"),
        (
            (
                each.name,
                each.meaning,
                *((str(each.live),) if both else ()),
                str(each.candidate),
                ", ".join(each.request_ids),
            )
            for each in verdict.errors
        ),
    )


def parity_section(verdict: Verdict) -> str:
    """Return how the answers compare, and the payloads that differ most."""
    parts = [f"{plain(parity_sentence(verdict))}."]
    if verdict.parity is not None and verdict.parity.worst:
        rows = ((each.payload, each.live, each.candidate) for each in verdict.parity.worst)
        parts.append(table(("payload", "live", "candidate"), rows))
    parts.append(table(("", ""), parity_facts(verdict).items()))
    return "\n\n".join(parts)


def latency_section(rows: Rows) -> str:
    """Return percentiles as a chart that GitHub draws, and the table behind it."""
    roles = [role for role in ROLES if len(rows.of(role))]
    latency_ms = {role: rows.of(role).where(rows.of(role).latency_known).latency_ms for role in roles}
    latency_ms = {role: values for role, values in latency_ms.items() if len(values)}
    names = [f"p{share * 100:g}" for share in PERCENTILES]
    values = {role: [quantile(found, share) for share in PERCENTILES] for role, found in latency_ms.items()}
    lines = "\n".join(f"    line [{', '.join(f'{value:.1f}' for value in each)}]" for each in values.values())
    most = max((value for each in values.values() for value in each), default=1.0)
    chart = (
        f'```mermaid\nxychart-beta\n    title "Latency in ms: {", then ".join(values)}"\n'
        f'    x-axis [{", ".join(names)}]\n    y-axis "ms" 0 --> {most * 1.1:.0f}\n{lines}\n```'
    )
    cells = ((name, *(number(each[index], "ms") for each in values.values())) for index, name in enumerate(names))
    return f"{chart}\n\n{table(('percentile', *values), cells)}"


def history_table(report: ReleaseReport) -> str:
    """Return the releases before this one, newest first."""
    return table(
        ("finished (UTC)", "release", "outcome", "deployment", "model", "image", "commit"),
        (
            (
                day_and_time(each.finished_at),
                each.release_id,
                each.outcome,
                each.deployment,
                each.model_version,
                short(each.image),
                short(each.commit),
            )
            for each in past_releases(report)
        ),
    )


def criteria_table(verdict: Verdict) -> str:
    """Return the criteria as a Markdown table: those that decide first, then what made the measurement valid."""
    decisive = [each for each in verdict.criteria if each.layer is not Layer.VALIDITY]
    validity = [each for each in verdict.criteria if each.layer is Layer.VALIDITY]
    # Of one deployment alone, what was measured is the candidate's number.
    both = verdict.live is not None
    return table(
        ("criterion", "limit", *(("live", "candidate") if both else ()), "measured", "result"),
        (
            (
                each.name,
                limit(each),
                *((number(each.live, each.unit), number(each.candidate, each.unit)) if both else ()),
                change(each),
                each.result,
            )
            for each in decisive + validity
        ),
    )


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *(tuple(plain(cell) for cell in row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def plain(text: str) -> str:
    """Return text that Markdown and HTML show as it is, on one line."""
    for character in "\\*_[]!#":
        text = text.replace(character, f"\\{character}")
    # After the backslashes, which would break the entities.
    for character, entity in ENTITIES.items():
        text = text.replace(character, entity)
    return " ".join(text.split())

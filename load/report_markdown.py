"""The Markdown twin of the report, for a job summary or a terminal."""

from collections.abc import Iterable, Mapping, Sequence

from load.charts import judged_latencies
from load.report_data import ContainerLog, JournalEntry, ReleaseReport, SmokeCheck
from load.report_facts import facts_of
from load.report_logs import Room, Tail, happenings, status_of, tails
from load.report_markup import MOST_CELL_CHARACTERS, fenced, link, plain, prose, table, table_of
from load.report_mermaid import latency_section
from load.report_method import method_of
from load.report_text import writable
from load.report_wording import (
    SIGNS,
    alone_sentence,
    day_and_time,
    judged_s_of,
    parity_facts,
    parity_sentence,
    past_releases,
    short,
    tone,
)
from load.verdict import Layer, Verdict
from load.wording import MARKS, change, clock, limit, number, share_of_traffic

MOST_BYTES = 60_000  # GitHub takes 65,536 characters of a comment, and 1 MiB of a job summary
LOG_ROOM = Room(lines=40, line_characters=400, total_bytes=24_000)
MOST_EVENTS = 10
MOST_ENTRIES = 60
MOST_WRONG = 20
MOST_NAME_CHARACTERS = 100
MOST_SENTENCE_CHARACTERS = 2000


def render_markdown(report: ReleaseReport) -> str:
    """Return the report for GitHub's job summary, as long as one may be: everything untrusted escaped or fenced."""
    outcome, endpoint = (plain(text, MOST_NAME_CHARACTERS) for text in (report.outcome, report.endpoint))
    head = [
        f"## {SIGNS[tone(report)]} {outcome} · {endpoint}",
        f"**{prose(report.sentence, MOST_SENTENCE_CHARACTERS)}**",
    ]
    alone = alone_sentence(report)
    if alone is not None:
        head.append(plain(alone, MOST_SENTENCE_CHARACTERS))
    head.append(f"Next: {prose(report.next_action, MOST_SENTENCE_CHARACTERS)}")
    return writable("\n\n".join(fitted(head, sections(report))) + "\n")


def sections(report: ReleaseReport) -> list[tuple[str, str]]:
    """Return heading and body of what there is to tell, in the order of the page."""
    found = []
    if report.logs:
        found.append(("Why it did not start", start(report.logs, report.sentence)))
    found += measured(report)
    if report.smoke:
        found.append(("Golden requests", golden(report.smoke)))
    if report.journal:
        found.append(("Who had the traffic, and when", journal(report.journal)))
    if report.history:
        found.append(("Releases before this one", history_table(report)))
    if facts := facts_of(report):
        found.append(("Environment", environment(facts)))
    found.append(("How this was decided", method(report)))
    return found


def measured(report: ReleaseReport) -> list[tuple[str, str]]:
    """Return the sections of the load test."""
    found, verdict = [], report.verdict
    if verdict is not None:
        found.append(("What the gate looked at", criteria_table(verdict)))
        if verdict.errors:
            found.append(("What failed", errors_table(verdict)))
    latencies = judged_latencies(report.rows, judged_s_of(report)) if report.rows is not None else {}
    if latencies:
        found.append(("How long requests took", latency_section(latencies)))
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
    return "\n\n".join([*parts, *map(told, tails(logs, sentence, LOG_ROOM))])


def told(tail: Tail) -> str:
    heading = f"**{plain(tail.container)}**, {tail.extent}"
    return f"{heading}:\n\n{fenced('text', tail.lines)}" if tail.lines else heading


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


def errors_table(verdict: Verdict) -> str:
    """Return the kinds of failure with their counts."""
    both = verdict.live is not None
    return table(
        ("kind", "what it means", *(("live",) if both else ()), "candidate", "request ids of the candidate"),
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


def golden(checks: Sequence[SmokeCheck]) -> str:
    """Return the wrong answers as a table, and who was answered right by name."""
    wrong, right = [each for each in checks if each.mismatch], [each for each in checks if not each.mismatch]
    parts = []
    if wrong:
        rows = ((each.request_id, each.expected, each.answered, each.mismatch or "") for each in wrong[:MOST_WRONG])
        parts.append(table(("request", "expected", "answered", "what is wrong"), rows))
    if len(wrong) > MOST_WRONG:
        parts.append(f"{len(wrong) - MOST_WRONG} more wrong ones are in the page.")
    if right:
        names = ", ".join(each.request_id for each in right)
        parts.append(f"Answered right: {plain(names, MOST_SENTENCE_CHARACTERS)}.")
    return "\n\n".join(parts)


def journal(entries: Sequence[JournalEntry]) -> str:
    """Return the latest entries as a table."""
    rows = (
        (clock(entry.at), entry.event, share_of_traffic(entry.traffic) or "none", MARKS[entry.verified])
        for entry in entries[-MOST_ENTRIES:]
    )
    earlier = len(entries) - MOST_ENTRIES
    told_before = f"{earlier} earlier ones are in the page.\n\n" if earlier > 0 else ""
    return told_before + table(("at (UTC)", "event", "traffic after it", "seen in the answers"), rows)


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


def environment(facts: Mapping[str, str]) -> str:
    """Return the facts as a table, those that are web addresses as links."""
    return table_of(
        ("", ""),
        (
            (plain(label, MOST_CELL_CHARACTERS), link(value, value, MOST_CELL_CHARACTERS))
            for label, value in facts.items()
        ),
    )


def method(report: ReleaseReport) -> str:
    """Return how it was decided, and what judges the same rows again."""
    parts = [plain(paragraph, MOST_SENTENCE_CHARACTERS) for paragraph in method_of(report)]
    if report.replay_command:
        parts.append(f"The same rows give the same verdict:\n\n{fenced('sh', [report.replay_command])}")
    return "\n\n".join(parts)

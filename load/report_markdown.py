"""The Markdown twin of the report, for a job summary or a terminal."""

from collections.abc import Iterable

from load.report_data import ReleaseReport
from load.verdict import Layer, Verdict
from load.wording import MARKS, change, clock, limit, number, share_of_traffic

ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "`": "&#96;", "@": "&#64;"}


def render_markdown(report: ReleaseReport) -> str:
    """Return the report for GitHub's job summary: tables only, everything untrusted escaped."""
    parts = [
        f"## {'✅' if report.good else '⛔'} {plain(report.outcome)} · {plain(report.endpoint)}",
        f"**{plain(report.sentence)}**",
        f"Next: {plain(report.next_action)}",
    ]
    if report.verdict is not None:
        parts += ["### What the gate looked at", criteria_table(report.verdict)]
    if report.smoke:
        parts += [
            "### Golden requests",
            table(
                ("request", "expected", "answered", "result"),
                ((each.request_id, each.expected, each.answered, each.mismatch or "right") for each in report.smoke),
            ),
        ]
    if report.journal:
        parts += [
            "### What happened",
            table(
                ("at (UTC)", "event", "traffic", "seen in the answers"),
                (
                    (clock(entry.at), entry.event, share_of_traffic(entry.traffic), MARKS[entry.verified])
                    for entry in report.journal
                ),
            ),
        ]
    if report.facts:
        parts += ["### Environment", table(("", ""), report.facts.items())]
    if report.replay_command:
        parts += ["Judge the same rows again:", f"```sh\n{report.replay_command.replace('`', '')}\n```"]
    return "\n\n".join(parts) + "\n"


def criteria_table(verdict: Verdict) -> str:
    """Return the criteria as a Markdown table: those that decide first, then what made the measurement valid."""
    decisive = [each for each in verdict.criteria if each.layer is not Layer.VALIDITY]
    validity = [each for each in verdict.criteria if each.layer is Layer.VALIDITY]
    return table(
        ("criterion", "limit", "live", "candidate", "measured", "result"),
        (
            (
                each.name,
                limit(each),
                number(each.live, each.unit),
                number(each.candidate, each.unit),
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

"""What a release leaves for GitHub Actions: its report in the job's summary, outputs of its step, and an annotation."""

from pathlib import Path
from typing import Literal

from deployment import github
from deployment.release import Result
from load.report_markup import plain, prose, table


def tell_github(
    result: Result, release_id: str, folder: Path | None, *, level: Literal["warning", "error"] = "error"
) -> None:
    """Leave the report that is in `folder` in the summary, and the outputs outcome, release_id and report.

    Where the release did not end well, an annotation of that level says why. Where no report could be written (a folder
    of None), the summary says how it ended all the same, and the output report is empty.
    """
    github.set_output("outcome", result.outcome)
    github.set_output("release_id", release_id)
    written = folder if folder and (folder / "report.md").exists() else None
    github.set_output("report", str(written / "report.html") if written else "")
    github.add_summary((written / "report.md").read_text(encoding="utf-8") if written else without_report(result))
    if result.outcome.exit_code:
        github.annotate(level, f"{release_id}: {result.outcome}", f"{result.sentence} {result.next_action}")


def tell_phase(release_id: str, phase: str) -> None:
    """Say how far a release is that has not ended, and so has no report."""
    github.set_output("outcome", phase)
    github.set_output("release_id", release_id)
    github.add_summary(table(("release", "phase"), [(release_id, phase)]))


def without_report(result: Result) -> str:
    return f"## {plain(result.outcome.upper())}\n\n**{prose(result.sentence)}**\n\nNext: {prose(result.next_action)}"

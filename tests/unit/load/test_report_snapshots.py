"""What reports look like, kept as files: a difference is either a mistake or something to look at and keep."""

import os
import re
from collections.abc import Callable
from difflib import unified_diff
from pathlib import Path

import pytest

from load.report import ReleaseReport, render_comment, render_html, render_json, render_junit, render_markdown
from tests.lib import snapshot_samples

pytestmark = pytest.mark.unit

FOLDER = Path(__file__).with_name("snapshots")
RENEW = "RENEW_SNAPSHOTS"
MOST_LINES = 60
MOST_BYTES = 150_000


def comment(report: ReleaseReport) -> str:
    return render_comment(report, {"run": "https://example.com/runs/1", "report": "https://example.com/reports/1"})


def page_without_its_style(report: ReleaseReport) -> str:
    """Leave out what is a file of its own, word for word."""
    return re.sub(r"<style>.*?</style>", "<style></style>", render_html(report), count=1, flags=re.DOTALL)


KINDS: dict[str, Callable[[ReleaseReport], str]] = {
    "html": page_without_its_style,
    "md": render_markdown,
    "comment.md": comment,
    "json": render_json,
    "xml": render_junit,
}
REPORTS = {
    "promoted": snapshot_samples.promoted,
    "refused": snapshot_samples.refused,
    "unstarted": snapshot_samples.unstarted,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", REPORTS)
def test_a_report_is_what_it_was_when_somebody_last_looked_at_it(name: str, kind: str) -> None:
    path, found = FOLDER / f"{name}.{kind}", KINDS[kind](REPORTS[name]())
    if os.environ.get(RENEW):
        path.write_text(found, encoding="utf-8")
    kept = path.read_text(encoding="utf-8")
    difference = list(unified_diff(kept.splitlines(), found.splitlines(), "kept", "found", n=1, lineterm=""))
    assert not difference, "\n".join(
        [
            f"{path.name} has changed; where that was meant, `{RENEW}=1 python -m pytest {Path(__file__)}` keeps it",
            *difference[:MOST_LINES],
        ]
    )


def test_no_snapshot_is_of_a_report_that_is_not_made_any_more() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {f"{name}.{kind}" for name in REPORTS for kind in KINDS}


def test_snapshots_are_small_enough_to_be_read() -> None:
    assert max(path.stat().st_size for path in FOLDER.iterdir()) < MOST_BYTES

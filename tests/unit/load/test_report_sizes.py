"""However long a release was, its report is small and soon there."""

import time
from dataclasses import replace

import pytest

from load.report import (
    JournalEntry,
    SmokeCheck,
    render_comment,
    render_html,
    render_json,
    render_junit,
    render_markdown,
)
from tests.lib.load_samples import STARTED, past_releases, start_logs
from tests.lib.report_samples import sample

pytestmark = pytest.mark.unit


def test_the_largest_report_is_within_every_limit_and_made_in_a_moment() -> None:
    report = sample("largest")
    assert report.rows is not None
    assert len(report.rows) > 72_000
    started_s = time.monotonic()
    page, summary, comment = render_html(report), render_markdown(report), render_comment(report)
    document, xml = render_json(report), render_junit(report)
    assert time.monotonic() - started_s < 3
    assert len(page.encode()) < 300_000
    assert len(summary.encode()) < 61_000
    assert len(comment) < 5_000
    assert len(document.encode()) < 200_000
    assert len(xml.encode()) < 100_000


def test_texts_of_any_length_and_lists_of_any_length_make_no_page_that_is_too_large() -> None:
    long, base = '"<&>' * 1000, sample("failing")
    assert base.verdict is not None
    report = replace(
        base,
        sentence=long,
        next_action=long,
        endpoint=long,
        smoke=tuple(SmokeCheck(f"golden-{number}", long, long, long if number % 2 else None) for number in range(1000)),
        journal=tuple(JournalEntry(STARTED, "shifting", long, {"blue": 100}) for _ in range(1000)),
        facts={f"{number} {long}": long for number in range(20)},
        verdict=replace(base.verdict, criteria=tuple(replace(each, reason=long) for each in base.verdict.criteria)),
        history=tuple(replace(each, release_id=long, outcome=long) for each in past_releases()),
        replay_command=long,
        logs=start_logs(5000),
    )
    assert len(render_html(report).encode()) < 300_000
    assert len(render_markdown(report).encode()) < 61_000
    assert len(render_comment(report)) < 30_000


def test_the_size_of_the_page_does_not_grow_with_the_load() -> None:
    assert len(render_html(sample("largest"))) < 4 * len(render_html(sample("failing")))

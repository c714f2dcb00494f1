import re
from dataclasses import replace
from datetime import timedelta
from html import unescape

import pytest

from load.report import (
    ContainerLog,
    JournalEntry,
    LogEvent,
    PastRelease,
    ReleaseReport,
    SmokeCheck,
    render_html,
    render_markdown,
)
from tests.lib.load_samples import (
    STARTED,
    Answers,
    first_release_report,
    past_releases,
    report_of,
    synthetic_rows,
    unstarted_report,
    wrong_report,
)

pytestmark = pytest.mark.unit

REPORTS = {
    "promoted": report_of(synthetic_rows()),
    "slow": report_of(synthetic_rows(Answers(125))),
    "failing": report_of(synthetic_rows(Answers(error_ratio=1.0))),
    "invalid": report_of(synthetic_rows(end=False)),
    "first": first_release_report(),
    "first, slow": first_release_report(Answers(250)),
    "first, invalid": first_release_report(end=False),
    "long": report_of(synthetic_rows(Answers(error_ratio=0.2), rate=100, duration_s=360)),
    "wrong": wrong_report(),
    "unstarted": unstarted_report(),
    "with history": replace(report_of(synthetic_rows()), history=past_releases()),
}
FIRST = [name for name in REPORTS if name.startswith("first")]
EVIL = '<script>alert("1")</script><img src=x onerror=y> | `rm` [a](http://evil) @team'


@pytest.fixture(params=REPORTS)
def report(request: pytest.FixtureRequest) -> ReleaseReport:
    return REPORTS[request.param]


def test_the_page_is_one_file_that_fetches_and_runs_nothing(report: ReleaseReport) -> None:
    page = render_html(report)
    assert not re.search(r"<(script|link|iframe|object|embed|img|base|form)\b", page)
    assert not re.search(r"(https?:)?//\w|url\(|@import|\son\w+=|javascript:|data:", page)
    assert len(page.encode()) < 300_000


def test_the_first_things_said_are_the_outcome_why_and_what_to_do(report: ReleaseReport) -> None:
    page = text_of(render_html(report))
    places = [page.index(part) for part in (report.outcome, plain(report.sentence), plain(report.next_action))]
    assert places == sorted(places)
    assert places[2] < 1200
    summary = render_markdown(report)
    assert summary.startswith("## ")
    assert report.outcome in summary.splitlines()[0]


def test_every_number_behind_the_decision_is_in_both_reports(report: ReleaseReport) -> None:
    criteria = report.verdict.criteria if report.verdict else ()
    page, summary = text_of(render_html(report)), render_markdown(report)
    for criterion in criteria:
        assert criterion.name in page
        assert criterion.name in summary
    for check in report.smoke:
        assert check.request_id in page
        assert check.request_id in summary


def test_every_chart_has_a_title_and_a_table(report: ReleaseReport) -> None:
    page = render_html(report)
    assert page.count('role="img"') == len(re.findall(r'role="img"[^>]*>\s*<title>[^<]+</title>', page))
    assert page.count('<svg class="chart"') == page.count("<summary>the numbers</summary>")


def test_what_comes_from_outside_is_shown_and_never_obeyed() -> None:
    report = replace(
        wrong_report(),
        outcome=EVIL,
        sentence=EVIL,
        next_action=EVIL,
        endpoint=EVIL,
        candidate=EVIL,
        live=EVIL,
        smoke=(SmokeCheck(EVIL, EVIL, EVIL, EVIL),),
        journal=(JournalEntry(STARTED, EVIL, EVIL, {EVIL: 100}, True),),  # noqa: FBT003 - a journal's own field
        facts={EVIL: EVIL},
        replay_command=EVIL,
        logs=(
            ContainerLog(
                EVIL, ((EVIL, EVIL),), (LogEvent(EVIL, EVIL, EVIL, EVIL),), f"{EVIL}\n```\n{EVIL}\n````\n{EVIL}"
            ),
        ),
        history=(PastRelease(EVIL, EVIL, STARTED, EVIL, EVIL, EVIL, EVIL),),
    )
    page, summary = render_html(report), render_markdown(report)
    assert "<script" not in page
    assert "<img" not in page
    assert page.count("&lt;script&gt;") >= 25
    outside_code = re.sub(r"^(`{3,})\w+\n.*?\n\1$", "", summary, flags=re.DOTALL | re.MULTILINE)
    assert "Releases before this one" in outside_code
    assert "<" not in outside_code
    assert not re.search(r"(?<!\\)\]\(", outside_code)
    assert "&\\#" not in outside_code
    assert "@" not in outside_code


def test_failed_requests_are_marked_on_the_timeline_and_overlapping_ones_once() -> None:
    marks = render_html(REPORTS["long"]).count('<line class="mark candidate"')
    assert 50 < marks < 5000


def test_commands_are_set_as_code() -> None:
    assert "<code>python -m deployment rollback --to blue</code>" in render_html(REPORTS["promoted"])


def test_the_job_summary_is_far_below_githubs_limit(report: ReleaseReport) -> None:
    assert len(render_markdown(report).encode()) < 60_000


@pytest.mark.parametrize("name", FIRST)
def test_a_first_release_says_before_what_to_do_that_nothing_was_compared(name: str) -> None:
    report = REPORTS[name]
    decided = "would have decided" if name == "first, invalid" else "decided"
    said = f"There was nothing to compare green with: absolute limits alone {decided}."
    for text in (text_of(render_html(report)), render_markdown(report)):
        assert text.index(said) < text.index("Next:")


@pytest.mark.parametrize("name", sorted(set(REPORTS) - set(FIRST)))
def test_where_something_was_compared_or_nothing_was_measured_no_report_says_otherwise(name: str) -> None:
    assert "nothing to compare" not in render_html(REPORTS[name])
    assert "nothing to compare" not in render_markdown(REPORTS[name])


@pytest.mark.parametrize("name", FIRST)
def test_one_deployment_alone_has_no_columns_lines_or_legend_of_another(name: str) -> None:
    page, summary = render_html(REPORTS[name]), render_markdown(REPORTS[name])
    assert "blue" not in page.partition("Environment")[0]
    assert not re.search(r'class="(live|mark live)', page)
    assert 'data-label="live"' not in page
    assert ">live</th>" not in page
    assert "live p95" not in page
    assert "the same for both" not in page
    assert "asked alone" in page
    assert "| criterion | limit | measured | result |" in summary
    assert "beside live" not in summary
    assert all(line.count(" | ") == 3 for line in summary.splitlines() if line.endswith("| PASS |"))


def test_where_nobody_serves_the_traffic_is_told_as_none_and_not_drawn() -> None:
    page, summary = render_html(REPORTS["first, slow"]), render_markdown(REPORTS["first, slow"])
    assert "Share of the traffic over time" not in page
    assert 'data-label="traffic">none</td>' in page
    assert "| none |" in summary
    assert "Share of the traffic over time" in render_html(REPORTS["first"])


def test_on_a_phone_a_step_is_labelled_only_where_the_next_is_not_too_near() -> None:
    report = REPORTS["promoted"]
    near = tuple(
        replace(entry, at=STARTED + timedelta(seconds=66 + number) if entry.phase == "shifting" else entry.at)
        for number, entry in enumerate(report.journal)
    )
    for journal, crowded in ((report.journal, 0), (near, 2)):
        steps = re.search(r'<div class="steps".*?</div>', render_html(replace(report, journal=journal)), re.DOTALL)
        assert steps is not None
        assert steps.group().count("<span") == 3
        assert steps.group().count("crowded") == crowded


def test_two_deployments_have_a_column_each() -> None:
    page, summary = render_html(REPORTS["promoted"]), render_markdown(REPORTS["promoted"])
    assert page.count('data-label="live"') == page.count('data-label="candidate"') > 0
    assert "| criterion | limit | live | candidate | measured | result |" in summary
    assert "asked alone" not in page


def test_the_ten_latest_releases_before_this_one_are_told_newest_first() -> None:
    page = render_html(REPORTS["with history"])
    for text in (text_of(page), unescape(render_markdown(REPORTS["with history"]))):
        told = re.findall(r"release-\d\d", text.partition("Releases before this one")[2])
        assert told == [f"release-{number:02}" for number in range(11, 1, -1)]
        assert "2026-11-22 03:42" in text
        for number in range(2, 12):
            assert f"registry.azurecr.io/diabetes@sha256:{f'{number:02}' * 6}" in text
            assert f"{number:02}83a99bd{number:02}8" in text
    assert f'title="registry.azurecr.io/diabetes@sha256:{"11" * 32}"' in page


def test_without_a_release_before_it_and_without_logs_neither_section_is_there() -> None:
    for text in (render_html(REPORTS["promoted"]), render_markdown(REPORTS["promoted"])):
        assert "Releases before this one" not in text
        assert "Why it did not start" not in text


def test_what_does_not_fit_into_the_job_summary_is_named_and_the_rest_stays() -> None:
    checks = tuple(SmokeCheck(f"golden-{number}", "[1.0]" * 10, "[1.0]" * 10, None) for number in range(1000))
    summary = render_markdown(replace(REPORTS["promoted"], smoke=checks, sentence="long " * 20_000))
    assert len(summary.encode()) < 62_000
    assert summary.rstrip().endswith("Too long for this summary, and in the page alone: Golden requests.")
    assert "### What the gate looked at" in summary
    assert "### Environment" in summary


def test_half_a_character_costs_neither_report() -> None:
    report = replace(REPORTS["unstarted"], sentence="cut in a character: \ud83d")
    assert render_html(report).encode()
    assert render_markdown(report).encode()


def plain(text: str) -> str:
    return text.replace("`", "")


def text_of(page: str) -> str:
    body = page.partition("</head>")[2]
    text = (
        re.sub(r"<[^>]+>", "", body)
        .replace("&#34;", '"')
        .replace("&#39;", "'")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
    )
    return re.sub(r"\s+", " ", text)

import re
from dataclasses import replace

import pytest

from load.report import JournalEntry, ReleaseReport, SmokeCheck, render_html, render_markdown
from tests.lib.load_samples import STARTED, Answers, report_of, synthetic_rows, wrong_report

pytestmark = pytest.mark.unit

REPORTS = {
    "promoted": report_of(synthetic_rows()),
    "slow": report_of(synthetic_rows(Answers(125))),
    "failing": report_of(synthetic_rows(Answers(error_ratio=1.0))),
    "invalid": report_of(synthetic_rows(end=False)),
    "alone": report_of(synthetic_rows(alone=True)),
    "long": report_of(synthetic_rows(Answers(error_ratio=0.2), rate=100, duration_s=360)),
    "wrong": wrong_report(),
}
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
    )
    page, summary = render_html(report), render_markdown(report)
    assert "<script" not in page
    assert "<img" not in page
    assert page.count("&lt;script&gt;") >= 10
    outside_code = re.sub(r"```sh\n.*?\n```", "", summary, flags=re.DOTALL)
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

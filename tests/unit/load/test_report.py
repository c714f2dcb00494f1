"""The page: what it says, in which order, and that nothing from outside is obeyed."""

import re
from dataclasses import replace
from datetime import timedelta, timezone
from html.parser import HTMLParser

import pytest

from load.report import ReleaseReport, SmokeCheck, render_html, render_markdown
from tests.lib.load_samples import STARTED
from tests.lib.report_page import text_of
from tests.lib.report_samples import SAMPLES, sample

pytestmark = pytest.mark.unit

TAME = sorted(set(SAMPLES) - {"hostile"})
VOID = {"meta", "br", "wbr", "link", "img", "input", "hr"}
CHARTS = ("promoted", "slow", "failing", "first", "looks", "largest", "invalid")


@pytest.fixture(params=SAMPLES)
def report(request: pytest.FixtureRequest) -> ReleaseReport:
    return sample(request.param)


@pytest.fixture(params=TAME)
def tame(request: pytest.FixtureRequest) -> ReleaseReport:
    return sample(request.param)


class Nesting(HTMLParser):
    """Notes every tag that is closed out of turn, or not at all."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 - HTMLParser's signature
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID and (not self.open or self.open.pop() != tag):
            self.wrong.append(tag)


def test_the_page_is_one_file_that_fetches_and_runs_nothing(report: ReleaseReport) -> None:
    page = render_html(report)
    tags = "".join(re.findall(r"<[^>]+>", page))
    assert not re.search(r"<(script|link|iframe|object|embed|img|base|form)\b", tags)
    assert not re.search(r"\s(src|srcset|action|on\w+)=|url\(|javascript:|data:(?!-)", re.sub(r'"[^"]*"', '""', tags))
    assert not re.search(r"url\(|@import", page.partition("</style>")[0])
    assert "default-src 'none'" in page
    assert len(page.encode()) < 300_000


def test_every_tag_of_the_page_is_closed_in_its_turn(report: ReleaseReport) -> None:
    nesting = Nesting()
    nesting.feed(render_html(report))
    assert not nesting.wrong
    assert not nesting.open


def test_the_first_things_said_are_the_outcome_why_and_what_to_do(tame: ReleaseReport) -> None:
    page = text_of(render_html(tame))
    places = [page.index(part) for part in (tame.outcome, plain(tame.sentence), plain(tame.next_action))]
    assert places == sorted(places)
    assert places[2] < 1200
    summary = render_markdown(tame)
    assert summary.startswith("## ")
    assert tame.outcome in summary.splitlines()[0]


def test_every_number_behind_the_decision_is_in_both_reports(tame: ReleaseReport) -> None:
    criteria = tame.verdict.criteria if tame.verdict else ()
    page, summary = text_of(render_html(tame)), render_markdown(tame)
    for criterion in criteria:
        assert criterion.name in page
        assert criterion.name in summary
    for check in tame.smoke:
        assert check.request_id in page
        assert check.request_id in summary


def test_sections_stand_in_the_order_in_which_one_asks() -> None:
    page = render_html(sample("failing"))
    order = (
        "What the gate looked at",
        "What failed",
        "golden requests were answered",
        "How long requests took",
        "How requests are spread",
        "While the load ran",
        "Who had the traffic, and when",
        "Environment",
        "How this was decided",
    )
    places = [page.index(heading) for heading in order]
    assert places == sorted(places)


@pytest.mark.parametrize("name", CHARTS)
def test_every_chart_has_a_title_a_table_and_a_drawing_for_a_phone(name: str) -> None:
    page = render_html(sample(name))
    assert page.count('role="img"') == len(re.findall(r'role="img"[^>]*>\s*<title>[^<]+</title>', page))
    charts = page.count("<summary>the numbers</summary>")
    assert charts >= 1
    assert page.count('<svg class="chart narrow') == charts
    assert len(re.findall(r'<svg class="chart (half|full)', page)) == charts


def test_everything_that_comes_from_outside_is_shown_as_text() -> None:
    page = render_html(sample("hostile"))
    assert "<script" not in page
    assert "<img" not in page
    assert "\u202e" not in page
    assert page.count("&lt;script&gt;") >= 40


@pytest.mark.parametrize(
    ("address", "linked"),
    [
        ("https://example.com/runs/1?a=1&b=2", True),
        ("http://example.com", True),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("https://user:password1234@example.com", False),
        ("https://example.com/?sig=abcdefgh1234", False),
        ("see https://example.com", False),
    ],
)
def test_a_fact_is_a_link_only_where_it_is_a_web_address_that_names_no_key(address: str, linked: bool) -> None:  # noqa: FBT001 - a row of the table
    report = replace(sample("wrong"), facts={"run": address})
    assert ("<a href=" in render_html(report)) is linked
    assert bool(re.search(r"\| run \| \[", render_markdown(report))) is linked


def test_commands_are_set_as_code_in_all_that_people_read() -> None:
    report = sample("promoted")
    assert "<code>python -m deployment rollback --to blue</code>" in render_html(report)
    assert "`python -m deployment rollback --to blue`" in render_markdown(report)


def test_a_backtick_without_another_is_a_backtick() -> None:
    page = render_html(replace(sample("promoted"), sentence="a ` b ``` c"))
    assert "<h1>a ` b ``` c</h1>" in page


def test_the_time_at_the_top_is_utc_whatever_zone_it_is_given_in() -> None:
    east = STARTED.astimezone(timezone(timedelta(hours=13)))
    assert "23 November 2026, 03:42 UTC" in render_html(replace(sample("promoted"), finished_at=east))


def test_each_step_of_the_traffic_is_labelled_with_its_percent_and_its_time() -> None:
    steps = re.search(r'<div class="steps".*?</div>', render_html(sample("rolled back")), re.DOTALL)
    assert steps is not None
    told = re.findall(r"<b>(\d+ %)</b> (\d\d:\d\d:\d\d)", steps.group())
    assert told == [("10 %", "03:54:25"), ("50 %", "03:55:31"), ("0 %", "03:55:39")]


def test_every_look_of_the_gate_is_told_with_what_it_said() -> None:
    for text in (text_of(render_html(sample("looks"))), render_markdown(sample("looks"))):
        assert re.search(r"after 60 s INCONCLUSIVE, after 120 s \w+", text)
    assert len(re.findall(r'<text class="look[^>]*>look \d</text>', render_html(sample("looks")))) >= 4


def test_the_ten_latest_releases_before_this_one_are_told_newest_first() -> None:
    page = render_html(sample("with history"))
    for text in (text_of(page), render_markdown(sample("with history")).replace("&#64;", "@")):
        told = re.findall(r"release-\d\d", text.partition("Releases before this one")[2])
        assert told == [f"release-{number:02}" for number in range(11, 1, -1)]
        assert "2026-11-22 03:42" in text
        for number in range(2, 12):
            assert f"registry.azurecr.io/diabetes@sha256:{f'{number:02}' * 6}" in text
            assert f"{number:02}83a99bd{number:02}8" in text
    assert f'title="registry.azurecr.io/diabetes@sha256:{"11" * 32}"' in page


def test_without_a_release_before_it_and_without_logs_neither_section_is_there() -> None:
    for text in (render_html(sample("promoted")), render_markdown(sample("promoted"))):
        assert "Releases before this one" not in text
        assert "Why it did not start" not in text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("unlike", "8 of 8 payloads were answered unlike live, though both name one model version"),
        ("another model", "8 of 8 payloads were answered unlike live, as another model version may"),
        ("labels", "1 of 8 payloads was answered unlike live, as another model version may"),
    ],
)
def test_how_the_answers_compare_is_said_with_what_may_be_expected_of_the_models(name: str, said: str) -> None:
    assert f"<h2>{said}</h2>" in render_html(sample(name))
    assert f"{said}." in render_markdown(sample(name))


def test_what_was_not_computed_of_the_answers_is_said_to_be_so() -> None:
    assert "not compared: the predictions are too few, or labels" in render_html(sample("labels"))
    assert "population stability index" in render_html(sample("another model"))


def test_of_many_golden_requests_the_wrong_ones_are_seen_at_once() -> None:
    checks = tuple(SmokeCheck(f"golden-{number}", "[1]", "[2]", "2" if number == 7 else None) for number in range(50))
    page = render_html(replace(sample("promoted"), smoke=checks))
    assert "1 of 50 golden requests was answered wrongly" in page
    assert page.index("golden-7<") < page.index("49 answered right") < page.index("golden-8<")


def test_half_a_character_costs_no_report() -> None:
    report = replace(sample("unstarted"), sentence="cut in a character: \ud83d")
    assert render_html(report).encode()
    assert render_markdown(report).encode()


def plain(text: str) -> str:
    return text.replace("`", "")

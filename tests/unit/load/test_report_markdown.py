"""The job summary and the comment: within GitHub's limits, and nothing in them is what it was not meant to be."""

import re
from dataclasses import replace

import pytest

from load.report import JournalEntry, ReleaseReport, SmokeCheck, render_comment, render_markdown
from load.report_comment import marker
from load.report_markup import link, plain, prose, safe_address
from tests.lib.load_samples import STARTED, Answers, report_of
from tests.lib.report_samples import EVIL, SAMPLES, many_rows, sample

pytestmark = pytest.mark.unit

FENCED = re.compile(r"^(`{3,})\w+\n.*?\n\1$", flags=re.DOTALL | re.MULTILINE)
LINKS = {"run": "https://example.com/runs/1", "report": "https://example.com/reports/1"}
ENTITY = re.compile(r"&(?:amp|lt|gt|#\d+);")


@pytest.fixture(params=SAMPLES)
def report(request: pytest.FixtureRequest) -> ReleaseReport:
    return sample(request.param)


def outside_code(markdown: str) -> str:
    """Return what Markdown is made of: what stands in fences and in code spans is text to it."""
    return re.sub(r"`[^`]+`", "", FENCED.sub("", markdown))


def test_the_job_summary_is_far_below_githubs_limit(report: ReleaseReport) -> None:
    assert len(render_markdown(report).encode()) < 61_000


def test_the_comment_is_fifteen_lines_at_most_and_far_below_githubs_limit(report: ReleaseReport) -> None:
    links = {f"{EVIL} {number}": f"https://example.com/{EVIL}" for number in range(100)}
    comment = render_comment(report, LINKS | links)
    assert len(comment.splitlines()) <= 15
    assert len(comment) < 30_000


def test_the_comment_begins_with_what_the_next_run_finds_it_by(report: ReleaseReport) -> None:
    first = render_comment(report).splitlines()[0]
    assert first == marker(report.endpoint)
    assert re.fullmatch(r"<!-- release report of [\w.-]+ -->", first)


def test_two_endpoints_never_share_a_comment() -> None:
    names = ("a-b", "a--b", "a-b-c", "a.b")
    assert len({marker(name) for name in names}) == len(names)


def test_the_comment_says_the_outcome_why_the_worst_criteria_and_what_to_do() -> None:
    comment = render_comment(sample("failing"), LINKS)
    assert "### ⛔ Refused · diabetes-endpoint" in comment
    assert comment.index("fails too often") < comment.index("| error ratio |") < comment.index("Next:")
    assert comment.count("| FAIL |") == 3
    assert "[run](https://example.com/runs/1) · [report](https://example.com/reports/1)" in comment


def test_what_was_not_shown_to_be_bad_is_not_marked_as_bad() -> None:
    for text in (render_comment(sample("inconclusive")), render_markdown(sample("invalid"))):
        assert "⚠️" in text.partition("\n\n")[0]


def test_nothing_from_outside_becomes_markup_a_link_a_mention_or_a_reference() -> None:
    report = sample("hostile")
    for text in (render_markdown(report), render_comment(report, LINKS).partition("\n")[2]):
        markup = outside_code(text)
        assert "z\N{REPLACEMENT CHARACTER}" in markup
        assert "<" not in ENTITY.sub("", markup)
        assert "@" not in markup
        assert "$" not in markup
        assert "~" not in markup
        assert not re.search(r"(?<!\\)\]\((?!https://example\.com)", markup)
        assert not re.search(r"(?<!\]\(https):(?=//)", markup)
        assert not re.search(r"&#64;(?!&#8203;)", markup)
        assert not re.search(r"#(?!&#8203;)1", markup.replace("&#1", ""))


def test_a_table_keeps_its_columns_whatever_stands_in_a_cell(report: ReleaseReport) -> None:
    columns: int | None = None
    for line in outside_code(render_markdown(report)).splitlines():
        if not line.startswith("|"):
            columns = None
            continue
        found = len(re.findall(r"(?<!\\)\|", line))
        assert columns in {None, found}, line
        columns = found


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("@team", "&#64;&#8203;team"),
        ("name@sha256:0f", "name&#64;sha256:0f"),
        ("fixes #12", "fixes \\#&#8203;12"),
        ("# 12", "\\# 12"),
        ("a | b", "a &#124; b"),
        ("<!-- -->", "&lt;\\!-- --&gt;"),
        ("see www.example.com or https://example.com", "see www&#46;example.com or https&#58;//example.com"),
        ("~~gone~~ $x$", "&#126;&#126;gone&#126;&#126; &#36;x&#36;"),
        ("two\nlines\r\n\tand \x00\u202e", "two lines and \ufffd\ufffd"),
    ],
)
def test_text_is_shown_as_it_is(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_what_stands_in_backticks_is_code_and_everything_else_is_not() -> None:
    assert prose("run `a | b @x` now, not ` that") == "run `a | b @x` now, not &#96; that"
    assert prose("``` `` ` x `") == "&#96;&#96;&#96; &#96;&#96; &#96; x &#96;"


@pytest.mark.parametrize(
    ("address", "safe"),
    [
        ("https://example.com/a?b=1&c=2#d", "https://example.com/a?b=1&c=2#d"),
        ("https://example.com/a) [x](http://evil", "https://example.com/a%29%20%5Bx%5D%28http://evil"),
        ("https://example.com/<b>`c`|\\\n", "https://example.com/%3Cb%3E%60c%60%7C%5C%0A"),
        ("javascript:alert(1)", None),
        ("//example.com", None),
        ("https://", None),
        ("https://[broken", None),
        ("https://user:secret@example.com/", None),
        ("https://example.com/?sig=abcdefghijkl", None),
        (f"https://example.com/{'a' * 3000}", None),
    ],
)
def test_an_address_is_one_of_the_web_cannot_end_its_link_and_names_no_key(address: str, safe: str | None) -> None:
    assert safe_address(address) == safe
    assert link("label", address) == (f"[label]({safe.replace('&', '&amp;')})" if safe else "label")


@pytest.mark.parametrize(("name", "lines"), [("promoted", 2), ("first", 1)])
def test_the_chart_of_the_summary_has_a_line_for_each_deployment_and_nothing_from_outside(
    name: str, lines: int
) -> None:
    chart = re.search(r"```mermaid\n(.*?)\n```", render_markdown(sample(name)), re.DOTALL)
    assert chart is not None
    first, kind, title, x_axis, y_axis, *drawn = chart[1].splitlines()
    assert first.startswith("%%{init: ")
    assert kind == "xychart-beta"
    assert re.fullmatch(r'    title "[\w ()]+"', title)
    assert x_axis == '    x-axis ["p50", "p75", "p90", "p95", "p99"]'
    assert len(drawn) == lines
    most = max(float(value) for line in drawn for value in re.findall(r"[\d.]+", line))
    assert int(y_axis.rpartition(" ")[2]) > most


def test_the_chart_of_a_very_fast_server_has_an_axis_with_a_length() -> None:
    summary = render_markdown(report_of(many_rows(Answers(0.1), Answers(0.1))))
    assert re.search(r'y-axis "ms" 0 --> [1-9]', summary)


def test_a_hostile_name_never_reaches_the_chart() -> None:
    chart = re.search(r"```mermaid\n(.*?)\n```", render_markdown(sample("hostile")), re.DOTALL)
    assert chart is not None
    assert "script" not in chart[1]


def test_what_does_not_fit_into_the_job_summary_is_named_and_the_rest_stays() -> None:
    facts = {f"fact {number}": "value " * 50 for number in range(300)}
    summary = render_markdown(replace(sample("promoted"), facts=facts, sentence="long " * 20_000))
    assert len(summary.encode()) < 62_000
    assert summary.rstrip().endswith("Too long for this summary, and in the page alone: Environment.")
    assert "### What the gate looked at" in summary
    assert "### How this was decided" in summary


def test_of_many_wrong_answers_and_entries_the_summary_has_those_that_there_is_room_for() -> None:
    checks = tuple(SmokeCheck(f"golden-{number}", "[1]" * 200, "[2]", "2 instead of 1") for number in range(30))
    entries = tuple(JournalEntry(STARTED, "shifting", f"event {number}", {}) for number in range(100))
    summary = render_markdown(replace(sample("promoted"), smoke=checks, journal=entries))
    assert "10 more wrong ones are in the page." in summary
    assert "| golden-19 |" in summary
    assert "| golden-20 |" not in summary
    assert "40 earlier ones are in the page." in summary
    assert "event 40 |" in summary
    assert "event 39 |" not in summary

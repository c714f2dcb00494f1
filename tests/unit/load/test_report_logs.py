import re
from dataclasses import replace

import pytest

from load.report import ContainerLog, ReleaseReport, render_html, render_markdown
from tests.lib.load_samples import REASON, START_EVENTS, event, log_line, start_logs, unstarted_report

pytestmark = pytest.mark.unit

SERVER, STORAGE = "inference-server", "storage-initializer"


def log(container: str, lines: str, *events: tuple[int, str, str]) -> ContainerLog:
    told = tuple(event(second, "Something", kind, message) for second, kind, message in events)
    return ContainerLog(container, (), told, lines)


def opened(report: ReleaseReport) -> list[str]:
    return re.findall(r"<details open>\s*<summary>([^:<]+):", render_html(report))


def fences(summary: str) -> list[str]:
    found = re.findall(r"^(`{3,})text\n(.*?)\n\1$", summary, flags=re.DOTALL | re.MULTILINE)
    return [content for _, content in found]


def test_why_it_did_not_start_is_told_before_all_else_but_the_outcome() -> None:
    for text in (render_html(unstarted_report()), render_markdown(unstarted_report())):
        assert text.index("Next:") < text.index("Why it did not start") < text.index("Environment")
        for step in ("SystemSetup", "UserContainerImagePull", "ModelDownload", "UserContainerStart"):
            assert step in text
        assert "Back-off restarting failed container inference-server" in text


def test_both_containers_tell_the_same_events_and_each_is_shown_once_with_its_repetitions() -> None:
    for text in (render_html(unstarted_report()), render_markdown(unstarted_report())):
        assert text.count("Readiness probe failed: HTTP probe failed with statuscode: 503") == 1
        assert text.count("03:42:17 to 03:42:27") == 1
        assert text.count("(2 times)") == 1
        assert text.count("03:42:31") == 1


def test_warnings_are_marked_and_normal_events_are_not() -> None:
    page, summary = render_html(unstarted_report()), render_markdown(unstarted_report())
    assert page.count(">WARNING</span>") == 2
    assert summary.count("⚠") == 2
    assert "**Pulled**" in summary


def test_the_log_with_the_line_that_the_sentence_quotes_is_open_and_the_line_is_marked() -> None:
    page = render_html(unstarted_report())
    assert opened(unstarted_report()) == [SERVER]
    marked = re.findall(r"<mark>(.*?)</mark>", page)
    assert len(marked) == 1
    assert REASON in marked[0]


@pytest.mark.parametrize(
    ("logs", "sentence", "holder"),
    [
        ((log(STORAGE, "no space left on device"), log(SERVER, "waits")), "green: no space left on device", STORAGE),
        (
            (
                log(STORAGE, "a", (5, "Warning", "Model download failed; check storage-initializer log for detail.")),
                log(SERVER, "b", (5, "Warning", "Model download failed; check storage-initializer log for detail.")),
            ),
            "the platform gave up",
            STORAGE,
        ),
        (
            (
                log(STORAGE, "a", (1, "Warning", "storage-initializer was slow"), (9, "Warning", "no probe passed")),
                log(SERVER, "b", (1, "Warning", "storage-initializer was slow")),
            ),
            "no probe passed",
            STORAGE,
        ),
        ((log(STORAGE, "", (1, "Normal", "Created container storage-initializer")), log(SERVER, "b")), "?", SERVER),
        ((log(STORAGE, ""), log(SERVER, "")), "?", STORAGE),
    ],
)
def test_where_no_line_is_quoted_the_log_that_a_warning_is_about_is_open_or_one_that_has_lines(
    logs: tuple[ContainerLog, ...], sentence: str, holder: str
) -> None:
    assert opened(replace(unstarted_report(logs), sentence=sentence)) == [holder]


def test_a_few_characters_are_no_quotation() -> None:
    logs = (log(STORAGE, "ok"), log(SERVER, "ok", (1, "Warning", "container inference-server ended")))
    assert opened(replace(unstarted_report(logs), sentence="ok")) == [SERVER]


def test_a_long_log_is_shown_from_its_end_which_has_the_reason() -> None:
    report = unstarted_report(start_logs(lines=5000))
    page, summary = render_html(report), render_markdown(report)
    assert "the last 40 of 5000 lines" in summary
    assert [len(block.splitlines()) for block in fences(summary)] == [2, 40]
    assert REASON in fences(summary)[1].splitlines()[-1]
    assert "the last 400 of 5000 lines" in page
    assert "reading part 4998 " in page
    assert "reading part 4000 " not in page
    assert page.count("<mark>") == 1
    assert len(page.encode()) < 300_000


@pytest.mark.parametrize("line", ["é" * 20_000, "\U0001f4a5" * 20_000, '"<&>' * 20_000, "`" * 20_000])
def test_whatever_the_lines_are_made_of_both_reports_stay_small_and_show_the_section(line: str) -> None:
    logs = tuple(log(name, "\n".join([line] * 1000), (1, "Warning", line)) for name in (SERVER, STORAGE, "sidecar"))
    report = unstarted_report(logs)
    assert len(render_html(report).encode()) < 300_000
    summary = render_markdown(report)
    assert len(summary.encode()) < 62_000
    assert "### Why it did not start" in summary
    assert all(fences(summary))


def test_a_long_line_keeps_its_end_where_a_traceback_has_its_reason() -> None:
    logs = (log(SERVER, log_line("error", "File score.py " * 200 + "ValueError: no such column")),)
    assert "ValueError: no such column" in fences(render_markdown(unstarted_report(logs)))[0]


@pytest.mark.parametrize("ticks", [3, 4, 7, 100])
def test_no_line_ends_the_fence_around_it(ticks: int) -> None:
    lines = f"before\n{'`' * ticks}\n# a heading, @team\n~~~\n   {'`' * ticks}  \nafter"
    summary = render_markdown(unstarted_report((log(SERVER, lines),)))
    opening = re.search(r"^(`+)text$", summary, flags=re.MULTILINE)
    assert opening is not None
    assert len(opening[1]) == ticks + 1
    assert fences(summary) == [lines]


def test_colours_are_dropped_and_what_cannot_be_seen_is_marked() -> None:
    lines = "\x1b[31mred\x1b[0m \x1b]0;title\x07bell\x07 nul\x00 \u202eturned \ud83d\r\tnext"
    logs = (log(SERVER, lines),)
    expected = "red bell\ufffd nul\ufffd \ufffdturned \ufffd\n\tnext"
    assert fences(render_markdown(unstarted_report(logs))) == [expected]
    assert f"{expected}\n</code></pre>" in render_html(unstarted_report(logs))


def test_a_time_in_any_writing_is_shown() -> None:
    events = tuple(
        replace(START_EVENTS[0], at=at, message=f"event {at}")
        for at in ("20220519-03:11:59.750675", "2025-10-16T11:51:39.965418Z", "yesterday")
    )
    summary = render_markdown(unstarted_report((ContainerLog(SERVER, (), events, ""),)))
    for shown in ("- 03:11:59 ", "- 11:51:39 ", "- yesterday "):
        assert shown in summary


def test_a_container_that_wrote_nothing_says_so() -> None:
    report = unstarted_report((log(SERVER, "\n"),))
    for text in (render_html(report), render_markdown(report)):
        assert "it wrote nothing" in text
    assert fences(render_markdown(report)) == []
    assert "<pre" not in render_html(report)


def test_only_the_latest_events_are_in_the_job_summary_and_all_are_in_the_page() -> None:
    logs = (log(SERVER, "", *((number, "Warning", f"attempt {number} of 30") for number in range(30))),)
    page, summary = render_html(unstarted_report(logs)), render_markdown(unstarted_report(logs))
    assert page.count(" of 30</td>") == 30
    assert summary.count(" of 30\n") == 10
    assert "- 20 earlier ones are in the page" in summary
    assert "attempt 29 of 30" in summary


def test_a_key_in_a_log_is_shown_in_neither_report_and_its_line_is() -> None:
    lines = (
        'calling with Authorization: Bearer 9f8e7d6c5b4a39281706f5e4d3c2b1a0\n{"token": "9f8e7d6c5b4a3928"} was refused'
    )
    summary, page = (render(unstarted_report((log(SERVER, lines),))) for render in (render_markdown, render_html))
    for text in (summary, page):
        assert "9f8e7d6c" not in text
        assert "calling with Authorization: Bearer ***" in text
        assert "was refused" in text


def test_a_marked_line_stays_the_one_that_the_sentence_quotes_where_lines_before_it_held_a_key() -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END PRIVATE KEY-----"
    report = unstarted_report((log(SERVER, f"{key}\n{log_line('critical', REASON)}\nbye"),))
    marked = re.findall(r"<mark>(.*?)</mark>", render_html(report))
    assert len(marked) == 1
    assert REASON in marked[0]
    assert "MIIEvQ" not in render_html(report)

"""Markdown of a job's summary shows texts from outside as they are."""

import pytest

from pipeline.markdown import plain, table

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://evil.test/x", "https&#58;//evil.test/x"),
        ("see FTP://x", "see FTP&#58;//x"),
        ("www.evil.test", "www&#46;evil.test"),
        ("(WWW.evil.test)", "(WWW&#46;evil.test)"),
        ("model: 1.2, awww.x", "model: 1.2, awww.x"),
        ("[a](b) *c* <d>", "&#91;a&#93;(b) &#42;c&#42; &#60;d&#62;"),
    ],
)
def test_no_text_becomes_a_link_or_markup(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_a_cell_stays_on_its_line() -> None:
    assert table(("a", "b"), [("x\n| y", "http://z")]) == "| a | b |\n| --- | --- |\n| x &#124; y | http&#58;//z |"

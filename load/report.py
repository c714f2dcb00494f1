"""The report of a release: data in, one page (HTML) and its twin for a job summary (Markdown) out."""

from load.report_comment import render_comment
from load.report_data import ContainerLog, JournalEntry, LogEvent, PastRelease, ReleaseReport, SmokeCheck
from load.report_html import render_html
from load.report_json import render_json
from load.report_junit import render_junit
from load.report_markdown import render_markdown

__all__ = [
    "ContainerLog",
    "JournalEntry",
    "LogEvent",
    "PastRelease",
    "ReleaseReport",
    "SmokeCheck",
    "render_comment",
    "render_html",
    "render_json",
    "render_junit",
    "render_markdown",
]

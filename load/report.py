"""The report of a release: data in, one page (HTML) and its twin for a job summary (Markdown) out."""

from load.report_data import ContainerLog, JournalEntry, LogEvent, PastRelease, ReleaseReport, SmokeCheck
from load.report_html import render_html
from load.report_markdown import render_markdown

__all__ = [
    "ContainerLog",
    "JournalEntry",
    "LogEvent",
    "PastRelease",
    "ReleaseReport",
    "SmokeCheck",
    "render_html",
    "render_markdown",
]

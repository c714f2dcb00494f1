"""A first release has nothing to be compared with, and its report says so and nothing else."""

import re

import pytest

from load.report import render_html, render_markdown
from tests.lib.report_page import text_of
from tests.lib.report_samples import SAMPLES, sample

pytestmark = pytest.mark.unit

FIRST = [name for name in SAMPLES if name.startswith("first")]


@pytest.mark.parametrize("name", FIRST)
def test_a_first_release_says_before_what_to_do_that_nothing_was_compared(name: str) -> None:
    report = sample(name)
    decided = "would have decided" if name == "first, invalid" else "decided"
    said = f"There was nothing to compare green with: absolute limits alone {decided}."
    for text in (text_of(render_html(report)), render_markdown(report)):
        assert text.index(said) < text.index("Next:")


@pytest.mark.parametrize("name", sorted(set(SAMPLES) - set(FIRST)))
def test_where_something_was_compared_or_nothing_was_measured_no_report_says_otherwise(name: str) -> None:
    assert "nothing to compare" not in render_html(sample(name))
    assert "nothing to compare" not in render_markdown(sample(name))


@pytest.mark.parametrize("name", FIRST)
def test_one_deployment_alone_has_no_columns_lines_or_legend_of_another(name: str) -> None:
    page, summary = render_html(sample(name)), render_markdown(sample(name))
    assert "blue" not in page.partition("Environment")[0]
    assert not re.search(r'class="(live|line live|failed live)', page)
    assert 'data-label="live"' not in page
    assert ">live</th>" not in page
    assert "live p95" not in page
    assert "the same for both" not in page
    assert "asked alone" in page
    assert "| criterion | limit | measured | result |" in summary
    assert "beside live" not in summary
    assert all(line.count(" | ") == 3 for line in summary.splitlines() if line.endswith("| PASS |"))


def test_two_deployments_have_a_column_each() -> None:
    page, summary = render_html(sample("promoted")), render_markdown(sample("promoted"))
    assert page.count('data-label="live"') == page.count('data-label="candidate"') > 0
    assert "| criterion | limit | live | candidate | measured | result |" in summary
    assert "asked alone" not in page


def test_where_nobody_serves_the_traffic_is_told_as_none_and_not_drawn() -> None:
    page, summary = render_html(sample("first, slow")), render_markdown(sample("first, slow"))
    assert "Share of the traffic over time" not in page
    assert ">none</td>" in page
    assert "| none |" in summary
    assert "Share of the traffic over time" in render_html(sample("first"))

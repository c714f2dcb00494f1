"""The environment: what the release says, and what the rows say of the load generator."""

import json
from dataclasses import replace

import numpy as np
import pytest

from load.report import ReleaseReport, render_html, render_json, render_junit, render_markdown
from load.report_facts import facts_of, generator_facts
from load.rows import Rows
from tests.lib.report_samples import many_rows, sample

pytestmark = pytest.mark.unit


def changed(rows: Rows, **columns: object) -> Rows:
    return replace(rows, **columns)  # type: ignore[arg-type]


def report_with(rows: Rows | None, **facts: str) -> ReleaseReport:
    return replace(sample("promoted"), rows=rows, facts=facts)


def test_the_generators_health_is_in_every_report_without_anybody_saying_it() -> None:
    report = report_with(many_rows(), **{"instance type": "Standard_DS3_v2 x 2"})
    expected = {
        "instance type": "Standard_DS3_v2 x 2",
        "load generator": "Locust 2.47.0",
        "generator CPU": "5.20 % of a core",
        "generator lag": "99 % of the requests left within 1.2 ms of their time",
        "requests not sent": "0 of 2392",
    }
    assert facts_of(report) == expected
    assert json.loads(render_json(report))["facts"] == expected
    for label, value in expected.items():
        assert f"<dt>{label}</dt><dd>{value}</dd>" in render_html(report)
        assert f"| {label} | {value.replace('_', chr(92) + '_')} |" in render_markdown(report)
        assert f'<property name="{label}" value="{value}" />' in render_junit(report)


def test_what_the_release_says_itself_stays_as_it_says_it() -> None:
    assert facts_of(report_with(many_rows(), **{"load generator": "ours"}))["load generator"] == "ours"


def test_without_rows_nothing_is_said_of_a_generator() -> None:
    assert facts_of(report_with(None, image="an image")) == {"image": "an image"}


def test_dropped_arrivals_are_counted_and_have_no_lag() -> None:
    rows = many_rows()
    error = rows.error.astype("<U20")
    error[-10:] = "dropped"
    lag_ms = np.where(error == "dropped", 9999.0, 0.5)
    facts = generator_facts(changed(rows, error=error, lag_ms=lag_ms))
    assert facts["requests not sent"] == "10 of 2392"
    assert facts["generator lag"] == "99 % of the requests left within 0.5 ms of their time"


def test_a_run_cut_off_has_no_share_of_a_core_and_an_empty_one_no_lag() -> None:
    rows = many_rows()
    assert "generator CPU" not in generator_facts(changed(rows, end=None))
    empty = rows.where(rows.pair < 0)
    assert generator_facts(empty) == {"load generator": "Locust 2.47.0", "generator CPU": "5.20 % of a core"}

"""Charts of latency as geometry: what is judged is what is drawn, and no label lies on another."""

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from load.charts import FULL, HALF, NARROW, X_GAP, Y_GAP, Scale, judged_latencies, latency_ticks
from load.charts_histogram import histogram
from load.charts_percentiles import percentile_curve, told_percentiles
from load.charts_timeline import TIME_GAP, timeline
from load.intervals import quantile
from load.report_html import Bar, bar, latency_charts
from load.rows import Rows
from load.verdict import Criterion, Layer, Outcome
from tests.lib.load_samples import Answers
from tests.lib.report_samples import many_rows, sample

pytestmark = pytest.mark.unit


def points(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"([\d.]+) ([\d.]+)", path)]


def latencies_of(*values: list[float]) -> dict[str, np.ndarray]:
    return {role: np.sort(np.array(each)) for role, each in zip(("live", "candidate"), values, strict=False)}


@given(low=st.floats(0.1, 1e5), decades=st.floats(0.1, 5), gap=st.sampled_from([Y_GAP, X_GAP]))
def test_the_labels_of_an_axis_are_never_nearer_than_they_are_wide(low: float, decades: float, gap: int) -> None:
    for frame in (HALF, FULL, NARROW):
        ticks = latency_ticks(Scale(low, low * 10**decades, frame.left, frame.right), gap)
        assert all(after.at - before.at >= gap for before, after in pairwise(ticks))
        assert len(ticks) >= (1 if decades >= 1 else 0)


@given(value=st.floats(0, 1e9), low=st.floats(0.1, 100), times=st.floats(1.5, 1e4))
def test_everything_on_a_scale_stays_within_the_plot(value: float, low: float, times: float) -> None:
    assert HALF.left <= Scale(low, low * times, HALF.left, HALF.right).at(value) <= HALF.right


def test_the_percentile_curve_rises_to_the_right_and_ends_at_its_last_percentile() -> None:
    chart = percentile_curve(latencies_of(list(range(1, 1001)), list(range(2, 2002, 2))), slo_ms=500)
    for drawing in chart.drawings:
        for line in drawing.lines:
            found = points(line.path)
            assert [x for x, _ in found] == sorted(x for x, _ in found)
            assert [y for _, y in found] == sorted((y for _, y in found), reverse=True)
            assert found[-1][0] == drawing.frame.right
        assert [tick.label for tick in drawing.x_ticks] == ["p50", "p75", "p90", "p95", "p99"]
        assert drawing.guide == next(tick.at for tick in drawing.x_ticks if tick.label == "p95")
    assert chart.table[3] == ("p95", "950 ms", "1900 ms")
    assert chart.slo == "SLO p95 500 ms"


@pytest.mark.parametrize(
    ("requests", "last"), [(1, 0.5), (29, 0.75), (30, 0.9), (60, 0.95), (300, 0.99), (3000, 0.999)]
)
def test_a_percentile_is_told_only_where_three_requests_of_the_smaller_sample_lie_beyond_it(
    requests: int, last: float
) -> None:
    assert told_percentiles(latencies_of([1.0] * requests, [1.0] * 5000))[-1] == last


def test_the_curve_and_the_histogram_are_of_what_is_judged_and_of_nothing_else() -> None:
    rows = many_rows(duration_s=60, judged_s=30)
    found = judged_latencies(rows, 30)
    within = (rows.intended_s >= 5) & (rows.intended_s < 35)
    assert sorted(rows.latency_ms[(rows.role == "candidate") & within].tolist()) == found["candidate"].tolist()
    chart = percentile_curve(found, None)
    assert chart.table[0][1] == f"{quantile(found['live'], 0.5):.1f} ms"


def test_failures_have_no_latency_and_timeouts_have_one() -> None:
    rows = many_rows(Answers(error_ratio=0.5), Answers(error_ratio=0.5, error="timeout"))
    found = judged_latencies(rows, 60)
    assert len(found["candidate"]) < 0.6 * len(found["live"])


def test_the_shares_of_the_histogram_add_up_to_everything() -> None:
    chart = histogram(latencies_of([0.01, 5, 5, 7], [9, 9, 9, 9]), None)
    for column in (1, 2):
        assert sum(float(row[column].removesuffix(" %")) for row in chart.table) == pytest.approx(100)


@pytest.mark.parametrize("values", [[20.0] * 50, [0.01], [1.0, 100_000.0]])
def test_a_histogram_of_any_values_has_a_width(values: list[float]) -> None:
    for drawing in histogram(latencies_of(values), 200).drawings:
        assert drawing.x_ticks
        assert all(drawing.frame.left <= x <= drawing.frame.right for x, _ in points(drawing.lines[0].path))


@pytest.mark.parametrize(("slo_ms", "within"), [(15, True), (5, False), (500, False), (None, False)])
def test_the_slo_is_on_the_histogram_only_where_latencies_are(slo_ms: float | None, within: bool) -> None:  # noqa: FBT001 - a row of the table
    chart = histogram(latencies_of([10, 20, 30]), slo_ms)
    assert bool(chart.slo) is within
    assert all(bool(drawing.slo) is within for drawing in chart.drawings)


def test_looks_are_marked_when_they_were_taken_after_the_warm_up() -> None:
    chart = timeline(many_rows(duration_s=120, warmup_s=30), 120, None, (30, 60, 120))
    full = next(drawing for drawing in chart.drawings if drawing.frame.kind == "full")
    assert [tick.label for tick in full.looks] == ["look 1", "look 2", "look 3"]
    assert [tick.at for tick in full.looks] == [pytest.approx(52 + 1000 * at / 150, abs=0.1) for at in (60, 90, 150)]
    assert timeline(many_rows(), 60, None, (60,)).drawings[0].looks == ()


def test_many_looks_are_numbered_where_there_is_no_room_for_words() -> None:
    narrow = timeline(many_rows(duration_s=120), 120, None, range(10, 121, 10)).drawings[1]
    assert [tick.label for tick in narrow.looks] == [str(number) for number in range(1, 13)]


def test_what_is_not_judged_is_shaded_before_and_after() -> None:
    drawing = timeline(many_rows(duration_s=100, warmup_s=20), 50, None).drawings[0]
    before, after = drawing.shades
    assert [before.left, before.width] == pytest.approx([52, 1000 * 20 / 120], abs=0.1)
    assert [after.left, after.left + after.width] == pytest.approx([52 + 1000 * 70 / 120, 1052], abs=0.1)


def test_each_role_that_failed_has_a_lane_and_its_bars_are_as_high_as_its_share() -> None:
    rows = many_rows(Answers(error_ratio=0.8), Answers(error_ratio=0.1))
    drawing = timeline(rows, 60, None).drawings[0]
    live, candidate = drawing.lanes
    assert (live.role, candidate.role) == ("live", "candidate")
    assert drawing.frame.bottom < live.top < candidate.top < drawing.floor
    heights = {lane.role: [float(each) for each in re.findall(r"v-([\d.]+)", lane.path)] for lane in drawing.lanes}
    assert max(heights["candidate"]) == candidate.height
    assert max(heights["live"]) < 0.5 * candidate.height
    assert timeline(many_rows(), 60, None).drawings[0].lanes == ()


def test_one_failure_among_many_is_seen() -> None:
    rows = many_rows(Answers(error_ratio=1.0), rate=100)
    error = np.where(rows.pair == 3000, rows.error, "")
    drawing = timeline(replace(rows, error=error), 60, None).drawings[0]
    assert len(re.findall("z", drawing.lanes[0].path)) == 1


def test_the_table_behind_the_timeline_counts_the_failures() -> None:
    rows = many_rows(Answers(error_ratio=0.5))
    chart = timeline(rows, 60, None)
    assert chart.header == (
        "seconds",
        "live p50",
        "live p95",
        "live failed",
        "candidate p50",
        "candidate p95",
        "candidate failed",
    )
    failed = int(((rows.role == "candidate") & (rows.error != "") & (rows.intended_s < 65)).sum())
    assert sum(int(row[-1] or 0) for row in chart.table) == failed


@pytest.mark.parametrize(
    ("duration_s", "label", "last"), [(60, "seconds from the start", "90"), (3570, "minutes from the start", "60")]
)
def test_a_long_run_is_told_in_minutes(duration_s: int, label: str, last: str) -> None:
    drawing = timeline(many_rows(duration_s=duration_s, warmup_s=30, rate=1), duration_s, None).drawings[0]
    assert drawing.x_label == label
    assert drawing.x_ticks[-1].label == last


@pytest.mark.parametrize("duration_s", [1, 7, 60, 361, 3600, 14_400])
def test_the_times_on_the_axis_have_room(duration_s: int) -> None:
    for drawing in timeline(many_rows(duration_s=duration_s, rate=2), duration_s, None).drawings:
        assert all(after.at - before.at >= TIME_GAP for before, after in pairwise(drawing.x_ticks))


def until(rows: Rows, at_s: float) -> Rows:
    return rows.where(rows.intended_s < at_s)


def test_a_run_that_was_broken_off_in_its_warm_up_has_a_timeline_and_nothing_else() -> None:
    broken = sample("broken off")
    rows = until(many_rows(judged_s=0, warmup_s=30, broken_off="live failed"), 4)
    charts = latency_charts(replace(broken, rows=rows))
    assert [chart.heading for chart in charts] == ["While the load ran"]
    assert charts[0].drawings[0].x_ticks[-1].label == "4"


@pytest.mark.parametrize(
    "rows", [many_rows().where(many_rows().pair < 0), replace(many_rows(), end=None).where(many_rows().pair < 0)]
)
def test_without_a_single_request_there_is_no_chart(rows: Rows) -> None:
    assert latency_charts(replace(sample("promoted"), rows=rows)) == ()


def test_a_run_of_one_request_is_drawn() -> None:
    rows = many_rows(alone=True)
    charts = latency_charts(replace(sample("first"), rows=rows.where(rows.pair == rows.pair[-1])))
    assert len(charts) >= 1


def test_where_every_request_failed_at_once_the_timeline_shows_that_alone() -> None:
    charts = latency_charts(replace(sample("all failing"), rows=many_rows(Answers(error_ratio=1.0), alone=True)))
    assert [chart.heading for chart in charts] == ["While the load ran"]
    assert charts[0].drawings[0].lines == ()
    assert charts[0].drawings[0].lanes[0].role == "candidate"


def criterion(
    measured: float | None, limit: float, operator: str = "<=", interval: tuple[float, float] | None = None
) -> Criterion:
    return Criterion("name", Layer.RELATIVE, "ms", operator, limit, measured, Outcome.PASS, "why", interval=interval)


def test_a_bar_shows_value_bounds_and_limit_in_their_proportions() -> None:
    assert bar(criterion(50, 100, interval=(40, 60))) == Bar(zero=0, value=59.3, lower=47.4, upper=71.1, limit=118.5)


def test_a_bar_of_a_value_far_beyond_reaches_far_beyond_its_limit() -> None:
    found = bar(criterion(1000, 10, interval=(900, 1100)))
    assert found is not None
    assert found.limit < 0.02 * found.value


def test_a_bar_begins_left_of_nothing_where_the_candidate_may_be_better_than_live() -> None:
    found = bar(criterion(-2, 8, interval=(-3, 1)))
    assert found is not None
    assert found.lower == 0 < found.value < found.zero < found.upper < found.limit


def test_what_must_be_reached_is_shown_as_what_is_missing() -> None:
    expected = Bar(zero=0, value=23.7, lower=23.7, upper=23.7, limit=118.5)
    assert bar(criterion(0.99, 0.95, ">=")) == bar(criterion(0.01, 0.05)) == expected


@pytest.mark.parametrize(
    "each",
    [
        criterion(None, 10),
        criterion(0, 0),
        criterion(3, 0),
        criterion(float("nan"), 10),
        criterion(5, float("inf")),
        criterion(5, 10, interval=(float("nan"), float("nan"))),
        criterion(300, 1000, ">="),
    ],
)
def test_without_a_number_to_show_there_is_no_bar(each: Criterion) -> None:
    assert bar(each) is None

"""Who had the traffic: the shares, the steps with percent and time, and labels that do not lie on each other."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from load.charts_traffic import DESK_GAP, PHONE_GAP, TrafficChart, rows_of, traffic_chart
from load.report_data import JournalEntry
from tests.lib.load_samples import PROMOTED_JOURNAL, REFUSED_JOURNAL, STARTED, journal
from tests.lib.report_samples import ROLLED_BACK_JOURNAL

pytestmark = pytest.mark.unit


def chart_of(entries: Sequence[JournalEntry]) -> TrafficChart:
    found = traffic_chart(entries, "green")
    assert found is not None
    return found


def test_the_candidates_share_rises_from_the_bottom_and_all_shares_fill_the_height() -> None:
    chart = chart_of(PROMOTED_JOURNAL)
    for share in chart.shares:
        beside = [each for each in chart.shares if each.left == share.left]
        assert sum(each.height for each in beside) == 100
        if share.role == "candidate":
            assert share.top + share.height == 100


def test_steps_have_their_percent_and_their_time() -> None:
    steps = [(step.candidate_percent, step.at) for step in chart_of(ROLLED_BACK_JOURNAL).steps]
    assert steps == [(percent, STARTED + timedelta(seconds=at)) for percent, at in ((10, 735), (50, 801), (0, 809))]


def test_of_the_time_in_which_nothing_changes_only_as_much_is_shown_as_leaves_room_for_the_steps() -> None:
    chart = chart_of(ROLLED_BACK_JOURNAL)
    first, last = chart.steps[0], chart.steps[-1]
    assert 15 < first.left < 25
    assert last.left > 75
    assert chart.begins_at > ROLLED_BACK_JOURNAL[0].at
    assert chart.ends_at == ROLLED_BACK_JOURNAL[-1].at


def test_the_shares_cover_the_whole_width_without_a_gap() -> None:
    for entries in (PROMOTED_JOURNAL, ROLLED_BACK_JOURNAL, REFUSED_JOURNAL):
        lefts = sorted({(share.left, share.width) for share in chart_of(entries).shares})
        assert lefts[0][0] == 0
        assert lefts[-1][0] + lefts[-1][1] == pytest.approx(100)
        for (left, width), (then, _) in pairwise(lefts):
            assert left + width == pytest.approx(then, abs=0.02)


def test_a_release_without_a_step_shows_the_whole_time() -> None:
    chart = chart_of(REFUSED_JOURNAL)
    assert (chart.begins_at, chart.ends_at) == (REFUSED_JOURNAL[0].at, REFUSED_JOURNAL[-1].at)
    assert chart.steps == ()
    assert (chart.desk_rows, chart.phone_rows) == (0, 0)


def test_where_nobody_served_before_nothing_is_drawn_until_somebody_does() -> None:
    entries = journal(
        (0, "observed", "nobody", {}, None),
        (50, "promoted", "all", {"green": 100}, True),
        (100, "promoted", "end", {"green": 100}, None),
    )
    chart = chart_of(entries)
    assert [(share.role, share.left, share.width) for share in chart.shares] == [("candidate", 50, 50)]
    assert [step.candidate_percent for step in chart.steps] == [100]


@pytest.mark.parametrize("entries", [(), PROMOTED_JOURNAL[:1], (PROMOTED_JOURNAL[0], PROMOTED_JOURNAL[0])])
def test_without_a_stretch_of_time_there_is_no_chart(entries: Sequence[JournalEntry]) -> None:
    assert traffic_chart(entries, "green") is None


def test_steps_all_at_once_are_drawn_too() -> None:
    entries = journal(
        *(
            (at, "shifting", "step", {"blue": 100 - share, "green": share}, True)
            for at, share in ((0, 0), (1, 10), (1, 50), (1, 100), (2, 100))
        )
    )
    chart = chart_of(entries)
    assert [step.candidate_percent for step in chart.steps] == [10, 50, 100]
    assert sorted(step.desk_row for step in chart.steps) == [0, 1, 2]


@given(st.lists(st.floats(0, 100), max_size=30).map(sorted))
def test_labels_in_one_row_are_never_nearer_than_they_are_wide(places: list[float]) -> None:
    for gap in (DESK_GAP, PHONE_GAP):
        rows = rows_of(places, gap)
        for row in set(rows):
            inside = [place for place, found in zip(places, rows, strict=True) if found == row]
            assert all(after - before >= gap for before, after in pairwise(inside))


def test_a_phone_needs_more_rows_than_a_desk() -> None:
    assert rows_of([70, 80, 90], DESK_GAP) == [0, 0, 0]
    assert rows_of([70, 80, 90], PHONE_GAP) == [0, 1, 2]

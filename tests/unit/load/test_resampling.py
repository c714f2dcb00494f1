from dataclasses import replace

import numpy as np
import pytest

from load.gate import judge
from load.resampling import STRETCH_S, draw_release, refuse_short
from load.rows import Rows, RunEnd
from load.rows_file import RowsError
from load.settings import GatePolicy, LoadSettings
from load.simulation import TRUTHS, Noise, Truth, simulate
from load.verdict import Outcome

pytestmark = pytest.mark.unit

SETTINGS = LoadSettings(rate_pairs_per_s=20, warmup_s=10, duration_s=300)
POLICY = GatePolicy(looks_s=(), max_error_increase=0.02)
IDENTICAL = TRUTHS[0]


def own_run(settings: LoadSettings = SETTINGS, noise: Noise | None = None) -> Rows:
    return simulate(settings, IDENTICAL, np.random.default_rng(5), noise)


def drawn(truth: Truth, seed: int = 1, duration_s: float = 360.0, rows: Rows | None = None) -> Rows:
    return draw_release(rows or own_run(), duration_s, truth, np.random.default_rng(seed))


def test_a_release_is_made_of_a_runs_stretches_and_is_as_long_as_is_wanted() -> None:
    own = own_run()
    rows = drawn(IDENTICAL, rows=own)
    assert rows.plan.duration_s == 360
    assert rows.end is not None
    assert rows.end.judged_s == 360
    assert not rows.warmup.any()
    assert 10 <= rows.intended_s.min() < rows.intended_s.max() < 370
    assert set(rows.service_ms.tolist()) <= set(own.service_ms.tolist())
    stretch = (rows.intended_s - 10) // STRETCH_S
    assert [int((stretch == number).sum()) for number in range(6)] == pytest.approx([2400] * 6, rel=0.1)


def test_of_the_last_stretch_no_more_is_taken_than_is_wanted() -> None:
    assert 10 + 330 < drawn(IDENTICAL, duration_s=350.0).intended_s.max() < 10 + 350


def test_live_and_candidate_are_still_asked_at_one_moment() -> None:
    rows = drawn(IDENTICAL)
    live, candidate = (np.sort(rows.of(role).intended_s) for role in ("live", "candidate"))
    assert np.array_equal(live, candidate)


def test_which_of_the_two_is_the_candidate_is_drawn_and_its_answers_come_from_it() -> None:
    releases = [drawn(IDENTICAL, seed) for seed in range(12)]
    assert {rows.plan.candidate for rows in releases} == {"blue", "green"}
    for rows in releases:
        assert {*rows.of("candidate").answered_by.tolist()} == {rows.plan.candidate}
        assert judge(rows, POLICY).outcome is Outcome.PASS


@pytest.mark.parametrize("name", ["+30 %", "+50 %", "10 % of requests x3"])
def test_a_candidate_that_is_made_slower_fails(name: str) -> None:
    truth = next(truth for truth in TRUTHS if truth.name == name)
    assert [judge(drawn(truth, seed), POLICY).outcome for seed in range(4)] == [Outcome.FAIL] * 4


def test_failures_of_the_truth_come_on_top_of_those_there_were() -> None:
    own = own_run(noise=Noise(error_ratio=0.02))
    rows = drawn(Truth("failing", error_ratio=0.05), rows=own)
    assert (rows.of("live").error != "").mean() == pytest.approx(0.02, rel=0.4)
    assert (rows.of("candidate").error != "").mean() == pytest.approx(0.07, rel=0.3)
    assert set(rows.status[rows.error != ""].tolist()) == {424}


def test_the_same_chance_draws_the_same_release() -> None:
    first, again, other = (drawn(IDENTICAL, seed) for seed in (3, 3, 4))
    assert np.array_equal(first.intended_s, again.intended_s)
    assert not np.array_equal(first.intended_s[:200], other.intended_s[:200])


def test_a_run_too_short_or_without_live_is_refused_with_what_to_do() -> None:
    own = own_run()
    refuse_short(own)
    for rows, told in (
        (replace(own, end=RunEnd(0, 250, 239.0, 0.05)), "3 stretches of 60 s of blue beside green, 4 are needed"),
        (replace(own, end=None), "0 stretches of 60 s"),
        (replace(own, plan=replace(own.plan, live=None)), "of nobody beside green"),
    ):
        with pytest.raises(RowsError, match=told):
            refuse_short(rows)

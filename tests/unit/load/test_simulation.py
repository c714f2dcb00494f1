from dataclasses import replace

import numpy as np
import pytest

from load.intervals import quantile
from load.rows import Rows
from load.settings import LoadSettings
from load.simulation import STARTED_AT, TRUTHS, Noise, Truth, drift, simulate, stall_ms

pytestmark = pytest.mark.unit

SETTINGS = LoadSettings(rate_pairs_per_s=50, warmup_s=10, duration_s=200)
QUIET = Noise(
    shared_drift=0.0, own_drift=0.0, colour=0.0, shared_stall_every_s=1e9, own_stall_every_s=1e9, error_ratio=0.0
)
IDENTICAL = TRUTHS[0]


def simulated(truth: Truth = IDENTICAL, noise: Noise = QUIET, seed: int = 1, settings: LoadSettings = SETTINGS) -> Rows:
    return simulate(settings, truth, np.random.default_rng(seed), noise)


def ratio(rows: Rows, share: float) -> float:
    live, candidate = (quantile(rows.of(role).latency_ms, share) for role in ("live", "candidate"))
    return candidate / live


def test_the_truths_are_those_whose_rates_are_promised() -> None:
    assert [truth.name for truth in TRUTHS] == [
        "identical",
        "+10 %",
        "+20 %",
        "+30 %",
        "+50 %",
        "3 % of requests x3",
        "10 % of requests x3",
        "errors 0.1 -> 0.5 %",
    ]


def test_each_arrival_asks_both_at_one_moment_and_the_warm_up_is_marked() -> None:
    rows = simulated()
    live, candidate = (rows.where(rows.role == role) for role in ("live", "candidate"))
    assert np.array_equal(live.intended_s, candidate.intended_s)
    assert np.array_equal(live.pair, candidate.pair)
    assert np.array_equal(rows.warmup, rows.intended_s < 10)
    assert len(live) == pytest.approx(50 * 210, rel=0.05)
    assert set(live.answered_by.tolist()) == {"blue"}
    assert set(candidate.answered_by.tolist()) == {"green"}
    assert rows.plan.started_at == STARTED_AT
    assert rows.end is not None
    assert rows.end.judged_s == 200


def test_the_same_seed_gives_the_same_rows_and_another_one_others() -> None:
    first, again, other = (simulated(noise=Noise(), seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.service_ms, again.service_ms)
    assert not np.array_equal(first.service_ms[:100], other.service_ms[:100])


def test_without_noise_latency_is_lognormal_around_its_median() -> None:
    latency_ms = simulated().of("live").latency_ms
    assert np.median(latency_ms) == pytest.approx(60, rel=0.02)
    assert np.log(latency_ms).std() == pytest.approx(0.35, rel=0.02)


@pytest.mark.parametrize("factor", [1.1, 1.2, 1.3, 1.5])
def test_a_slower_candidate_is_slower_by_its_factor_at_every_quantile(factor: float) -> None:
    rows = simulated(Truth("slower", factor=factor))
    assert [ratio(rows, share) for share in (0.5, 0.95)] == pytest.approx([factor, factor], rel=0.04)


def test_a_candidate_of_which_some_requests_are_slow_is_slow_in_its_tail_alone() -> None:
    rows = simulated(Truth("tail", slow_share=0.1))
    assert ratio(rows, 0.5) < 1.2
    assert ratio(rows, 0.95) > 1.5
    shares = [(rows.of(role).latency_ms > 200).mean() for role in ("live", "candidate")]
    assert shares[1] - shares[0] == pytest.approx(0.1 * 0.38, rel=0.3)  # of 0.1, those that were over 67 ms anyway


def test_failures_come_as_often_as_the_truth_says() -> None:
    rows = simulated(Truth("failing", error_ratio=0.05), replace(QUIET, error_ratio=0.01))
    assert (rows.of("live").error != "").mean() == pytest.approx(0.01, rel=0.3)
    assert (rows.of("candidate").error != "").mean() == pytest.approx(0.05, rel=0.15)
    assert set(rows.status[rows.error != ""].tolist()) == {424}


def test_a_request_that_takes_longer_than_the_time_out_has_timed_out() -> None:
    rows = simulated(settings=SETTINGS.model_copy(update={"timeout_s": 0.1}))
    late = rows.service_ms >= 100
    assert 0.01 < late.mean() < 0.2
    assert set(rows.error[late].tolist()) == {"timeout"}
    assert rows.service_ms.max() == 100
    assert set(rows.answered_by[late].tolist()) == {""}


def test_both_live_through_the_shared_drift_and_each_through_its_own() -> None:
    def correlation(noise: Noise) -> float:
        rows = simulated(noise=noise, settings=SETTINGS.model_copy(update={"duration_s": 2000.0}))
        levels = []
        for role in ("live", "candidate"):
            of = rows.of(role)
            block = (of.intended_s / 10).astype(int)
            levels.append([np.log(of.latency_ms[block == each]).mean() for each in range(1, 200)])
        return float(np.corrcoef(levels)[0, 1])

    assert correlation(replace(QUIET, shared_drift=0.3)) > 0.9
    assert abs(correlation(replace(QUIET, own_drift=0.3))) < 0.5


def test_a_colour_is_slower_for_the_whole_of_a_run_and_by_as_much_as_the_noise_says() -> None:
    ratios = [np.log(ratio(simulated(noise=replace(QUIET, colour=0.1), seed=seed), 0.5)) for seed in range(60)]
    assert np.std(ratios) == pytest.approx(0.1, rel=0.3)
    assert np.mean(ratios) == pytest.approx(0.0, abs=0.04)


def test_a_drift_has_its_spread_and_is_alike_within_its_time() -> None:
    at_s = np.arange(0, 20_000, 1.0)
    walk = drift(at_s, 20_000, 0.12, 45.0, np.random.default_rng(3))
    assert walk.std() == pytest.approx(0.12, rel=0.15)
    assert np.corrcoef(walk[:-45], walk[45:])[0, 1] == pytest.approx(np.exp(-1), abs=0.12)


def test_who_comes_in_a_stall_waits_for_its_end() -> None:
    at_s = np.arange(0, 40_000, 0.05)
    waits_ms = stall_ms(at_s, 40_000, 120.0, 0.6, np.random.default_rng(4))
    waiting = waits_ms > 0
    assert waiting.mean() == pytest.approx(0.6 / 120, rel=0.3)
    inside = waiting[:-1] & waiting[1:]
    # Each waits 50 ms less than the one before it, but where one stall begins within another.
    assert np.median(np.diff(waits_ms)[inside]) == pytest.approx(-50)


def test_without_any_arrival_there_are_no_rows_and_no_error() -> None:
    rows = simulated(settings=SETTINGS.model_copy(update={"rate_pairs_per_s": 1e-9}))
    assert len(rows) == 0

from collections import Counter
from functools import partial

import numpy as np
import pytest

from load.calibration import Rates, calibrate, chance_of, judge_some
from load.settings import GatePolicy, LoadSettings, read_gate_policy, read_load_settings
from load.simulation import TRUTHS, simulate
from load.verdict import Outcome
from tests.lib.shipped import SETTINGS_FILE as SHIPPED

pytestmark = pytest.mark.unit

BY_NAME = {truth.name: truth for truth in TRUTHS}
SETTINGS = LoadSettings(rate_pairs_per_s=40, warmup_s=1, duration_s=30)
POLICY = GatePolicy(looks_s=(), block_s=2, min_samples=500)
RUNS = 50


@pytest.fixture(scope="module")
def rates() -> dict[str, Rates]:
    """A short `python -m load calibrate`, at what is shipped."""
    found = calibrate(
        [BY_NAME[name] for name in ("identical", "+30 %", "+50 %", "10 % of requests x3")],
        runs=RUNS,
        seed=1,
        jobs=2,
        releases=partial(simulate, read_load_settings(SHIPPED)),
        policy=read_gate_policy(SHIPPED),
    )
    return {each.truth.name: each for each in found}


def test_of_identical_releases_nearly_all_pass_and_none_fails(rates: dict[str, Rates]) -> None:
    """Of 50, with 99 % for each, fewer than 46 pass once in 2000 times."""
    assert rates["identical"].counts[Outcome.PASS] >= 46
    assert rates["identical"].counts[Outcome.FAIL] <= 1


def test_of_releases_slower_by_a_third_hardly_any_passes(rates: dict[str, Rates]) -> None:
    assert rates["+30 %"].counts[Outcome.PASS] <= 1
    assert rates["+30 %"].counts[Outcome.FAIL] >= 45


@pytest.mark.parametrize("truth", ["+50 %", "10 % of requests x3"])
def test_a_release_that_users_would_notice_never_passes(truth: str, rates: dict[str, Rates]) -> None:
    assert rates[truth].counts[Outcome.PASS] == 0
    assert rates[truth].counts[Outcome.FAIL] >= 48


def test_a_verdict_takes_less_than_four_minutes_in_the_mean(rates: dict[str, Rates]) -> None:
    assert all(each.mean_judged_s < 240 for each in rates.values())
    assert rates["+50 %"].mean_judged_s < 130


def judged(name: str, seed: int = 1, runs: int = 12) -> list[tuple[str, float]]:
    found = judge_some(BY_NAME[name], range(runs), seed, partial(simulate, SETTINGS), POLICY)
    return [(each.outcome.value, each.judged_s) for each in found]


def test_each_release_has_a_chance_of_its_own_that_follows_from_the_seed() -> None:
    drawn = [
        chance_of(BY_NAME[name], run, seed).random()
        for name in ("identical", "+10 %")
        for run in range(20)
        for seed in (1, 2, 3)
    ]
    assert len(set(drawn)) == len(drawn)
    assert chance_of(BY_NAME["+10 %"], 7, 1).random() == chance_of(BY_NAME["+10 %"], 7, 1).random()


def test_the_same_seed_gives_the_same_rates_in_however_many_processes() -> None:
    releases = partial(simulate, SETTINGS)
    (found,) = calibrate([BY_NAME["+20 %"]], runs=12, seed=1, jobs=2, releases=releases, policy=POLICY)
    alone = judged("+20 %")
    assert found.counts == Counter(Outcome(outcome) for outcome, _ in alone)
    assert found.mean_judged_s == np.mean([judged_s for _, judged_s in alone])
    assert found.runs == 12


def test_shares_add_up_and_progress_is_told() -> None:
    told: list[int] = []
    releases = partial(simulate, SETTINGS)
    (found,) = calibrate(
        [BY_NAME["identical"]], runs=25, seed=1, jobs=2, releases=releases, policy=POLICY, on_progress=told.append
    )
    assert sum(found.share(outcome) for outcome in Outcome) == pytest.approx(1)
    assert told == [10, 10, 5]

"""Who answered, held against the split that was set."""

from itertools import count

import pytest
from scipy.stats import binom

from deployment.scoring import Answer
from deployment.split import binomial_interval, compare, wait_until_routed

pytestmark = pytest.mark.unit


def answers(**counts: int) -> tuple[Answer, ...]:
    return tuple(Answer(200, name, [1.0], "") for name, number in counts.items() for _ in range(number))


@pytest.mark.parametrize("trials", [132, 300, 1000])
@pytest.mark.parametrize("probability", [0.01, 0.1, 0.5, 0.9])
def test_the_binomial_interval_is_scipys(trials: int, probability: float) -> None:
    alpha = 1e-6
    expected = (int(binom.ppf(alpha / 2, trials, probability)), int(binom.isf(alpha / 2, trials, probability)))
    assert binomial_interval(trials, probability, alpha) == expected


def test_a_split_that_is_routed_as_set_fits() -> None:
    check = compare(answers(blue=268, green=32), {"blue": 90, "green": 10})
    assert check.fits
    assert "32 of 300 probes reached green at 10 % (8 to 58 fit)" in check.reason


def test_a_split_that_was_set_but_still_sends_all_to_live_does_not_fit() -> None:
    check = compare(answers(blue=300), {"blue": 90, "green": 10})
    assert not check.fits
    assert "300 of 300 probes reached blue at 90 % (242 to 292 fit)" in check.reason


def test_at_100_percent_one_answer_from_elsewhere_is_too_many() -> None:
    check = compare(answers(blue=1, green=299), {"green": 100})
    assert not check.fits
    assert "1 of 300 probes were answered by 'blue', which has 0 %" in check.reason


def test_a_failed_probe_is_named_with_its_status() -> None:
    check = compare((*answers(blue=1), Answer(424, "green", {}, "id")), {"blue": 90, "green": 10})
    assert not check.fits
    assert check.reason == "1 of 2 probes failed, the first with status 424"


def test_probing_goes_on_until_the_split_shows() -> None:
    looks = iter([answers(blue=300), answers(blue=300), answers(blue=150, green=150)])
    check = wait_until_routed(lambda: next(looks), {"blue": 50, "green": 50}, timeout_s=10, now_s=lambda: 0.0)
    assert check.fits


def test_probing_ends_with_the_last_look_when_its_time_is_over() -> None:
    clock = count()
    check = wait_until_routed(
        lambda: answers(blue=300), {"blue": 50, "green": 50}, timeout_s=3, now_s=lambda: float(next(clock))
    )
    assert not check.fits
    assert next(clock) == 4


def test_a_failure_ends_the_probing_at_once() -> None:
    looks = iter([(Answer(0, "", "ConnectError", ""),), answers(blue=300)])
    check = wait_until_routed(lambda: next(looks), {"blue": 100}, timeout_s=60)
    assert not check.fits
    assert check.reason == "1 of 1 probes failed, the first with status 0"

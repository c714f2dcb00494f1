from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from load.capacity import Step, rows_path_of, search
from load.rows import Rows
from load.settings import GatePolicy, LoadSettings
from tests.lib.load_samples import Answers, synthetic_rows

pytestmark = pytest.mark.unit

POLICY = GatePolicy(slo_p95_ms=100, slo_p99_ms=1000, max_error_ratio=0.05)
SETTINGS = LoadSettings(rate_pairs_per_s=8, warmup_s=5, duration_s=30)


def answering(
    answers: Callable[[float], Answers], **changed: float
) -> tuple[list[float], Callable[[LoadSettings], Rows]]:
    """Return the rates that are tried, as they are, and a measurement in which a rate is answered so."""
    tried: list[float] = []

    def measure(settings: LoadSettings) -> Rows:
        tried.append(settings.rate_pairs_per_s)
        rate = settings.rate_pairs_per_s
        return synthetic_rows(answers(rate), alone=True, rate=rate, seed=len(tried), **changed)  # type: ignore[arg-type]

    return tried, measure


def slow_beyond(capacity_per_s: float) -> Callable[[float], Answers]:
    return lambda rate: Answers(20) if rate <= capacity_per_s else Answers(400)


def test_the_rate_rises_by_half_until_the_slo_breaks_and_the_gap_is_halved() -> None:
    tried, measure = answering(slow_beyond(21))
    told: list[Step] = []

    found = search(measure, SETTINGS, POLICY, most_per_s=250, precision=0.1, on_step=told.append)

    assert tried == [8, 12, 18, 27, 22.5, 20.25]
    assert found.rate_per_s == 20.25
    assert tuple(told) == found.steps
    assert [step.broken == "" for step in told] == [True, True, True, False, False, True]
    assert found.ended.startswith("at 22.5 requests/s p95 is ")
    assert found.ended.endswith(" ms, over 100 ms")
    assert not found.unknown


@pytest.mark.parametrize("precision", [0.02, 0.2, 0.5])
def test_the_answer_is_as_near_as_was_asked(precision: float) -> None:
    _, measure = answering(slow_beyond(71))
    found = search(measure, SETTINGS, POLICY, most_per_s=250, precision=precision)
    least_broken = min(step.rate_per_s for step in found.steps if step.broken)
    assert found.rate_per_s is not None
    assert found.rate_per_s <= 71 < least_broken
    assert least_broken - found.rate_per_s <= precision * least_broken


def test_a_deployment_that_breaks_at_the_first_rate_has_no_capacity() -> None:
    tried, measure = answering(lambda _: Answers(400))
    found = search(measure, SETTINGS, POLICY, most_per_s=250, precision=0.1)
    assert (tried, found.rate_per_s, found.unknown) == ([8], None, False)
    assert "at 8 requests/s p95 is " in found.ended


def test_no_rate_beyond_the_most_is_tried() -> None:
    tried, measure = answering(lambda _: Answers(20))
    found = search(measure, SETTINGS, POLICY, most_per_s=20, precision=0.1)
    assert tried == [8, 12, 18, 20]
    assert found.rate_per_s == 20
    assert found.ended == "no faster rate was tried"


def test_the_first_rate_is_not_beyond_the_most_either() -> None:
    tried, measure = answering(lambda _: Answers(20))
    assert search(measure, SETTINGS, POLICY, most_per_s=5, precision=0.1).rate_per_s == 5
    assert tried == [5]


@pytest.mark.parametrize(
    ("cpu_ratio", "lag_ms", "told"),
    [
        (0.95, 0.5, "the generator was at its limit: it used 95.0 % of a core"),
        (0.05, 60.0, "the generator was at its limit: 1 % of the requests left over 60 ms late"),
    ],
)
def test_a_generator_at_its_limit_ends_the_search_at_what_was_kept_before(
    cpu_ratio: float, lag_ms: float, told: str
) -> None:
    tried: list[float] = []

    def measure(settings: LoadSettings) -> Rows:
        rate = settings.rate_pairs_per_s
        tried.append(rate)
        tired = rate > 10
        # What the generator holds up looks like a slow deployment.
        return synthetic_rows(
            Answers(400 if tired else 20, lag_ms=lag_ms if tired else 0.5),
            alone=True,
            rate=rate,
            cpu_ratio=cpu_ratio if tired else 0.05,
        )

    found = search(measure, SETTINGS, POLICY, most_per_s=250, precision=0.1)

    assert tried == [8, 12]
    assert found.rate_per_s == 8
    assert found.ended == f"at 12 requests/s {told}"


def test_a_generator_at_its_limit_from_the_start_tells_nothing() -> None:
    _, measure = answering(lambda _: Answers(20, lag_ms=60))
    found = search(measure, SETTINGS, POLICY, most_per_s=250, precision=0.1)
    assert found.rate_per_s is None
    assert found.unknown


def test_a_refused_key_is_no_capacity() -> None:
    _, measure = answering(lambda _: Answers(5, error_ratio=1.0, error="http_401", status=401))
    found = search(measure, SETTINGS, POLICY, most_per_s=250, precision=0.1)
    assert found.unknown
    assert "answers were 401 or 403: the key was refused" in found.ended


def test_an_endpoint_out_of_bandwidth_is_not_taken_for_a_slow_deployment() -> None:
    def measure(settings: LoadSettings) -> Rows:
        rows = synthetic_rows(Answers(400), alone=True, rate=settings.rate_pairs_per_s)
        return replace(rows, throttled_ms=np.where(rows.pair % 2 == 0, 30.0, 0.0))

    found = search(measure, SETTINGS, POLICY, most_per_s=250, precision=0.1)
    assert found.unknown
    assert "requests back for its bandwidth" in found.ended


def test_failures_are_named_before_latencies_and_none_are_made_up_where_nothing_was_answered() -> None:
    _, measure = answering(lambda _: Answers(400, error_ratio=1.0))
    found = search(measure, SETTINGS, POLICY, most_per_s=250, precision=0.1)
    assert found.ended == "at 8 requests/s 100.0 % of the requests failed, over 5.00 %"
    assert (found.steps[0].p50_ms, found.steps[0].p95_ms, found.steps[0].error_ratio) == (None, None, 1.0)
    found = search(measure, SETTINGS, POLICY.model_copy(update={"max_error_ratio": None}), most_per_s=9, precision=0.1)
    assert found.ended == "at 8 requests/s no request was answered"


def test_what_was_dropped_was_not_sent() -> None:
    _, measure = answering(lambda _: Answers(20, error_ratio=0.5, error="dropped", status=0), duration_s=30)
    step = search(measure, SETTINGS, POLICY, most_per_s=250, precision=0.1).steps[0]
    assert step.sent_per_s == pytest.approx(4, abs=1)
    assert step.broken.endswith("of the requests failed, over 5.00 %")


def test_each_rate_has_a_file_of_its_own() -> None:
    names = [rows_path_of(Path("reports"), rate).name for rate in (5.0, 7.5, 11.25, 16.875)]
    assert names == ["capacity-5.csv.gz", "capacity-7.5.csv.gz", "capacity-11.25.csv.gz", "capacity-16.88.csv.gz"]

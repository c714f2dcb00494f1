from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from load.gate import Outcome, judge
from load.looking import LEAST_FAILURES, LiveGuard, Looker
from load.rows import COLUMNS, Observed, Row, Rows, RunEnd
from load.rows_file import RowsWriter, append_observed, read_rows
from load.run_files import Progress, Stop, read_stop
from load.settings import GatePolicy, LoadSettings
from tests.lib.load_samples import Answers, synthetic_rows

pytestmark = pytest.mark.unit

WARMUP_S, DURATION_S, RATE = 5.0, 60.0, 40.0
SETTINGS = LoadSettings(rate_pairs_per_s=RATE, warmup_s=WARMUP_S, duration_s=DURATION_S, live_window_s=10)
POLICY = GatePolicy(
    min_samples=300,
    block_s=2,
    ignore_below_ms=5,
    slo_p95_ms=200,
    slo_p99_ms=400,
    max_error_increase=0.03,
    looks_s=(20.0, 40.0),
)


def progress(ended_s: float, **more: int) -> Progress:
    return Progress(ended_s + 0.5, WARMUP_S + DURATION_S, ended_s, int(ended_s * RATE), 0, **more)


def as_rows(rows: Rows) -> list[Row]:
    columns = [(getattr(rows, name) * 1 if name == "warmup" else getattr(rows, name)).tolist() for name in COLUMNS]
    return [Row(*cells) for cells in zip(*columns, strict=True)]


@dataclass
class Run:
    """A run that goes on: a file that is written, and what looks at it."""

    folder: Path
    rows: Rows
    policy: GatePolicy | None = POLICY
    observe: Callable[[], str] | None = None

    def __post_init__(self) -> None:
        self.rows_path, self.stop_path = self.folder / "rows.csv.gz", self.folder / "stop"
        self.writer = RowsWriter(self.rows_path, self.rows.plan)
        self.looker = Looker(self.rows_path, self.stop_path, SETTINGS, self.policy, self.observe)
        self.written_s = 0.0

    def go_on_until(self, ended_s: float) -> Stop | None:
        """Write what was due meanwhile, say so, and return how the run is told to end."""
        due = (self.rows.intended_s >= self.written_s) & (self.rows.intended_s < ended_s)
        for row in as_rows(self.rows.where(due)):
            self.writer.write(row)
        self.writer.flush()
        self.written_s = ended_s
        self.looker.take(progress(ended_s))
        return read_stop(self.stop_path)

    def end(self, stop: Stop) -> Rows:
        self.writer.end(RunEnd(len(self.rows), self.written_s, stop.judged_s, 0.05, stop.broken_off))
        self.writer.close()
        append_observed(self.rows_path, self.looker.observed)
        return read_rows(self.rows_path)


def run(
    folder: Path, candidate: Answers | None = None, live: Answers | None = None, policy: GatePolicy | None = POLICY
) -> Run:
    rows = synthetic_rows(candidate, live, rate=RATE, warmup_s=WARMUP_S, duration_s=DURATION_S)
    return Run(folder, rows, policy)


@pytest.mark.parametrize(("median_ms", "outcome"), [(20.0, Outcome.PASS), (60.0, Outcome.FAIL)])
def test_a_run_ends_at_the_look_that_decides_and_is_judged_there_to_the_same_verdict(
    median_ms: float, outcome: Outcome, tmp_path: Path
) -> None:
    going = run(tmp_path, Answers(median_ms))
    assert going.go_on_until(WARMUP_S + 19.9) is None
    stop = going.go_on_until(WARMUP_S + 21.0)
    assert stop == Stop(20.0)

    rows = going.end(stop)

    assert judge(rows, POLICY).outcome is outcome
    assert judge(rows, POLICY).judged_s == 20.0


def test_no_look_is_taken_before_all_that_was_due_has_ended(tmp_path: Path) -> None:
    going = run(tmp_path, Answers(60))
    going.go_on_until(WARMUP_S + 19.99)
    going.looker.take(replace(progress(WARMUP_S + 19.99), elapsed_s=WARMUP_S + 50))
    assert read_stop(going.stop_path) is None
    assert going.go_on_until(WARMUP_S + 20.0) == Stop(20.0)


def test_an_open_verdict_goes_on_to_the_next_look_and_the_last_of_them_is_the_end(tmp_path: Path) -> None:
    going = run(tmp_path, Answers(error_ratio=0.008))
    for ended_s in (10, 20, 30, 40, 50, 60, 64.9):
        assert going.go_on_until(WARMUP_S + ended_s) is None
    assert going.looker.looks_s == []
    assert [each.outcome for each in judge(going.end(Stop(DURATION_S)), POLICY).looks][:2] == [
        Outcome.INCONCLUSIVE,
        Outcome.INCONCLUSIVE,
    ]


@pytest.mark.parametrize("few", [{"min_samples": 1500}, {"min_blocks": 15}])
def test_a_look_that_has_too_little_to_go_by_leaves_the_run_alone(few: dict[str, int], tmp_path: Path) -> None:
    going = run(tmp_path, policy=POLICY.model_copy(update=few))
    assert going.go_on_until(WARMUP_S + 20.5) is None
    assert going.go_on_until(WARMUP_S + 40.5) == Stop(40.0)


@pytest.mark.parametrize(
    ("candidate", "told"),
    [
        (Answers(answered_by="other"), "came from another deployment"),
        (Answers(error_ratio=0.1, error="http_401", status=401), "were 401 or 403"),
    ],
)
def test_a_run_that_more_requests_do_not_mend_ends_at_its_first_look(
    candidate: Answers, told: str, tmp_path: Path
) -> None:
    going = run(tmp_path, candidate, policy=POLICY.model_copy(update={"min_samples": 5000}))
    stop = going.go_on_until(WARMUP_S + 20.5)
    assert stop == Stop(20.0)
    verdict = judge(going.end(stop), POLICY)
    assert verdict.outcome is Outcome.INVALID
    assert told in verdict.sentence


def test_without_a_policy_a_run_goes_to_its_end_however_bad_it_is(tmp_path: Path) -> None:
    going = run(tmp_path, Answers(500), policy=None)
    assert going.go_on_until(WARMUP_S + 64) is None


def test_the_traffic_is_looked_at_before_at_each_look_and_after_and_stored(tmp_path: Path) -> None:
    traffic = iter(["blue 100 %"] * 3 + ["blue 90 %, green 10 %"])
    going = Run(tmp_path, run(tmp_path, Answers(error_ratio=0.008)).rows, POLICY, lambda: next(traffic))
    going.looker.look_at_traffic()
    for ended_s in (10, 20.5, 30, 40.5, 50):
        assert going.go_on_until(WARMUP_S + ended_s) is None
    going.looker.look_at_traffic()

    rows = going.end(Stop(DURATION_S))

    assert rows.observed == (
        Observed(0.0, "blue 100 %"),
        Observed(26.0, "blue 100 %"),
        Observed(46.0, "blue 100 %"),
        Observed(55.5, "blue 90 %, green 10 %"),
    )
    verdict = judge(rows, POLICY)
    assert verdict.outcome is Outcome.INVALID
    assert "traffic was blue 100 %, then blue 90 %, green 10 %" in verdict.sentence


def test_traffic_that_has_changed_by_a_look_ends_the_run_there(tmp_path: Path) -> None:
    traffic = iter(["blue 100 %", "green 100 %"])
    going = Run(tmp_path, run(tmp_path).rows, POLICY, lambda: next(traffic))
    going.looker.look_at_traffic()
    assert going.go_on_until(WARMUP_S + 20.5) == Stop(20.0)


class Guarded:
    """A guard, and what it is told of live every half second."""

    def __init__(self, folder: Path, **changed: float | None) -> None:
        self.stop_path = folder / "stop"
        self.guard = LiveGuard(self.stop_path, SETTINGS.model_copy(update=changed))
        self.elapsed_s, self.ended, self.failed = 0.0, 0, 0

    def answers(self, seconds: float, *, failing: float = 0.0) -> Stop | None:
        """Let live answer twenty requests in each half second, this share of them with an error."""
        for _ in range(int(seconds * 2)):
            self.ended += 20
            self.failed += round(20 * failing)
            self.take()
        return read_stop(self.stop_path)

    def take(self) -> None:
        self.elapsed_s += 0.5
        self.guard.take(
            Progress(self.elapsed_s, 65.0, self.elapsed_s, 0, 0, live_ended=self.ended, live_errors=self.failed)
        )


def test_a_live_that_begins_to_fail_ends_the_run_and_it_is_said_how_much_failed(tmp_path: Path) -> None:
    guarded = Guarded(tmp_path)
    assert guarded.answers(30) is None
    stop = guarded.answers(5, failing=1.0)
    assert stop is not None
    assert 25 < stop.judged_s <= 30
    assert stop.broken_off.startswith("live failed ")
    assert "within 10 s (2" in stop.broken_off
    assert stop.broken_off.endswith("the load ends beyond 20.0 % to spare its users)")


def test_a_live_that_fails_in_the_warm_up_ends_the_run_before_anything_is_judged(tmp_path: Path) -> None:
    guarded = Guarded(tmp_path)
    stop = guarded.answers(4, failing=1.0)
    assert stop is not None
    assert stop.judged_s == 0
    assert guarded.elapsed_s == 4


def test_a_live_that_fails_less_than_is_allowed_or_failed_long_ago_is_left_alone(tmp_path: Path) -> None:
    guarded = Guarded(tmp_path, stop_at_live_error_ratio=0.3)
    assert guarded.answers(60, failing=0.25) is None
    for _ in range(4):
        assert guarded.answers(10) is None
        assert guarded.answers(4, failing=0.6) is None  # 24 % of the last ten seconds


def test_a_few_failures_at_the_start_are_not_made_much_of(tmp_path: Path) -> None:
    guarded = Guarded(tmp_path)
    guarded.take()
    guarded.ended = guarded.failed = LEAST_FAILURES - 1
    guarded.take()
    assert read_stop(guarded.stop_path) is None
    guarded.ended = guarded.failed = LEAST_FAILURES
    guarded.take()
    assert read_stop(guarded.stop_path) is not None


def test_a_guard_that_is_off_lets_live_fail(tmp_path: Path) -> None:
    assert Guarded(tmp_path, stop_at_live_error_ratio=None).answers(60, failing=1.0) is None


def test_a_guard_has_nothing_to_do_where_the_candidate_is_measured_alone(tmp_path: Path) -> None:
    guarded = Guarded(tmp_path)
    for _ in range(60):
        guarded.take()
    assert read_stop(guarded.stop_path) is None


@pytest.mark.parametrize("failing_from_s", [1.0, 12.0, 20.0])
def test_a_run_that_was_broken_off_for_lives_sake_is_invalid_and_says_so_first(
    failing_from_s: float, tmp_path: Path
) -> None:
    rows = synthetic_rows(rate=RATE, warmup_s=WARMUP_S, duration_s=DURATION_S)
    failing = (rows.role == "live") & (rows.intended_s >= failing_from_s)
    rows = replace(rows, error=np.where(failing, "http_503", rows.error), status=np.where(failing, 503, rows.status))
    going = Run(tmp_path, rows)
    guard = LiveGuard(going.stop_path, SETTINGS)
    ended_s = 0.0
    while (stop := read_stop(going.stop_path)) is None:
        ended_s += 0.5
        live = rows.where((rows.role == "live") & (rows.intended_s < ended_s))
        guard.take(progress(ended_s, live_ended=len(live), live_errors=int((live.error != "").sum())))
        going.go_on_until(ended_s)

    verdict = judge(going.end(stop), POLICY)

    assert verdict.outcome is Outcome.INVALID
    assert verdict.sentence.startswith("Nothing was judged: the load was broken off: live failed ")


def test_a_look_that_lives_unanswered_requests_held_up_is_not_taken_after_the_run_was_broken_off(
    tmp_path: Path,
) -> None:
    rows = synthetic_rows(rate=RATE, warmup_s=WARMUP_S, duration_s=DURATION_S)
    # One request waits for its time-out, and so the look at 20 s has not been taken when live has failed for long.
    going = Run(tmp_path, rows)
    guard = LiveGuard(going.stop_path, SETTINGS)
    going.go_on_until(WARMUP_S + 19.0)
    for elapsed_s, ended, failed in ((24.0, 960, 0), (35.0, 1300, 300)):
        guard.take(Progress(WARMUP_S + elapsed_s, 65.0, WARMUP_S + 19.0, 0, 0, live_ended=ended, live_errors=failed))
    guard.take(Progress(WARMUP_S + 35.5, 65.0, WARMUP_S + 19.0, 0, 0, live_ended=1340, live_errors=320))

    stop = going.go_on_until(WARMUP_S + 35.5)

    assert stop is not None
    verdict = judge(going.end(stop), POLICY)
    assert verdict.outcome is Outcome.INVALID
    assert verdict.sentence.startswith("Nothing was judged: the load was broken off: live failed ")

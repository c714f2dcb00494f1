from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from load.merging import merge
from load.rows import Observed, Row, RunEnd, RunPlan
from load.rows_file import RowsError, RowsWriter, read_rows

pytestmark = pytest.mark.unit

PLAN = RunPlan("2026-11-23T03:42:10+00:00", "blue", "green", 10.0, 5.0, 30.0, 10.0, 100, 7, generator="Locust 2.47.0")
END = RunEnd(pairs=2, elapsed_s=35.2, judged_s=30.0, cpu_ratio=0.05)
ROW = Row(0, "live", 1.0, 0.5, 20.0, 1, 200, "", "blue", "1", "golden-00", "", 0.0, "")


def part(folder: Path, worker: int, rows: Sequence[Row] = (ROW,), end: RunEnd | None = END, **changed: Any) -> Path:
    """Store the file of one worker, whose seed is its own."""
    path = folder / f"rows.worker-{worker}.csv.gz"
    with RowsWriter(path, replace(PLAN, **{"seed": 7 + worker, **changed})) as writer:
        writer.answer(f"of-{worker}", [worker])
        writer.answer("of-both", None)
        writer.observe(Observed(1.0, f"seen by {worker}"))
        for row in rows:
            writer.write(row)
        if end is not None:
            writer.end(end)
    return path


def test_no_two_arrivals_of_different_workers_have_one_number_and_pairs_stay_pairs(tmp_path: Path) -> None:
    pairs = [replace(ROW, pair=pair, role=role) for pair in range(3) for role in ("live", "candidate")]
    parts = [part(tmp_path, worker, pairs[: 6 - 2 * worker]) for worker in range(3)]
    rows = merge(parts, tmp_path / "rows.csv.gz")
    assert len(rows) == 6 + 4 + 2
    numbers, counts = np.unique(rows.pair, return_counts=True)
    assert len(numbers) == 3 + 2 + 1
    assert set(counts.tolist()) == {2}


def test_rows_are_in_the_order_in_which_they_ended(tmp_path: Path) -> None:
    first = [replace(ROW, intended_s=1.0, service_ms=5000.0, payload="c"), replace(ROW, intended_s=9.0, payload="d")]
    second = [replace(ROW, intended_s=1.5, payload="a"), replace(ROW, intended_s=2.0, payload="b")]
    rows = merge([part(tmp_path, 0, first), part(tmp_path, 1, second)], tmp_path / "rows.csv.gz")
    assert rows.payload.tolist() == ["a", "b", "c", "d"]


def test_the_rate_is_that_of_all_workers_and_the_busiest_speaks_for_the_core(tmp_path: Path) -> None:
    ends = [replace(END, pairs=3, elapsed_s=36.0, cpu_ratio=0.9), replace(END, pairs=4, judged_s=20.0)]
    parts = [
        part(tmp_path, worker, end=end, rate_pairs_per_s=125.0, end_rate_pairs_per_s=200.0)
        for worker, end in enumerate(ends)
    ]
    rows = merge(parts, tmp_path / "rows.csv.gz")
    assert rows.plan == replace(
        PLAN,
        rate_pairs_per_s=250.0,
        end_rate_pairs_per_s=400.0,
        max_in_flight=200,
        generator="Locust 2.47.0, 2 workers",
    )
    assert rows.end == RunEnd(pairs=7, elapsed_s=36.0, judged_s=20.0, cpu_ratio=0.9)


def test_a_constant_rate_stays_one(tmp_path: Path) -> None:
    rows = merge([part(tmp_path, worker) for worker in range(2)], tmp_path / "rows.csv.gz")
    assert (rows.plan.rate_pairs_per_s, rows.plan.end_rate_pairs_per_s) == (20.0, None)


def test_answers_and_what_was_seen_are_those_of_all(tmp_path: Path) -> None:
    rows = merge([part(tmp_path, worker) for worker in range(2)], tmp_path / "rows.csv.gz")
    assert rows.answers == {"of-0": [0], "of-1": [1], "of-both": None}
    assert rows.observed == (Observed(1.0, "seen by 0"), Observed(1.0, "seen by 1"))


def test_every_cell_is_what_the_worker_stored(tmp_path: Path) -> None:
    failed = Row(5, "candidate", 7.123456, 1.25, 10.5, 0, 424, "http_424", "green", "2", "a,b", "", 12.5, 'an "id"')
    rows = merge([part(tmp_path, 0, [failed])], tmp_path / "rows.csv.gz")
    assert Row(**{name: getattr(rows, name)[0].item() for name in vars(failed)}) == failed


def test_a_worker_that_was_cut_off_makes_the_whole_a_run_cut_off(tmp_path: Path) -> None:
    rows = merge([part(tmp_path, 0), part(tmp_path, 1, end=None)], tmp_path / "rows.csv.gz")
    assert rows.end is None
    assert len(rows) == 2


def test_why_one_worker_was_broken_off_is_why_the_whole_was(tmp_path: Path) -> None:
    parts = [part(tmp_path, 0), part(tmp_path, 1, end=replace(END, broken_off="live failed"))]
    rows = merge(parts, tmp_path / "rows.csv.gz")
    assert rows.end is not None
    assert rows.end.broken_off == "live failed"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"live": "other"}, "its live is other, not blue"),
        ({"live": None}, "its live is None, not blue"),
        ({"candidate": "other"}, "its candidate is other, not green"),
        ({"duration_s": 31.0}, r"its duration_s is 31\.0, not 30\.0"),
        ({"warmup_s": 1.0}, r"its warmup_s is 1\.0, not 5\.0"),
        ({"timeout_s": 1.0}, r"its timeout_s is 1\.0, not 10\.0"),
        ({"rate_pairs_per_s": 11.0}, r"its rate_pairs_per_s is 11\.0, not 10\.0"),
        ({"end_rate_pairs_per_s": 11.0}, r"its end_rate_pairs_per_s is 11\.0, not None"),
        ({"started_at": "2026-11-23T03:43:11+00:00"}, r"it began at 2026-11-23T03:43:11\+00:00, not at .*:10\+00:00"),
    ],
)
def test_a_file_of_another_run_is_refused_and_says_what_is_different(
    changed: dict[str, Any], told: str, tmp_path: Path
) -> None:
    parts = [part(tmp_path, 0), part(tmp_path, 1), part(tmp_path, 2, **changed)]
    with pytest.raises(RowsError, match=rf"worker-2\.csv\.gz is of another run than .*worker-0\.csv\.gz: {told}; "):
        merge(parts, tmp_path / "rows.csv.gz")
    assert not (tmp_path / "rows.csv.gz").exists()


def test_workers_may_begin_some_seconds_apart(tmp_path: Path) -> None:
    parts = [part(tmp_path, 0), part(tmp_path, 1, started_at="2026-11-23T03:42:07+00:00")]
    assert merge(parts, tmp_path / "rows.csv.gz").plan.started_at == "2026-11-23T03:42:07+00:00"


def test_the_same_worker_twice_is_refused(tmp_path: Path) -> None:
    path = part(tmp_path, 0)
    copy = tmp_path / "copy.csv.gz"
    copy.write_bytes(path.read_bytes())
    for twice in (path, copy):
        with pytest.raises(RowsError, match=r"is of the same worker as .*worker-0\.csv\.gz \(seed 7\); name each once"):
            merge([path, twice], tmp_path / "rows.csv.gz")


def test_no_file_is_written_over_one_of_its_parts(tmp_path: Path) -> None:
    path = part(tmp_path, 0)
    with pytest.raises(RowsError, match=r"worker-0\.csv\.gz is one of the files to be merged; name another"):
        merge([part(tmp_path, 1), path], tmp_path / "." / path.name)
    assert len(read_rows(path)) == 1


def test_nothing_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RowsError, match="nothing to merge; name the files that the workers wrote"):
        merge([], tmp_path / "rows.csv.gz")

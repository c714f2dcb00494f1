import gzip
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest

from load.rows import COLUMNS, Row, Rows, RunEnd, RunPlan, make_rows
from load.rows_file import RowsError, RowsWriter, read_rows

pytestmark = pytest.mark.unit

PLAN = RunPlan("2026-11-23T03:42:10+00:00", "blue", "green", 10.0, 5.0, 30.0, 10.0, 100, 1)
END = RunEnd(pairs=1, elapsed_s=35.2, judged_s=30.0, cpu_ratio=0.05)
ROWS = [
    Row(0, "live", 0.123456, 0.5, 20.25, 1, 200, "", "blue", "1", "golden-00", "a1", 12.5, ""),
    Row(
        0,
        "candidate",
        0.123456,
        1.5,
        31.125,
        1,
        424,
        "http_424",
        "green",
        "2",
        "golden-00",
        "",
        0.0,
        'an id, with "quotes"',
    ),
    Row(1, "live", 9.5, 0.0, 0.0, 0, 0, "dropped", "", "", "golden-01", "", 0.0, ""),
    Row(1, "candidate", 9.5, 0.25, 10000.0, 0, 0, "timeout", "", "", "golden-01", "", 0.0, ""),
]


def stored(path: Path, *, end: RunEnd | None = END) -> Path:
    with RowsWriter(path, PLAN) as writer:
        for row in ROWS:
            writer.write(row)
        if end is not None:
            writer.end(end)
    return path


def as_rows(rows: Rows) -> list[Row]:
    columns = [getattr(rows, name).tolist() for name in COLUMNS]
    return [Row(*cells) for cells in zip(*columns, strict=True)]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    rows = read_rows(stored(tmp_path / "reports" / "rows.csv.gz"))
    assert (rows.plan, rows.end) == (PLAN, END)
    assert [astuple(row) for row in as_rows(rows)] == [astuple(row) for row in ROWS]


def test_latency_counts_from_when_the_request_was_due(tmp_path: Path) -> None:
    assert read_rows(stored(tmp_path / "rows.csv.gz")).latency_ms.tolist() == [20.75, 32.625, 0.0, 10000.25]


def test_only_whole_answers_and_time_outs_tell_how_long_one_waits(tmp_path: Path) -> None:
    assert read_rows(stored(tmp_path / "rows.csv.gz")).latency_known.tolist() == [True, False, False, True]


def test_the_warm_up_is_not_judged(tmp_path: Path) -> None:
    rows = read_rows(stored(tmp_path / "rows.csv.gz"))
    assert rows.of("live").pair.tolist() == rows.of("candidate").pair.tolist() == [1]


def test_a_run_without_an_end_is_read_as_one_cut_off(tmp_path: Path) -> None:
    rows = read_rows(stored(tmp_path / "rows.csv.gz", end=None))
    assert rows.end is None
    assert len(rows) == 4


def test_a_stream_that_breaks_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv.gz"
    random = np.random.default_rng(3)
    with RowsWriter(path, PLAN) as writer:
        for pair, service_ms in enumerate(random.uniform(0, 100, 20000)):
            writer.write(Row(pair, "live", 1.0, 0.0, service_ms, 0, 200, "", "blue", "", "golden-00", "", 0.0, ""))
        writer.end(END)
    path.write_bytes(path.read_bytes()[:-20000])
    rows = read_rows(path)
    assert rows.end is None
    assert 1000 < len(rows) < 20000


@pytest.mark.parametrize(
    "content", [b"", b"no gzip", gzip.compress(b""), gzip.compress(b'# {"a": 1}\n'), gzip.compress(b"pair,role\n")]
)
def test_what_is_no_rows_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.csv.gz"
    path.write_bytes(content)
    with pytest.raises(RowsError, match=r"other\.csv\.gz"):
        read_rows(path)


def test_rows_of_nothing_are_no_rows() -> None:
    assert len(make_rows(PLAN, END, []).of("live")) == 0

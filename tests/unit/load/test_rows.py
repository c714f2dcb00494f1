import gzip
import json
from dataclasses import asdict, astuple, replace
from pathlib import Path

import numpy as np
import pytest

from load.rows import COLUMNS, Observed, Row, Rows, RunEnd, RunPlan, make_rows
from load.rows_file import RowsError, RowsWriter, append_observed, read_rows

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
    "content",
    [b"", b"no gzip", *(gzip.compress(each, mtime=0) for each in (b"", b'# {"a": 1}\n', b"pair,role\n"))],
    ids=["empty", "no gzip", "nothing in it", "no header", "no plan"],
)
def test_what_is_no_rows_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.csv.gz"
    path.write_bytes(content)
    with pytest.raises(RowsError, match=r"other\.csv\.gz"):
        read_rows(path)


def test_rows_of_nothing_are_no_rows() -> None:
    assert len(make_rows(PLAN, END, []).of("live")) == 0


SEEN = (Observed(0.0, "blue 100 %"), Observed(20.5, "blue 90 %, green 10 %"))


def test_answers_and_what_was_seen_of_the_endpoint_are_read_wherever_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv.gz"
    with RowsWriter(path, PLAN) as writer:
        writer.observe(SEEN[0])
        writer.answer("a1", {"predictions": [1.5, None, "Zürich\n"]})
        writer.write(ROWS[0])
        writer.observe(SEEN[1])
        writer.answer("b2", None)
        writer.end(END)
    rows = read_rows(path)
    assert rows.answers == {"a1": {"predictions": [1.5, None, "Zürich\n"]}, "b2": None}
    assert rows.observed == SEEN
    assert rows.end == END
    assert rows.of("live").answers == rows.until(1.0).answers == rows.answers


def test_what_was_seen_after_a_run_is_added_to_its_file_and_its_end_stays(tmp_path: Path) -> None:
    path = stored(tmp_path / "rows.csv.gz")
    append_observed(path, SEEN[:1])
    append_observed(path, [])
    append_observed(path, SEEN[1:])
    rows = read_rows(path)
    assert (rows.observed, rows.end, len(rows)) == (SEEN, END, 4)


def test_nothing_is_added_to_a_file_that_was_cut_off_empty_or_garbled(tmp_path: Path) -> None:
    path = stored(tmp_path / "rows.csv.gz")
    whole = path.read_bytes()
    for content in (whole[:-30], b"", b"no gzip", whole[:-8] + b"12345678"):
        path.write_bytes(content)
        append_observed(path, SEEN)
        assert path.read_bytes() == content


def test_a_file_that_is_still_being_written_is_read_as_far_as_it_was_flushed(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv.gz"
    with RowsWriter(path, PLAN) as writer:
        writer.flush()
        assert len(read_rows(path)) == 0
        for number, row in enumerate(ROWS, start=1):
            writer.write(row)
            writer.flush()
            rows = read_rows(path)
            assert (len(rows), rows.end) == (number, None)
        writer.end(END)
    assert read_rows(path).end == END


def test_a_file_that_was_cut_off_anywhere_is_read_or_refused_by_name(tmp_path: Path) -> None:
    path = stored(tmp_path / "rows.csv.gz")
    whole = path.read_bytes()
    lengths = set()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        try:
            rows = read_rows(path)
        except RowsError as error:
            assert str(path) in str(error)  # noqa: PT017 - one of many lengths
        else:
            lengths.add(len(rows))
            assert as_rows(rows) == ROWS[: len(rows)]
    assert max(lengths) == len(ROWS)


def test_a_file_in_which_a_bit_has_changed_is_refused(tmp_path: Path) -> None:
    path = stored(tmp_path / "rows.csv.gz")
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 0xFF
    path.write_bytes(whole)
    with pytest.raises(RowsError, match=r"rows\.csv\.gz cannot be read"):
        read_rows(path)


def test_a_file_of_another_schema_is_refused_and_says_which(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress(b'# {"started_at": "", "schema": 1, "gone": 2}\n'))
    with pytest.raises(RowsError, match=r"rows\.csv\.gz has the schema 1, not 2; measure again"):
        read_rows(path)
    plan = json.dumps(asdict(PLAN))
    path.write_bytes(gzip.compress(f"# {plan}\npair,role\n".encode()))
    with pytest.raises(RowsError, match=r"rows\.csv\.gz has the columns pair, role; measure again"):
        read_rows(path)


def test_a_line_with_too_few_cells_is_refused(tmp_path: Path) -> None:
    path = stored(tmp_path / "rows.csv.gz")
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + b"1,live,2\n"))
    with pytest.raises(RowsError, match=r"rows\.csv\.gz cannot be read"):
        read_rows(path)


def test_a_request_takes_25_bytes_at_most(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv.gz"
    random = np.random.default_rng(3)
    with RowsWriter(path, PLAN) as writer:
        for pair, service_ms in enumerate(random.lognormal(3, 0.5, 10_000)):
            row = replace(ROWS[0], pair=pair, intended_s=round(pair / 20, 6), service_ms=service_ms, warmup=0)
            writer.write(row)
    assert path.stat().st_size < 10_000 * 25

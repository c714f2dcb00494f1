import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from load import tally
from load.rows import Row, RunPlan
from load.rows_file import RowsWriter, read_rows
from load.run_files import Progress
from load.tally import Tally

pytestmark = pytest.mark.unit

PLAN = RunPlan("2026-11-23T03:42:10+00:00", "blue", "green", 10.0, 5.0, 30.0, 10.0, 100, 1)
ANSWERED = Row(0, "live", 1.0, 0.5, 20.0, 1, 200, "", "blue", "1", "golden-00", "", 0.0, "")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rows.csv.gz"


@pytest.fixture
def kept(path: Path) -> Iterator[Tally]:
    with RowsWriter(path, PLAN) as rows:
        yield Tally(rows, PLAN.warmup_s)


def test_all_has_ended_before_when_the_first_unanswered_request_was_due(kept: Tally) -> None:
    assert kept.ended_s == 0
    tickets = {due_s: kept.sent(due_s) for due_s in (1.0, 2.0, 3.0)}
    assert kept.ended_s == 0  # nothing is known to have been sent yet
    kept.sent_until_s = 3.0
    assert kept.ended_s == 1
    kept.take(tickets[2.0], ANSWERED)
    assert kept.ended_s == 1
    kept.take(tickets[1.0], ANSWERED)
    assert kept.ended_s == 3
    kept.take(tickets[3.0], ANSWERED)
    assert kept.ended_s == 3


def test_two_requests_that_are_due_at_once_are_told_apart(kept: Tally) -> None:
    first, second = kept.sent(1.0), kept.sent(1.0)
    kept.sent_until_s = 1.5
    kept.take(second, ANSWERED)
    assert kept.ended_s == 1.0
    kept.take(first, ANSWERED)
    assert kept.ended_s == 1.5


def test_a_dropped_request_is_stored_and_waits_for_nothing(kept: Tally, path: Path) -> None:
    kept.drop("candidate", "golden-01", 4.9999999)
    kept.pairs += 1
    kept.drop("candidate", "golden-02", 5.0)
    kept.sent_until_s = 5.0
    assert kept.ended_s == 5.0
    kept.rows.flush()
    rows = read_rows(path)
    assert rows.error.tolist() == ["dropped", "dropped"]
    assert rows.pair.tolist() == [0, 1]
    assert rows.warmup.tolist() == [True, False]
    assert rows.payload.tolist() == ["golden-01", "golden-02"]


def test_progress_counts_what_has_ended_and_lives_own_failures(kept: Tally) -> None:
    for row in (ANSWERED, replace(ANSWERED, error="http_424"), replace(ANSWERED, role="candidate", error="timeout")):
        kept.take(kept.sent(1.0), row)
    kept.drop("live", "golden-00", 2.0)
    kept.pairs, kept.sent_until_s = 2, 2.0
    assert kept.progress(3.14159, 35.0) == Progress(3.14, 35.0, 2.0, 2, errors=3, live_ended=3, live_errors=2)


def test_a_body_is_stored_once_and_equal_bodies_have_one_name(kept: Tally, path: Path) -> None:
    names = [kept.name_of(body) for body in (b"[1.5]", b"[2.5]", b"[1.5]", b"no JSON", b"[1.5]")]
    kept.rows.flush()
    assert names[0] == names[2] == names[4]
    assert len(set(names)) == 3
    assert read_rows(path).answers == {names[0]: [1.5], names[1]: [2.5], names[3]: None}


def test_a_body_that_is_too_long_is_told_from_others_but_not_kept(kept: Tally, path: Path) -> None:
    long = [json.dumps(["x" * tally.MOST_ANSWER_BYTES, n]).encode() for n in range(2)]
    names = [kept.name_of(body) for body in (*long, *long)]
    kept.rows.flush()
    assert names[:2] == names[2:]
    assert names[0] != names[1]
    assert read_rows(path).answers == dict.fromkeys(names[:2])


def test_a_body_that_is_nested_without_end_is_no_json(kept: Tally, path: Path) -> None:
    name = kept.name_of(b"[" * 10_000)
    kept.rows.flush()
    assert read_rows(path).answers == {name: None}


def test_beyond_so_many_answers_only_known_ones_have_a_name(kept: Tally, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "MOST_ANSWERS", 2)
    short, long = b"[1]", b"2" * (tally.MOST_ANSWER_BYTES + 1)
    known = [kept.name_of(short), kept.name_of(long)]
    assert kept.name_of(b"[3]") == ""
    assert [kept.name_of(short), kept.name_of(long)] == known


def test_beyond_so_many_bytes_no_further_body_is_kept(kept: Tally, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "MOST_BYTES", 10)
    assert kept.name_of(b"[123456]")
    assert kept.name_of(b"[123]") == ""
    assert kept.name_of(b"7")

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

import load.measure
from deployment.emulator.certificate import make_certificate
from load.gate import Outcome, judge
from load.measure import LoadError, LoadPlan, measure
from load.rows import Rows, RunEnd
from load.rows_file import RowsWriter, read_rows
from load.run_files import Progress
from load.settings import GatePolicy, LoadSettings
from tests.lib.emulator import wait_until
from tests.lib.load_samples import synthetic_rows
from tests.lib.paired_server import LATE_S, THROTTLED_MS, TURNS_AFTER, running_paired_server

pytestmark = pytest.mark.unit

REPOSITORY = Path(__file__).resolve().parents[3]
KEY = "key-that-must-not-be-seen"
SETTINGS = LoadSettings(rate_pairs_per_s=40, warmup_s=1, duration_s=3, timeout_s=2, max_in_flight=50)
SHORT = SETTINGS.model_copy(update={"warmup_s": 0.0, "duration_s": 1.0, "stop_at_live_error_ratio": None})
POLICY = GatePolicy(min_samples=100, block_s=0.25, ignore_below_ms=40, max_error_ratio=0.05, max_lag_p99_ms=250)


@pytest.fixture(scope="module")
def scoring_uri() -> Iterator[str]:
    with running_paired_server(KEY) as uri:
        yield uri


@pytest.fixture
def payloads_path(tmp_path: Path) -> Path:
    path = tmp_path / "golden_requests.json"
    requests = [{"id": f"golden-{n:02}", "body": {"data": [[float(n)] * 10]}, "predictions": [0.0]} for n in range(4)]
    path.write_text(json.dumps({"absolute_tolerance": 0, "relative_tolerance": 0, "requests": requests}))
    return path


def test_both_deployments_are_asked_the_same_and_a_late_one_is_told_from_a_prompt_one(
    scoring_uri: str, payloads_path: Path, tmp_path: Path
) -> None:
    seen: list[Progress] = []
    arguments: set[str] = set()

    def look_on(progress: Progress) -> None:
        seen.append(progress)
        arguments.add(subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True, check=True).stdout)

    plan = LoadPlan(scoring_uri, "prompt", "late", payloads_path, SETTINGS)

    measurement = measure(plan, key=KEY, rows_path=tmp_path / "rows.csv.gz", on_progress=look_on)

    rows = read_rows(measurement.rows_path)
    assert measurement.requests == len(rows) == 2 * measurement.pairs
    assert measurement.errors == 0
    assert any("locustfile.py" in each for each in arguments)
    assert not any(KEY in each for each in arguments)
    assert 90 < measurement.pairs < 260  # 160 are expected of a Poisson process at 40/s in 4 s
    by_pair = {(pair, role): payload for pair, role, payload in zip(rows.pair, rows.role, rows.payload, strict=True)}
    assert all(by_pair[pair, "live"] == by_pair[pair, "candidate"] for pair in range(measurement.pairs))
    assert Counter(rows.answered_by.tolist()) == {"prompt": measurement.pairs, "late": measurement.pairs}
    assert 0.05 < rows.warmup.mean() < 0.4
    assert np.median(rows.of("candidate").service_ms) >= LATE_S * 1000
    assert seen[-1].pairs == measurement.pairs
    assert seen[-1].total_s == SETTINGS.warmup_s + SETTINGS.duration_s
    verdict = judge(rows, POLICY)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.sentence.startswith("late is too slow: p95 ")


def test_failed_requests_and_answers_from_elsewhere_are_stored_as_what_they_were(
    scoring_uri: str, payloads_path: Path, tmp_path: Path
) -> None:
    measurement = measure(
        LoadPlan(scoring_uri, "impostor", "failing", payloads_path, SHORT), key=KEY, rows_path=tmp_path / "rows.csv.gz"
    )

    rows = read_rows(measurement.rows_path)
    failed = rows.where(rows.role == "candidate")
    assert set(failed.error.tolist()) == {"http_424"}
    assert all(request_id.startswith("seen-") for request_id in failed.request_id.tolist())
    assert set(rows.where(rows.role == "live").answered_by.tolist()) == {"prompt"}
    assert measurement.errors == measurement.pairs


def test_requests_in_flight_at_the_end_are_awaited_and_those_beyond_the_cap_are_dropped_not_lost(
    scoring_uri: str, payloads_path: Path, tmp_path: Path
) -> None:
    settings = SETTINGS.model_copy(update={"warmup_s": 0.0, "duration_s": 1.5, "timeout_s": 1.5, "max_in_flight": 10})
    plan = LoadPlan(scoring_uri, None, "hanging", payloads_path, settings)

    measurement = measure(plan, key=KEY, rows_path=tmp_path / "rows.csv.gz")

    rows = read_rows(measurement.rows_path)
    assert len(rows) == measurement.pairs
    assert Counter(rows.error.tolist()) == {"timeout": 10, "dropped": measurement.pairs - 10}
    assert rows.service_ms[rows.error == "timeout"].min() >= 1500


def stored_of(live: str, candidate: str, scoring_uri: str, payloads_path: Path) -> tuple[Rows, Rows]:
    """Return what a short run has stored of each."""
    path = payloads_path.with_name("rows.csv.gz")
    measure(LoadPlan(scoring_uri, live, candidate, payloads_path, SHORT), key=KEY, rows_path=path)
    rows = read_rows(path)
    assert len(rows) > 20
    return rows.of("live"), rows.of("candidate")


def each(*columns: np.ndarray) -> set[tuple[object, ...]]:
    return set(zip(*(column.tolist() for column in columns), strict=True))


def test_what_was_answered_by_which_model_and_how_long_it_was_held_back_is_stored_from_headers_and_trailers(
    scoring_uri: str, payloads_path: Path
) -> None:
    throttled, trailing = stored_of("throttled", "trailing", scoring_uri, payloads_path)
    name, body = next(iter(throttled.answers.items()))
    assert body == [0.0]
    assert each(throttled.answered_by, throttled.model, throttled.throttled_ms, throttled.answer) == {
        ("throttled", "1", THROTTLED_MS, name)
    }
    assert each(trailing.answered_by, trailing.model, trailing.throttled_ms, trailing.answer) == {
        ("trailing", "1", THROTTLED_MS, name)
    }


def test_answers_are_told_apart_and_models_too(scoring_uri: str, payloads_path: Path) -> None:
    unsteady, newer = stored_of("unsteady", "newer", scoring_uri, payloads_path)
    assert len(set(unsteady.answer.tolist())) == len(unsteady)
    assert len(set(newer.answer.tolist())) == 1
    assert (set(unsteady.model.tolist()), set(newer.model.tolist())) == ({"1"}, {"2"})
    assert all([float(count)] in unsteady.answers.values() for count in range(1, len(unsteady) + 1))


def test_an_answer_that_breaks_off_or_cannot_be_read_is_none(scoring_uri: str, payloads_path: Path) -> None:
    breaking, garbled = stored_of("breaking", "garbled", scoring_uri, payloads_path)
    assert each(breaking.status, breaking.error, breaking.answered_by, breaking.answer) == {
        (0, "connection", "breaking", "")
    }
    assert each(garbled.status, garbled.error, garbled.answer) == {(0, "connection", "")}


def test_no_redirect_is_followed_and_no_cookie_is_sent_back(scoring_uri: str, payloads_path: Path) -> None:
    moving, sticky = stored_of("moving", "sticky", scoring_uri, payloads_path)
    assert each(moving.status, moving.error) == {(302, "http_302")}
    assert each(sticky.status, sticky.error) == {(200, "")}


def test_a_run_ends_at_the_look_that_decides_and_what_was_seen_meanwhile_is_stored(
    scoring_uri: str, payloads_path: Path, tmp_path: Path
) -> None:
    plan = LoadPlan(
        scoring_uri, "prompt", "late", payloads_path, SETTINGS.model_copy(update={"warmup_s": 0.5, "duration_s": 60})
    )
    policy = POLICY.model_copy(update={"looks_s": (2.5, 5.0)})

    measurement = measure(
        plan, key=KEY, rows_path=tmp_path / "rows.csv.gz", policy=policy, observe=lambda: "prompt 100 %"
    )

    rows = read_rows(measurement.rows_path)
    assert rows.end is not None
    assert rows.end.judged_s == 2.5
    assert measurement.broken_off == ""
    assert measurement.elapsed_s < 30
    assert [seen.traffic for seen in rows.observed] == ["prompt 100 %"] * 3
    before, at_look, after = (seen.at_s for seen in rows.observed)
    assert before == 0
    assert 3 <= at_look <= after
    verdict = judge(rows, policy)
    assert (verdict.outcome, verdict.judged_s) == (Outcome.FAIL, 2.5)


def test_a_live_that_begins_to_fail_ends_the_load_and_makes_the_run_invalid(
    scoring_uri: str, payloads_path: Path, tmp_path: Path
) -> None:
    settings = SETTINGS.model_copy(update={"warmup_s": 5.0, "duration_s": 60})
    plan = LoadPlan(scoring_uri, "turning", "prompt", payloads_path, settings)

    measurement = measure(plan, key=KEY, rows_path=tmp_path / "rows.csv.gz", policy=POLICY)

    rows = read_rows(measurement.rows_path)
    live = rows.where(rows.role == "live")
    assert measurement.elapsed_s < 30
    assert int((live.error == "").sum()) == TURNS_AFTER
    assert measurement.broken_off.startswith("live failed ")
    verdict = judge(rows, POLICY)
    assert verdict.outcome is Outcome.INVALID
    assert verdict.sentence.startswith("Nothing was judged: the load was broken off: live failed ")


def test_a_ramp_asks_ever_more(scoring_uri: str, payloads_path: Path, tmp_path: Path) -> None:
    settings = SHORT.model_copy(update={"rate_pairs_per_s": 10, "end_rate_pairs_per_s": 150, "duration_s": 3})
    plan = LoadPlan(scoring_uri, None, "prompt", payloads_path, settings)

    rows = read_rows(measure(plan, key=KEY, rows_path=tmp_path / "rows.csv.gz").rows_path)

    assert rows.plan.end_rate_pairs_per_s == 150
    assert 170 < len(rows) < 310  # 240 are expected
    halves = [int((rows.intended_s < 1.5).sum()), int((rows.intended_s >= 1.5).sum())]
    assert halves[1] > 1.8 * halves[0]  # 172 and 68 are expected


def test_a_certificate_of_an_unknown_authority_is_no_endpoint_and_one_of_a_known_authority_is(
    payloads_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = make_certificate(tmp_path, datetime.now(UTC))
    with running_paired_server(KEY, (files.certificate, files.key)) as uri:
        monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
        unknown, _ = stored_of("prompt", "newer", uri, payloads_path)
        assert each(unknown.status, unknown.error) == {(0, "connection")}
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(files.certificate))
        known, _ = stored_of("prompt", "newer", uri, payloads_path)
        assert each(known.status, known.error) == {(200, "")}


def test_a_wrong_key_is_seen_as_such(scoring_uri: str, payloads_path: Path, tmp_path: Path) -> None:
    plan = LoadPlan(scoring_uri, None, "prompt", payloads_path, SHORT)

    measurement = measure(plan, key="another", rows_path=tmp_path / "rows.csv.gz")

    verdict = judge(read_rows(measurement.rows_path), POLICY)
    assert verdict.outcome is Outcome.INVALID
    assert "401 or 403" in " ".join(each.reason for each in verdict.criteria if each.result is Outcome.INVALID)


def test_a_run_that_cannot_start_says_why_and_not_the_key(scoring_uri: str, tmp_path: Path) -> None:
    plan = LoadPlan(scoring_uri, "prompt", "late", tmp_path / "no-such-file.json", SETTINGS)

    with pytest.raises(LoadError, match=r"no-such-file\.json") as broke:
        measure(plan, key=KEY, rows_path=tmp_path / "rows.csv.gz")

    assert KEY not in str(broke.value)


def test_rows_of_an_earlier_run_are_not_taken_for_those_of_a_run_that_has_written_none(
    payloads_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load.measure, "locust_command", lambda *_: [sys.executable, "-c", "print('ended early')"])
    with RowsWriter(tmp_path / "rows.csv.gz", synthetic_rows().plan) as rows:
        rows.end(RunEnd(0, 1.0, 1.0, 0.05))
    with pytest.raises(LoadError, match="ended with code 0; its last lines:\nended early"):
        measure(LoadPlan("", None, "green", payloads_path, SHORT), key=KEY, rows_path=tmp_path / "rows.csv.gz")


def test_a_locust_that_does_not_end_is_ended(
    payloads_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = [sys.executable, "-c", "import signal; signal.pause()", str(payloads_path)]
    monkeypatch.setattr(load.measure, "locust_command", lambda *_: endless)
    for name in ("START_S", "STOP_S"):
        monkeypatch.setattr(load.measure, name, 0.2)
    settings = SHORT.model_copy(update={"duration_s": 0.2, "timeout_s": 0.2})
    with pytest.raises(LoadError, match="Locust has not ended after 1 s; look at the machine"):
        measure(LoadPlan("", None, "green", payloads_path, settings), key=KEY, rows_path=tmp_path / "rows.csv.gz")
    listed = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True, check=True).stdout
    assert str(payloads_path) not in listed


WHO_MEASURES = """
import json, sys
from pathlib import Path
from load.measure import LoadPlan, measure
from load.settings import LoadSettings

uri, payloads, rows, key = sys.argv[1:]
plan = LoadPlan(uri, "prompt", "late", Path(payloads), LoadSettings(rate_pairs_per_s=20, warmup_s=1, duration_s=600))
measure(plan, key=key, rows_path=Path(rows), on_progress=lambda seen: print(json.dumps(seen.pairs), flush=True))
"""


def locusts(payloads_path: Path) -> list[str]:
    listed = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if "locustfile.py" in line and str(payloads_path) in line]


def test_a_run_whose_starter_was_killed_ends_and_leaves_the_rows_of_another_run_alone(
    scoring_uri: str, payloads_path: Path, tmp_path: Path
) -> None:
    rows_path = tmp_path / "rows.csv.gz"
    rows_path.write_bytes(b"of another run")
    command = [sys.executable, "-c", WHO_MEASURES, scoring_uri, str(payloads_path), str(rows_path), KEY]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        starter.stdout.readline()
        assert locusts(payloads_path)
        starter.kill()
    wait_until(lambda: not locusts(payloads_path), 30)
    assert rows_path.read_bytes() == b"of another run"

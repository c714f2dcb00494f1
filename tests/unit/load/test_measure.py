import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from load.gate import Outcome, judge
from load.looking import Progress
from load.measure import LoadError, LoadPlan, measure
from load.rows_file import read_rows
from load.settings import GatePolicy, LoadSettings
from tests.lib.emulator import wait_until
from tests.lib.paired_server import KEY_VARIABLE, LATE_S

pytestmark = pytest.mark.unit

REPOSITORY = Path(__file__).resolve().parents[3]
KEY = "key-that-must-not-be-seen"
SETTINGS = LoadSettings(rate_pairs_per_s=40, warmup_s=1, duration_s=4, timeout_s=2, max_in_flight=50)
POLICY = GatePolicy(min_samples=100, block_s=0.5, ignore_below_ms=40, max_error_ratio=0.05, max_lag_p99_ms=250)


@pytest.fixture(scope="module")
def scoring_uri() -> Iterator[str]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.lib.paired_server"],
        cwd=REPOSITORY,
        env=os.environ | {KEY_VARIABLE: KEY},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}/score"


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
    assert 100 < measurement.pairs < 320  # 200 are expected of a Poisson process at 40/s in 5 s
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
    plan = LoadPlan(scoring_uri, "impostor", "failing", payloads_path, SETTINGS.model_copy(update={"duration_s": 2.0}))

    measurement = measure(plan, key=KEY, rows_path=tmp_path / "rows.csv.gz")

    rows = read_rows(measurement.rows_path)
    failed = rows.where(rows.role == "candidate")
    assert set(failed.error.tolist()) == {"http_424"}
    assert all(request_id.startswith("seen-") for request_id in failed.request_id.tolist())
    assert set(rows.where(rows.role == "live").answered_by.tolist()) == {"prompt"}
    assert measurement.errors == measurement.pairs


def test_requests_in_flight_at_the_end_are_awaited_and_those_beyond_the_cap_are_dropped_not_lost(
    scoring_uri: str, payloads_path: Path, tmp_path: Path
) -> None:
    settings = SETTINGS.model_copy(update={"warmup_s": 0.0, "duration_s": 2.0, "timeout_s": 3.0, "max_in_flight": 10})
    plan = LoadPlan(scoring_uri, None, "hanging", payloads_path, settings)

    measurement = measure(plan, key=KEY, rows_path=tmp_path / "rows.csv.gz")

    rows = read_rows(measurement.rows_path)
    assert len(rows) == measurement.pairs
    assert Counter(rows.error.tolist()) == {"timeout": 10, "dropped": measurement.pairs - 10}
    assert rows.service_ms[rows.error == "timeout"].min() >= 3000


def test_a_wrong_key_is_seen_as_such(scoring_uri: str, payloads_path: Path, tmp_path: Path) -> None:
    plan = LoadPlan(scoring_uri, None, "prompt", payloads_path, SETTINGS.model_copy(update={"duration_s": 3.0}))

    measurement = measure(plan, key="another", rows_path=tmp_path / "rows.csv.gz")

    verdict = judge(read_rows(measurement.rows_path), POLICY)
    assert verdict.outcome is Outcome.INVALID
    assert "401 or 403" in " ".join(each.reason for each in verdict.criteria if each.result is Outcome.INVALID)


def test_a_run_that_cannot_start_says_why_and_not_the_key(scoring_uri: str, tmp_path: Path) -> None:
    plan = LoadPlan(scoring_uri, "prompt", "late", tmp_path / "no-such-file.json", SETTINGS)

    with pytest.raises(LoadError, match=r"no-such-file\.json") as broke:
        measure(plan, key=KEY, rows_path=tmp_path / "rows.csv.gz")

    assert KEY not in str(broke.value)


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

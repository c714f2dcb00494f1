import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from load.__main__ import app
from load.calibration import Rates
from load.cli_calibrate import PROMISED, figures_of, holds, missed
from load.settings import LoadSettings
from load.simulation import TRUTHS, simulate
from load.verdict import Outcome
from tests.lib.load_samples import synthetic_rows
from tests.lib.stored_rows import store_rows

pytestmark = pytest.mark.unit

# A minute, in which one stall is much: wider margins than those that are shipped, so that an identical release passes.
SETTINGS = """
[load]
rate_pairs_per_s = 20
warmup_s = 1
duration_s = 60
[gate]
looks_s = []
block_s = 5
max_error_ratio = 0.02
max_error_increase = 0.02
max_p50_ratio = 1.25
max_p95_ratio = 1.35
slo_p95_ms = 3000
slo_p99_ms = "off"
[profiles.strict.gate]
slo_p95_ms = 50
"""


@pytest.fixture
def settings_path(tmp_path: Path) -> Path:
    path = tmp_path / "release.toml"
    path.write_text(SETTINGS)
    return path


def calibrated(settings_path: Path, *words: str) -> Result:
    reports = str(settings_path.parent / "reports")
    common = ["--settings", str(settings_path), "--reports", reports, "--runs", "10", "--jobs", "1"]
    return CliRunner().invoke(app, ["calibrate", *common, *words])


def document(settings_path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((settings_path.parent / "reports" / "calibrate.json").read_text())
    return found


def test_the_rates_are_printed_and_written_with_their_bounds(settings_path: Path) -> None:
    result = calibrated(settings_path, "--truth", "identical", "--truth", "+50 %", "--seed", "4")
    assert result.exit_code == 0, result.output
    assert "seed 4" in result.output
    assert "100.0 % of the identical releases passed, 0.00 % of the +50 % releases passed, a verdict took 60 s" in (
        " ".join(result.output.split())
    )
    written = document(settings_path)
    assert (written["seed"], written["runs"]) == (4, 10)
    by_name = {each["name"]: each for each in written["figures"]}
    assert by_name["identical: PASS"] == {"name": "identical: PASS", "value": 1.0, "unit": "ratio", "at_least": 0.99}
    assert by_name["+50 %: PASS"] == {"name": "+50 %: PASS", "value": 0.0, "unit": "ratio", "at_most": 0.0}
    assert by_name["+50 %: FAIL"] == {"name": "+50 %: FAIL", "value": 1.0, "unit": "ratio"}
    assert by_name["mean time to a verdict"] == {"name": "mean time to a verdict", "value": 60.0, "unit": "s"}


def test_rates_that_are_not_what_is_promised_are_told_and_are_an_exit_code(settings_path: Path) -> None:
    result = calibrated(settings_path, "--truth", "identical", "--profile", "strict")
    assert result.exit_code == 1
    assert "not held: identical: PASS is 0 ratio, at least 0.99 is promised" in result.output


def test_a_truth_that_there_is_not_is_bad_input_and_those_that_there_are_are_named(settings_path: Path) -> None:
    result = calibrated(settings_path, "--truth", "+31 %")
    assert result.exit_code == 2
    assert "calibrate: no truth '+31 %'; there are identical, +10 %, " in result.output


def test_settings_that_cannot_be_used_are_bad_input(settings_path: Path) -> None:
    assert calibrated(settings_path, "--profile", "missing").exit_code == 2
    settings_path.write_text("[gate]\nconfidence = 2\n")
    assert calibrated(settings_path).exit_code == 2


def test_releases_can_be_drawn_from_a_run_of_ones_own(settings_path: Path) -> None:
    settings = LoadSettings(rate_pairs_per_s=20, warmup_s=1, duration_s=250)
    own = simulate(settings, TRUTHS[0], np.random.default_rng(5))
    rows_path = store_rows(settings_path.parent / "rows.csv.gz", own)
    words = ("--rows", str(rows_path), "--truth", "identical", "--truth", "+50 %")
    result = calibrated(settings_path, *words)
    assert result.exit_code == 0, result.output
    by_name = {each["name"]: each["value"] for each in document(settings_path)["figures"]}
    assert (by_name["identical: PASS"], by_name["+50 %: FAIL"]) == (1.0, 1.0)


def test_a_run_that_is_too_short_to_draw_from_is_bad_input(settings_path: Path) -> None:
    rows_path = store_rows(settings_path.parent / "rows.csv.gz", synthetic_rows())
    result = calibrated(settings_path, "--rows", str(rows_path))
    assert result.exit_code == 2
    assert "rows: 0 stretches of 60 s of blue beside green, 4 are needed" in result.output


def rates(name: str, *, passed: int = 0, failed: int = 0, runs: int = 400, mean_s: float = 100.0) -> Rates:
    truth = next(truth for truth in TRUTHS if truth.name == name)
    counts = Counter({Outcome.PASS: passed, Outcome.FAIL: failed, Outcome.INCONCLUSIVE: runs - passed - failed})
    return Rates(truth, runs, counts, mean_s)


@pytest.mark.parametrize(
    ("found", "held"),
    [
        (rates("identical", passed=396), True),
        (rates("identical", passed=395), False),
        (rates("identical", passed=397, failed=2), True),
        (rates("identical", passed=397, failed=3), False),
        (rates("+30 %", passed=4), True),
        (rates("+30 %", passed=5), False),
        (rates("+50 %", passed=1), False),
        (rates("10 % of requests x3", passed=1), False),
        (rates("10 % of requests x3", failed=400), True),
    ],
)
def test_a_promise_is_held_up_to_its_bound(found: Rates, *, held: bool) -> None:
    figures = figures_of([found])
    assert all(map(holds, figures)) is held
    assert all("is promised" in missed(figure) for figure in figures if not holds(figure))


def test_the_mean_time_is_promised_of_all_truths_together() -> None:
    slow = [rates(truth.name, failed=400, mean_s=241.0) for truth in TRUTHS]
    assert figures_of(slow)[-1] == {"name": "mean time to a verdict", "value": 241.0, "unit": "s", "at_most": 240.0}
    assert "at_most" not in figures_of(slow[:3])[-1]


def test_every_promise_is_of_a_truth_that_there_is() -> None:
    assert {name for name, _ in PROMISED} <= {truth.name for truth in TRUTHS}

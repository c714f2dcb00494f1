from pathlib import Path

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from load.__main__ import app
from load.rows import Rows
from load.settings import GatePolicy, LoadSettings, read_gate_policy, read_load_settings
from tests.lib.load_samples import Answers, synthetic_rows
from tests.lib.stored_rows import store_rows

pytestmark = pytest.mark.unit

SETTINGS = """
[load]
rate_pairs_per_s = 20
[gate]
min_samples = 300
block_s = 10
max_error_increase = 0.03
[profiles.quick.gate]
block_s = 2
"""


@pytest.fixture
def settings_path(tmp_path: Path) -> Path:
    path = tmp_path / "release.toml"
    path.write_text(SETTINGS)
    return path


@pytest.mark.parametrize(
    ("rows", "code", "word"),
    [
        (synthetic_rows(), 0, "PASS: green is as good as blue"),
        (synthetic_rows(Answers(200)), 10, "FAIL: green is too slow"),
        (synthetic_rows(Answers(error_ratio=0.008)), 11, "INCONCLUSIVE: It cannot be told"),
        (synthetic_rows(end=False), 12, "INVALID: Nothing was judged"),
    ],
)
def test_stored_rows_are_judged_again_and_the_exit_code_is_the_verdict(
    rows: Rows, code: int, word: str, settings_path: Path, tmp_path: Path
) -> None:
    path = store_rows(tmp_path / "rows.csv.gz", rows)
    result = CliRunner().invoke(app, ["gate", str(path), str(settings_path), "--profile", "quick"])
    assert result.exit_code == code, result.output
    assert word in result.output
    assert "p95 of live" in result.output or code == 12


def test_files_that_cannot_be_used_are_bad_input(settings_path: Path, tmp_path: Path) -> None:
    for words in (
        ["gate", "missing.csv.gz", str(settings_path)],
        ["gate", "missing.csv.gz", str(tmp_path / "missing.toml")],
        ["gate", "missing.csv.gz", str(settings_path), "--profile", "missing"],
    ):
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 2
        assert "missing" in result.output


def test_a_profile_is_laid_over_the_table(settings_path: Path) -> None:
    assert read_gate_policy(settings_path, "quick").block_s == 2
    assert read_gate_policy(settings_path).block_s == 10
    assert read_load_settings(settings_path, "quick").rate_pairs_per_s == 20


def test_unknown_keys_and_values_out_of_range_are_refused() -> None:
    for model, key, value in ((LoadSettings, "rate", 1), (LoadSettings, "timeout_s", 0), (GatePolicy, "confidence", 2)):
        with pytest.raises(ValidationError, match=key):
            model.model_validate({key: value})


def test_every_setting_is_described() -> None:
    for model in (LoadSettings, GatePolicy):
        assert not [name for name, field in model.model_fields.items() if not field.description]


def test_load_without_a_key_is_refused_before_anything_is_sent(
    settings_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ENDPOINT_KEY", raising=False)
    payloads = tmp_path / "requests.jsonl"
    payloads.write_text('{"data": [[1.5]]}\n')
    words = ["run", "--scoring-uri", "http://127.0.0.1:9/score", "--candidate", "green", "--payloads", str(payloads)]
    result = CliRunner().invoke(app, [*words, "--settings", str(settings_path)])
    assert result.exit_code == 2
    assert "ENDPOINT_KEY" in result.output

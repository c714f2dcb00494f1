"""release.toml: what it may say, and what it says when it may not."""

import tomllib
from pathlib import Path

import pytest

from deployment.outcomes import BadInputError
from deployment.settings import read_settings
from load.settings import read_gate_policy, read_load_settings
from tests.lib.shipped import SETTINGS_FILE as SHIPPED

pytestmark = pytest.mark.unit


def changed(tmp_path: Path, old: str, new: str) -> Path:
    text = SHIPPED.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "release.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def test_the_shipped_settings_are_valid_with_and_without_the_demo_profile() -> None:
    standard, demo = read_settings(SHIPPED), read_settings(SHIPPED, profile="demo")
    assert standard.shift.steps_percent == demo.shift.steps_percent == (10, 50, 100)
    assert demo.load.duration_s < standard.load.duration_s
    assert demo.gate.slo_p95_ms == standard.gate.slo_p95_ms


def test_every_shipped_profile_is_valid_and_the_load_command_reads_the_same() -> None:
    profiles = tomllib.loads(SHIPPED.read_text(encoding="utf-8"))["profiles"]
    assert {"smoke", "standard", "soak", "demo", "pull-request"} <= set(profiles)
    for profile in profiles:
        settings = read_settings(SHIPPED, profile=profile)
        assert read_load_settings(SHIPPED, profile) == settings.load
        assert read_gate_policy(SHIPPED, profile) == settings.gate


def test_the_standard_profile_is_what_holds_without_one() -> None:
    assert read_settings(SHIPPED, profile="standard") == read_settings(SHIPPED)


def test_a_comparison_is_advisory_unless_a_fork_says_that_it_binds(tmp_path: Path) -> None:
    assert not read_settings(SHIPPED, profile="pull-request").pull_request.binding
    assert read_settings(changed(tmp_path, "binding = false", "binding = true")).pull_request.binding


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[10, 50, 100]", "[10, 50]", r"shift: .*must rise and end at 100, not \[10, 50\]"),
        ("[10, 50, 100]", "[50, 10, 100]", r"must rise and end at 100, not \[50, 10, 100\]"),
        ("probes_per_step = 300", "probes_per_step = 10", r"shift.probes_per_step: .*132 \(it is 10\)"),
        ("slo_p95_ms = 200", "slo_p95_ms = -1", r"gate.slo_p95_ms: .*greater than 0 \(it is -1\)"),
        ("slo_p95_ms = 200", "slo_p59_ms = 200", r"gate.slo_p59_ms: Extra inputs are not permitted"),
        ("lease_s = 7200", "lease_s = 1", r"platform.lease_s: .*60 \(it is 1\)"),
        ("patience_s = 120", "patience_s = 1200", r"rollback_patience_s \(900\) must be at least patience_s \(1200\)"),
        ("mirror_percent = 0", "mirror_percent = 51", r"shift.mirror_percent: .*50 \(it is 51\)"),
        ('afterwards = "delete"', 'afterwards = "keep"', r"soak.afterwards: .*'delete' or 'scale' \(it is 'keep'\)"),
        ("binding = false", "binding = 2", r"pull_request.binding: .*boolean.* \(it is 2\)"),
        ("binding = false", "blocking = true", r"pull_request.blocking: Extra inputs are not permitted"),
        ("[shift]", "[shift", r"release.toml cannot be read"),
    ],
)
def test_a_wrong_value_is_named_with_file_key_value_and_what_is_allowed(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = changed(tmp_path, old, new)
    with pytest.raises(BadInputError, match=message) as error:
        read_settings(path)
    assert str(path) in str(error.value)


def test_an_unknown_profile_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(BadInputError, match="has no profile 'production'; it has demo, demo-first"):
        read_settings(SHIPPED, profile="production")

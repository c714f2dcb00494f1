from pathlib import Path
from tomllib import TOMLDecodeError
from typing import Any

import pytest
from pydantic import ValidationError

from load.settings import GatePolicy, LoadSettings, read_gate_policy, read_load_settings

pytestmark = pytest.mark.unit

REPOSITORY = Path(__file__).resolve().parents[3]
LIMITS = [name for name in GatePolicy.model_fields if GatePolicy.model_fields[name].annotation == float | None]


def written(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def refused(model: type[LoadSettings | GatePolicy], **values: Any) -> str:
    with pytest.raises(ValidationError) as error:
        model.model_validate(values)
    return str(error.value)


@pytest.mark.parametrize("name", LIMITS)
def test_every_limit_can_be_switched_off_by_a_word(name: str) -> None:
    assert getattr(GatePolicy.model_validate({name: "off"}), name) is None


def test_every_limit_that_an_slo_or_a_comparison_has_is_one_that_can_be_switched_off() -> None:
    assert {each for each in GatePolicy.model_fields if each.startswith(("slo_", "max_", "min_throughput"))} - {
        "max_lag_p99_ms",
        "max_generator_cpu_ratio",
    } == set(LIMITS)


@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize("name", LIMITS)
def test_a_truth_value_is_no_limit_and_it_is_told_what_is(name: str, *, value: bool) -> None:
    told = refused(GatePolicy, **{name: value})
    assert name in told
    assert f'{str(value).lower()} is no limit; write a number, or "off"' in told


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(
    ("model", "name"),
    [
        (LoadSettings, "duration_s"),
        (LoadSettings, "stop_at_live_error_ratio"),
        (GatePolicy, "slo_p95_ms"),
        (GatePolicy, "ignore_below_ms"),
        (GatePolicy, "max_psi"),
    ],
)
def test_what_is_no_finite_number_is_refused(model: type[LoadSettings | GatePolicy], name: str, value: float) -> None:
    assert name in refused(model, **{name: value})


@pytest.mark.parametrize("looks_s", [[240, 120], [120, 120], [0], [-1, 5], [float("nan")], list(range(1, 12))])
def test_looks_have_to_be_times_one_after_the_other_and_not_too_many(looks_s: list[float]) -> None:
    assert "looks_s" in refused(GatePolicy, looks_s=looks_s)


def test_looks_that_are_not_in_order_are_told_as_they_stand() -> None:
    assert "looks_s is [240.0, 120.0]; each look has to be later than the one before" in refused(
        GatePolicy, looks_s=[240, 120]
    )


@pytest.mark.parametrize(
    ("duration_s", "looks_s"),
    [
        (360.0, (120.0, 240.0, 360.0)),
        (240.0, (120.0, 240.0)),
        (240.0 + 1e-12, (120.0, 240.0 + 1e-12)),
        (100.0, (100.0,)),
    ],
)
def test_the_end_of_the_load_is_the_last_look_and_none_comes_twice(
    duration_s: float, looks_s: tuple[float, ...]
) -> None:
    assert GatePolicy(looks_s=(120.0, 240.0)).looks_of(duration_s) == looks_s


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (LoadSettings, {"rate_pairs_per_s": 0}),
        (LoadSettings, {"rate_pairs_per_s": 251}),
        (LoadSettings, {"max_in_flight": 0}),
        (LoadSettings, {"rate": 1}),
        (GatePolicy, {"confidence": 1}),
        (GatePolicy, {"max_p95_ratio": 1.0}),
        (GatePolicy, {"max_error_ratio": 0}),
        (GatePolicy, {"min_samples": 99}),
        (GatePolicy, {"block_s": 0}),
        (GatePolicy, {"max_ks_distance": 1.0}),
        (GatePolicy, {"ignore_below_ms": "off"}),
    ],
)
def test_values_out_of_range_and_unknown_keys_are_refused_by_name(
    model: type[LoadSettings | GatePolicy], values: dict[str, Any]
) -> None:
    assert next(iter(values)) in refused(model, **values)


def test_a_profile_is_laid_over_the_table_key_by_key(tmp_path: Path) -> None:
    content = "[gate]\nblock_s = 10\nmin_samples = 300\n[profiles.quick.gate]\nblock_s = 2\n[profiles.same]\n"
    path = written(tmp_path / "release.toml", content)
    assert [read_gate_policy(path, profile).block_s for profile in (None, "quick", "same")] == [10, 2, 10]
    assert read_gate_policy(path, "quick").min_samples == 300
    assert read_load_settings(path, "quick") == LoadSettings()


@pytest.mark.parametrize("content", ["", "[profiles.quick.gate]\nblock_s = 2\n"])
def test_a_profile_that_there_is_not_is_named(tmp_path: Path, content: str) -> None:
    with pytest.raises(KeyError, match="slow"):
        read_gate_policy(written(tmp_path / "release.toml", content), "slow")


@pytest.mark.parametrize(
    "content", ["gate = 3", "gate = 3\n[profiles.quick.gate]\nblock_s = 2", "[gate]\n[profiles.quick]\ngate = 3"]
)
def test_what_stands_in_the_place_of_a_table_is_refused(tmp_path: Path, content: str) -> None:
    path = written(tmp_path / "release.toml", content + ("" if "profiles" in content else "\n[profiles.quick]"))
    with pytest.raises(ValidationError, match="GatePolicy"):
        read_gate_policy(path, "quick")


def test_a_file_that_is_no_utf_8_is_refused_as_no_toml(tmp_path: Path) -> None:
    path = tmp_path / "release.toml"
    path.write_bytes(b"[gate]\n# \xff\n")
    with pytest.raises(TOMLDecodeError, match="UTF-8"):
        read_gate_policy(path)


@pytest.mark.parametrize("profile", [None, "smoke", "standard", "soak", "demo", "demo-first"])
def test_what_is_shipped_leaves_a_run_enough_requests_and_blocks_to_be_judged(profile: str | None) -> None:
    path = REPOSITORY / "deployment" / "release.toml"
    settings, policy = read_load_settings(path, profile), read_gate_policy(path, profile)
    assert settings.duration_s / policy.block_s >= policy.min_blocks
    pairs = settings.rate_pairs_per_s * settings.duration_s
    assert pairs - 3 * pairs**0.5 >= policy.min_samples  # a Poisson process sends fewer once in a thousand runs


def test_every_limit_is_explained() -> None:
    explained = (REPOSITORY / "docs" / "gate.md").read_text(encoding="utf-8")
    assert not [name for name in LIMITS if f"`{name}`" not in explained]

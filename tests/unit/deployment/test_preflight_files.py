"""What preflight says of the files of a release that would begin now, one check at a time."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deployment.preflight import Standing, preflight
from tests.unit.deployment.preflight_scene import (
    IMAGE,
    Bench,
    FakeCloud,
    standing,
)

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("where", "name", "told"),
    [
        ("endpoint", "1diabetes", "endpoint '1diabetes' (9 characters)"),
        ("endpoint", "a" * 33, "(33 characters)"),
        ("deployment", "ab", "deployment 'ab' (2 characters)"),
        ("deployment", "blue--1", "deployment 'blue--1' (7 characters)"),
    ],
)
def test_a_name_that_the_platform_refuses_fails(bench: Bench, where: str, name: str, told: str) -> None:
    getattr(bench, where)["name"] = name
    standing(bench.all()["names"], Standing.FAIL, told, "3 to 32 characters", "rename it")


def test_the_name_that_the_environment_gives_the_endpoint_is_the_one_checked(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZUREML_ENDPOINT_NAME", "diabetes-staging")
    standing(bench.all()["names"], Standing.OK, "endpoint 'diabetes-staging'")
    name = f"{'a' * 25}-staging"
    monkeypatch.setenv("AZUREML_ENDPOINT_NAME", name)
    standing(bench.all()["names"], Standing.FAIL, f"endpoint {name!r} (33 characters)", "AZUREML_ENDPOINT_NAME")


def test_the_names_that_releases_deploy_under_are_checked_too(bench: Bench) -> None:
    standing(bench.all(names=("blue", "green_2"))["names"], Standing.FAIL, "deployment 'green_2' (7 characters)")


def test_a_release_needs_an_endpoint_with_keys(bench: Bench) -> None:
    bench.endpoint["auth_mode"] = "aad_token"
    standing(bench.all()["auth mode"], Standing.FAIL, "'aad_token'", "'key'", "auth_mode: key")


@pytest.mark.parametrize(
    ("probe", "key", "value", "told"),
    [
        ("liveness_probe", "initial_delay", 0, "liveness_probe.initial_delay 0 (at least 1)"),
        ("readiness_probe", "timeout", 0, "readiness_probe.timeout 0 (at least 1)"),
        ("readiness_probe", "failure_threshold", -1, "readiness_probe.failure_threshold -1 (at least 1)"),
        ("liveness_probe", "success_threshold", 2, "liveness_probe.success_threshold 2 (allowed is 1)"),
    ],
)
def test_a_probe_beyond_the_platforms_limits_fails(bench: Bench, probe: str, key: str, value: int, told: str) -> None:
    bench.deployment[probe][key] = value
    standing(bench.all()["probes"], Standing.FAIL, told, "deployment.yml")


def test_the_time_to_become_ready_is_told(bench: Bench) -> None:
    bench.deployment["readiness_probe"] |= {"initial_delay": 5, "period": 4, "failure_threshold": 7}
    standing(bench.all()["probes"], Standing.OK, "5 + 7 x 4 = 33 s")


@pytest.mark.parametrize("timeout_ms", [0, 180_001])
def test_a_request_timeout_beyond_the_platforms_limit_fails(bench: Bench, timeout_ms: int) -> None:
    bench.deployment["request_settings"]["request_timeout_ms"] = timeout_ms
    standing(bench.all()["request timeout"], Standing.FAIL, str(timeout_ms), "180000", "request_timeout_ms in")


@pytest.mark.parametrize("settings", [{}, {"max_concurrent_requests_per_instance": 1}])
def test_the_platforms_default_of_one_request_at_once_is_warned_of(bench: Bench, settings: dict[str, int]) -> None:
    bench.deployment |= {"request_settings": settings, "instance_count": 3}
    standing(bench.all()["concurrency"], Standing.WARN, "429 above 2 x 1 x 3 = 6", "default")


def test_no_request_at_once_fails(bench: Bench) -> None:
    bench.deployment["request_settings"]["max_concurrent_requests_per_instance"] = 0
    standing(bench.all()["concurrency"], Standing.FAIL, "is 0", "at least 1")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"instance_count": "many"}, "instance_count: Input should be a valid integer"),
        ({"request_settings": None}, "request_settings"),
        ({"instance_type": None}, "instance_type"),
    ],
)
def test_a_file_that_cannot_be_used_fails_the_rows_that_need_it(
    bench: Bench, change: dict[str, Any], told: str
) -> None:
    bench.deployment |= change
    checks = bench.all()
    failed = {name for name, check in checks.items() if check.standing is not Standing.OK}
    assert failed == {"names", "probes", "request timeout", "concurrency", "instances", "core quota"}
    for name in failed:
        standing(checks[name], Standing.FAIL, "deployment.yml", told, "mend that file")


def test_a_file_that_is_not_there_is_named(bench: Bench, tmp_path: Path) -> None:
    cloud = FakeCloud()
    bench.all(cloud)
    checks = preflight(
        replace(cloud),
        image=IMAGE,
        endpoint_file=tmp_path / "absent.yml",
        deployment_file=tmp_path / "deployment.yml",
        deployment_names=("blue", "green"),
        observe=cloud.observe,
        has_image=cloud.has_image,
    )
    failed = [each for each in checks if each.standing is Standing.FAIL]
    assert [each.name for each in failed] == ["names", "auth mode"]
    assert all("absent.yml: it cannot be read" in each.found for each in failed)

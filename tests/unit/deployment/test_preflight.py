"""What preflight says of a release that would begin now, one check at a time."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # it ships no type information

from deployment.cloud import Identity, Registry, Size, Usage, WorkspaceFacts
from deployment.outcomes import PlatformError
from deployment.phases import Phase
from deployment.platform import Deployment, Endpoint
from deployment.preflight import Check, Standing, preflight
from deployment.registry import ImageReference
from tests.lib.release_fakes import make_record

pytestmark = pytest.mark.unit
SHIPPED = Path(__file__).parents[3] / "deployment"
DIGEST = "sha256:" + "0" * 64
IMAGE = f"own.azurecr.io/diabetes@{DIGEST}"
ELSEWHERE = f"other.azurecr.io/diabetes@{DIGEST}"
SIZES = [Size("Standard_DS3_v2", "standardDSv2Family", 4), Size("Standard_F2s_v2", "standardFSv2Family", 2)]
REGISTRY_IDS = {
    "own.azurecr.io": "/subscriptions/s/resourceGroups/r/providers/Microsoft.ContainerRegistry/registries/own",
    "other.azurecr.io": "/subscriptions/s/resourceGroups/r/providers/Microsoft.ContainerRegistry/registries/other",
}
ROWS = [
    "names",
    "auth mode",
    "probes",
    "request timeout",
    "concurrency",
    "instances",
    "core quota",
    "image digest",
    "image exists",
    "AcrPull",
    "live deployment",
]


def quota(name: str, taken: int, limit: int | None) -> Usage:
    kind = "totalDedicatedCores" if name == "TotalDedicatedCores" else "vmFamily/dedicatedCores"
    return Usage(f"Microsoft.MachineLearningServices/{kind}/usages", name, name, taken, limit)


def deployment(
    name: str, state: str = "Succeeded", instance_type: str = "Standard_DS3_v2", count: int = 1
) -> Deployment:
    return Deployment(name, state, instance_type, count, {})


def an_endpoint(traffic: Mapping[str, int], *deployments: Deployment) -> Endpoint:
    return Endpoint("diabetes", "http://127.0.0.1:9/score", traffic, {}, {each.name: each for each in deployments})


@dataclass
class FakeCloud:
    """A Cloud as it is told to be; each name in `broken` raises instead."""

    identified: Identity | None = field(default_factory=lambda: Identity("principal-1"))
    grants: Sequence[tuple[str, str]] = ()
    quotas: Sequence[Usage] = (quota("standardDSv2Family", 8, 100), quota("TotalDedicatedCores", 20, 200))
    endpoint: Endpoint | None = field(default_factory=lambda: an_endpoint({"blue": 100}, deployment("blue")))
    images: Sequence[str] = (IMAGE, ELSEWHERE)
    broken: Sequence[str] = ()
    calls: Counter[str] = field(default_factory=Counter)

    def called(self, name: str) -> None:
        self.calls[name] += 1
        if name in self.broken:
            raise PlatformError(f"{name}: the caller may not (AuthorizationFailed)")

    def workspace(self) -> WorkspaceFacts:
        self.called("workspace")
        return WorkspaceFacts("westeurope", REGISTRY_IDS["own.azurecr.io"].upper())

    def registries(self) -> Mapping[str, Registry]:
        self.called("registries")
        return {host: Registry(arm_id, host) for host, arm_id in REGISTRY_IDS.items()}

    def identity(self) -> Identity | None:
        self.called("identity")
        return self.identified

    def may_pull(self, principal_id: str, registry_id: str) -> bool:
        self.called("may_pull")
        return (principal_id, registry_id) in self.grants

    def usages(self) -> Sequence[Usage]:
        self.called("usages")
        return self.quotas

    def sizes(self) -> Mapping[str, Size]:
        self.called("sizes")
        return {each.name.lower(): each for each in SIZES}

    def observe(self) -> Endpoint | None:
        self.called("observe")
        return self.endpoint

    def has_image(self, reference: ImageReference) -> bool:
        self.called("has_image")
        return f"{reference.host}/{reference.repository}@{reference.digest}" in self.images


@dataclass
class Bench:
    """The two files, and a preflight over them."""

    folder: Path

    def __post_init__(self) -> None:
        self.endpoint: dict[str, Any] = yaml.safe_load((SHIPPED / "endpoint.yml").read_text())
        self.deployment: dict[str, Any] = yaml.safe_load((SHIPPED / "deployment.yml").read_text())

    def all(
        self,
        cloud: FakeCloud | None = None,
        *,
        image: str = IMAGE,
        names: Sequence[str] = ("blue", "green"),
        release_id: str = "r-3",
    ) -> dict[str, Check]:
        cloud = cloud or FakeCloud()
        endpoint_file, deployment_file = self.folder / "endpoint.yml", self.folder / "deployment.yml"
        endpoint_file.write_text(yaml.safe_dump(self.endpoint))
        deployment_file.write_text(yaml.safe_dump(self.deployment))
        checks = preflight(
            cloud,
            image=image,
            endpoint_file=endpoint_file,
            deployment_file=deployment_file,
            deployment_names=names,
            observe=cloud.observe,
            has_image=cloud.has_image,
            release_id=release_id,
        )
        assert [each.name for each in checks] == ROWS
        for each in checks:
            assert each.found
            assert bool(each.fix) is (each.standing is not Standing.OK)
        return {each.name: each for each in checks}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def standing(check: Check, expected: Standing, *told: str) -> None:
    """Assert what a check says; each text stands in what it found or in its fix."""
    assert check.standing is expected, check
    for text in told:
        assert text in f"{check.found} | {check.fix}"


def test_all_is_well_with_the_files_of_this_repository(bench: Bench) -> None:
    checks = bench.all()
    assert {each.standing for each in checks.values()} == {Standing.OK}


def test_azure_is_asked_once_for_each_thing(bench: Bench) -> None:
    for broken in ((), ("workspace", "registries", "identity", "usages", "sizes", "observe", "has_image")):
        cloud = FakeCloud(broken=broken)
        bench.all(cloud, image=ELSEWHERE)
        assert set(cloud.calls.values()) == {1}


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


def test_a_size_that_the_region_does_not_have_fails_and_its_quota_cannot_be_told(bench: Bench) -> None:
    bench.deployment["instance_type"] = "Standard_Nothing_v9"
    checks = bench.all()
    standing(
        checks["instances"], Standing.FAIL, "'Standard_Nothing_v9'", "westeurope", "Standard_DS3_v2, Standard_F2s_v2"
    )
    standing(checks["core quota"], Standing.WARN, "'Standard_Nothing_v9' are not known")


def test_a_size_is_found_in_any_case(bench: Bench) -> None:
    bench.deployment["instance_type"] = "STANDARD_DS3_V2"
    standing(bench.all()["instances"], Standing.OK, "1 x Standard_DS3_v2 (4 cores, standardDSv2Family)")


@pytest.mark.parametrize("count", [0, 51])
def test_more_instances_than_a_deployment_may_have_fail(bench: Bench, count: int) -> None:
    bench.deployment["instance_count"] = count
    standing(bench.all()["instances"], Standing.FAIL, f"instance_count is {count}", "1 to 50")


def test_the_arithmetic_of_the_quota_is_told(bench: Bench) -> None:
    bench.deployment["instance_count"] = 2
    standing(
        bench.all()["core quota"],
        Standing.OK,
        "2 x Standard_DS3_v2 takes ceil(1.2 x 2) x 4 = 12 cores",
        "standardDSv2Family in westeurope: 100 - 8 taken = 92 left",
        "TotalDedicatedCores in westeurope: 200 - 20 taken = 180 left",
    )


@pytest.mark.parametrize(
    "quotas",
    [
        [quota("standardDSv2Family", 93, 100), quota("TotalDedicatedCores", 93, 200)],
        [quota("standardDSv2Family", 8, 100), quota("TotalDedicatedCores", 193, 200)],
        [quota("standardDSv2Family", 8, None), quota("TotalDedicatedCores", 193, 200)],
        [quota("standardDSv2Family", 0, 0)],
    ],
    ids=["family", "region", "region alone", "none at all"],
)
def test_too_little_quota_of_family_or_region_fails(bench: Bench, quotas: list[Usage]) -> None:
    check = bench.all(FakeCloud(quotas=quotas))["core quota"]
    standing(check, Standing.FAIL, "= 8 cores", "taken", "ask for more quota of standardDSv2Family")


def test_what_the_candidates_predecessor_takes_is_given_back(bench: Bench) -> None:
    endpoint = an_endpoint({"blue": 100}, deployment("blue"), deployment("green", count=2))
    quotas = [quota("standardDSv2Family", 20, 20), quota("TotalDedicatedCores", 100, 110)]
    check = bench.all(FakeCloud(endpoint=endpoint, quotas=quotas))["core quota"]
    standing(
        check, Standing.OK, "20 - 20 taken + 12 that green gives back = 12 left", "+ 12 that green gives back = 22 left"
    )


def test_a_predecessor_of_another_family_gives_back_cores_of_the_region_alone(bench: Bench) -> None:
    endpoint = an_endpoint({"blue": 100}, deployment("blue"), deployment("green", instance_type="Standard_F2s_v2"))
    quotas = [quota("standardDSv2Family", 20, 20), quota("TotalDedicatedCores", 100, 110)]
    check = bench.all(FakeCloud(endpoint=endpoint, quotas=quotas))["core quota"]
    standing(check, Standing.FAIL, "20 - 20 taken = 0 left", "110 - 100 taken + 4 that green gives back = 14 left")


def test_who_serves_gives_nothing_back(bench: Bench) -> None:
    endpoint = an_endpoint({"green": 100}, deployment("green", count=5))
    standing(bench.all(FakeCloud(endpoint=endpoint))["core quota"], Standing.OK, "100 - 8 taken = 92 left")


def test_quota_that_is_not_listed_is_warned_of(bench: Bench) -> None:
    check = bench.all(FakeCloud(quotas=[quota("standardNCFamily", 0, 24)]))["core quota"]
    standing(check, Standing.WARN, "= 8 cores", "no quota of standardDSv2Family")


@pytest.mark.parametrize("image", ["own.azurecr.io/diabetes:1", "diabetes@sha256:12", ""])
def test_an_image_by_tag_fails_and_the_rest_of_it_is_not_checked(bench: Bench, image: str) -> None:
    checks = bench.all(image=image)
    standing(checks["image digest"], Standing.FAIL, repr(image), "64 hex digits")
    for name in ("image exists", "AcrPull"):
        standing(checks[name], Standing.WARN, "not checked")


def test_an_image_that_its_registry_does_not_have_fails(bench: Bench) -> None:
    check = bench.all(FakeCloud(images=()))["image exists"]
    standing(check, Standing.FAIL, f"own.azurecr.io has no diabetes@{DIGEST}", "push the image first")


def test_an_image_without_a_registry_is_one_that_an_emulator_alone_has(bench: Bench) -> None:
    checks = bench.all(image=f"diabetes@{DIGEST}")
    standing(checks["image digest"], Standing.OK)
    for name in ("image exists", "AcrPull"):
        standing(checks[name], Standing.WARN, "not checked", "names no registry", "azurecr.io/NAME@sha256")


@pytest.mark.parametrize("identity", [None, Identity("principal-1")])
def test_the_own_registry_needs_no_grant(bench: Bench, identity: Identity | None) -> None:
    cloud = FakeCloud(identified=identity)
    standing(bench.all(cloud)["AcrPull"], Standing.OK, "workspace's own registry", "AcrPull by itself")
    assert cloud.calls["may_pull"] == 0


def test_an_identity_that_was_given_needs_a_grant_on_the_own_registry_too(bench: Bench) -> None:
    cloud = FakeCloud(identified=Identity(users=("user-1", "user-2")))
    standing(bench.all(cloud)["AcrPull"], Standing.FAIL, "user-1 or user-2 has no AcrPull on own.azurecr.io")
    cloud.grants = [("user-2", REGISTRY_IDS["own.azurecr.io"])]
    standing(bench.all(cloud)["AcrPull"], Standing.OK, "user-2 may pull")


def test_another_registry_needs_a_grant_of_which_the_command_is_told(bench: Bench) -> None:
    registry_id = REGISTRY_IDS["other.azurecr.io"]
    standing(
        bench.all(image=ELSEWHERE)["AcrPull"],
        Standing.FAIL,
        "principal-1 has no AcrPull on other.azurecr.io",
        "az role assignment create --role AcrPull --assignee-object-id principal-1"
        f" --assignee-principal-type ServicePrincipal --scope {registry_id}",
        "five minutes",
    )
    granted = FakeCloud(grants=[("principal-1", registry_id)])
    standing(bench.all(granted, image=ELSEWHERE)["AcrPull"], Standing.OK, "principal-1 may pull from other.azurecr.io")


def test_another_registry_is_warned_of_while_there_is_no_endpoint_to_grant_to(bench: Bench) -> None:
    check = bench.all(FakeCloud(identified=None, endpoint=None), image=ELSEWHERE)["AcrPull"]
    standing(check, Standing.WARN, "does not exist yet", "az ml online-endpoint create", "five minutes")


def test_an_endpoint_without_an_identity_fails(bench: Bench) -> None:
    check = bench.all(FakeCloud(identified=Identity()), image=ELSEWHERE)["AcrPull"]
    standing(check, Standing.FAIL, "no identity", "system-assigned")


def test_a_registry_that_the_subscription_does_not_have_fails(bench: Bench) -> None:
    check = bench.all(image=f"ghcr.example/diabetes@{DIGEST}")["AcrPull"]
    standing(
        check, Standing.FAIL, "ghcr.example", "other.azurecr.io, own.azurecr.io", "no other private registry", "push"
    )


@pytest.mark.parametrize("endpoint", [None, an_endpoint({})])
def test_a_first_release_needs_nobody_who_serves(bench: Bench, endpoint: Endpoint | None) -> None:
    standing(bench.all(FakeCloud(endpoint=endpoint))["live deployment"], Standing.OK)


def test_who_serves_has_to_be_healthy(bench: Bench) -> None:
    endpoint = an_endpoint({"blue": 100}, deployment("blue", "Failed"))
    check = bench.all(FakeCloud(endpoint=endpoint))["live deployment"]
    standing(check, Standing.FAIL, "blue serves diabetes and is 'Failed'", "'Succeeded'", "get-logs")


def test_traffic_that_is_split_already_fails(bench: Bench) -> None:
    endpoint = an_endpoint({"blue": 90, "green": 10}, deployment("blue"), deployment("green"))
    check = bench.all(FakeCloud(endpoint=endpoint))["live deployment"]
    standing(check, Standing.FAIL, "blue 90 %, green 10 %", "rollback --to")


def test_another_release_that_is_under_way_fails_and_the_same_one_goes_on(bench: Bench) -> None:
    held = replace(an_endpoint({"blue": 100}, deployment("blue")), tags=make_record(Phase.OBSERVED).to_tags())
    check = bench.all(FakeCloud(endpoint=held))["live deployment"]
    standing(check, Standing.FAIL, "release r-2 is under way (observed since", "resume` goes on with it")
    check = bench.all(FakeCloud(endpoint=held), release_id="r-2")["live deployment"]
    standing(check, Standing.OK, "release r-2 is under way on diabetes and goes on (observed)")


@pytest.mark.parametrize(
    ("broken", "rows"),
    [
        ("workspace", {"instances", "core quota", "AcrPull"}),
        ("registries", {"AcrPull"}),
        ("identity", {"AcrPull"}),
        ("may_pull", {"AcrPull"}),
        ("usages", {"core quota"}),
        ("sizes", {"instances", "core quota"}),
        ("observe", {"core quota", "live deployment"}),
        ("has_image", {"image exists"}),
    ],
)
def test_what_azure_refuses_to_tell_is_named_in_its_rows_and_hides_no_other(
    bench: Bench, broken: str, rows: set[str]
) -> None:
    cloud = FakeCloud(broken=[broken], grants=[("principal-1", REGISTRY_IDS["other.azurecr.io"])])
    checks = bench.all(cloud, image=ELSEWHERE)
    assert {name for name, check in checks.items() if check.standing is not Standing.OK} == rows
    for row in rows:
        expected = Standing.FAIL if row == "live deployment" else Standing.WARN
        standing(checks[row], expected, f"not checked: {broken}: the caller may not (AuthorizationFailed)")


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

"""What preflight says of the Azure around a release that would begin now, one check at a time."""

from dataclasses import replace

import pytest

from deployment.cloud import Identity, Usage
from deployment.phases import Phase
from deployment.platform import Endpoint
from deployment.preflight import Standing
from tests.lib.release_fakes import make_record
from tests.unit.deployment.preflight_scene import (
    DIGEST,
    ELSEWHERE,
    REGISTRY_IDS,
    Bench,
    FakeCloud,
    an_endpoint,
    deployment,
    quota,
    standing,
)

pytestmark = pytest.mark.unit


def test_all_is_well_with_the_files_of_this_repository(bench: Bench) -> None:
    checks = bench.all()
    assert {each.standing for each in checks.values()} == {Standing.OK}


def test_azure_is_asked_once_for_each_thing(bench: Bench) -> None:
    for broken in ((), ("workspace", "registries", "identity", "usages", "sizes", "observe", "has_image")):
        cloud = FakeCloud(broken=broken)
        bench.all(cloud, image=ELSEWHERE)
        assert set(cloud.calls.values()) == {1}


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
    standing(
        check,
        Standing.WARN,
        "does not exist yet",
        "az ml online-endpoint create --name diabetes --file",
        "five minutes",
    )


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


@pytest.mark.parametrize("state", ["Scaling", "Updating"])
def test_who_serves_and_is_being_scaled_is_warned_of(bench: Bench, state: str) -> None:
    endpoint = an_endpoint({"blue": 100}, deployment("blue", state))
    check = bench.all(FakeCloud(endpoint=endpoint))["live deployment"]
    standing(check, Standing.WARN, f"blue serves diabetes and is '{state}'", "wait until it is 'Succeeded'")


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

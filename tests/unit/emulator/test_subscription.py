"""Quota, sizes of machine, and the limits of tags."""

from dataclasses import replace

import httpx
import pytest

from deployment.emulator.skus import SIZES
from tests.lib.emulator_fakes import WANTED_DEPLOYMENT, Bench
from tests.unit.emulator.subscription_client import (
    FOREIGN,
    GRANT,
    LOCATION,
    OWN,
    REGISTRIES,
    ROLES,
    WORKSPACE,
    listed,
    with_client,
)

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "path", [f"{LOCATION}/usages", f"{LOCATION}/vmSizes", REGISTRIES, OWN + ROLES, f"{OWN}{ROLES}/{GRANT}"]
)
def test_each_of_these_calls_needs_a_bearer_token(path: str) -> None:
    async def test(client: httpx.AsyncClient, _: Bench) -> None:
        method = "PUT" if path.endswith(GRANT) else "GET"
        answer = await client.request(method, path, headers={"authorization": "Bearer x"})
        assert answer.status_code == 401

    with_client(test)


def test_a_fault_strikes_these_calls_too() -> None:
    async def test(client: httpx.AsyncClient, _: Bench) -> None:
        for call, resource, path in (
            ("usages.list", "", f"{LOCATION}/usages"),
            ("sizes.list", "", f"{LOCATION}/vmSizes"),
            ("registries.list", "", REGISTRIES),
            ("roleAssignments.list", "other", FOREIGN + ROLES),
        ):
            effect = {"kind": "refuse", "status": 403}
            fault = {"plane": "control", "call": call, "effect": effect, "resource": resource or None}
            assert (await client.post("/_emulator/faults", json=fault)).status_code == 201
            assert (await client.get(path)).status_code == 403
            assert (await client.get(path)).status_code == 200

    with_client(test)


def test_the_cores_that_deployments_take_are_listed_for_the_region_and_each_family() -> None:
    async def test(client: httpx.AsyncClient, bench: Bench) -> None:
        names = {"TotalDedicatedCores", "standardDSv2Family", "standardFSv2Family", "standardESv3Family"}
        before = await listed(client, f"{LOCATION}/usages")
        assert {each["name"]["value"]: (each["currentValue"], each["limit"]) for each in before} == dict.fromkeys(
            names, (0, 40)
        )
        await bench.with_colours(blue=0)
        bench.deployments.put(replace(WANTED_DEPLOYMENT, name="green", instance_count=5))
        await bench.operations.settle()
        # ceil(1.2 x 1) x 4 and ceil(1.2 x 5) x 4.
        assert {each["currentValue"] for each in await listed(client, f"{LOCATION}/usages")} == {8 + 24}
        bench.deployments.delete("diabetes", "green")
        await bench.operations.settle()
        assert {each["currentValue"] for each in await listed(client, f"{LOCATION}/usages")} == {8}

    with_client(test, core_quota=40)


def test_without_a_quota_there_is_no_limit() -> None:
    async def test(client: httpx.AsyncClient, _: Bench) -> None:
        assert {each["limit"] for each in await listed(client, f"{LOCATION}/usages")} == {-1}

    with_client(test)


def test_every_size_that_deploys_is_listed_with_its_family() -> None:
    async def test(client: httpx.AsyncClient, _: Bench) -> None:
        sizes = {each["name"]: each for each in await listed(client, f"{LOCATION}/vmSizes")}
        assert list(sizes) == [each.name for each in SIZES]
        found = sizes["Standard_F8s_v2"]
        assert (found["family"], found["vCPUs"], found["memoryGB"]) == ("standardFSv2Family", 8, 16)
        families = {each["name"]["value"] for each in await listed(client, f"{LOCATION}/usages")}
        assert {each["family"] for each in sizes.values()} <= families

    with_client(test)


def test_another_location_is_refused() -> None:
    async def test(client: httpx.AsyncClient, _: Bench) -> None:
        for what in ("usages", "vmSizes"):
            answer = await client.get(f"{LOCATION}x/{what}")
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "LocationNotAvailableForResourceType")

    with_client(test)


@pytest.mark.parametrize("kind", ["endpoint", "deployment"])
def test_more_tags_than_azure_takes_are_400(kind: str) -> None:
    many = {str(number): "" for number in range(51)}

    async def test(client: httpx.AsyncClient, bench: Bench) -> None:
        await bench.with_colours()
        endpoint = f"{WORKSPACE.arm_id}/onlineEndpoints/diabetes"
        environment = f"{WORKSPACE.arm_id}/environments/env/versions/1"
        deployment = {"environmentId": environment, "instanceType": "Standard_DS3_v2"}
        path, properties = {
            "endpoint": (endpoint, {"authMode": "Key"}),
            "deployment": (f"{endpoint}/deployments/blue", deployment),
        }[kind]
        answer = await client.put(path, json={"properties": properties, "tags": many})
        assert answer.status_code == 400
        assert "51 vs 50" in answer.json()["error"]["message"]
        assert bench.store.deployments("diabetes") == []
        kept = bench.store.endpoint("diabetes")
        assert kept is not None
        assert kept.tags == {}

    with_client(test)

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from deployment.emulator.control_plane import ControlPlane
from deployment.emulator.documents import Documents
from deployment.emulator.entities import Endpoint, OperationStatus, Workspace
from deployment.emulator.provisioning import State
from deployment.emulator.registries import ACR_PULL, Registries, RegistryNameError
from deployment.emulator.skus import SIZES
from tests.lib.emulator_fakes import WANTED_DEPLOYMENT, WANTED_ENDPOINT, Bench, an_environment, run

pytestmark = pytest.mark.unit
URL = "https://127.0.0.1:1"
WORKSPACE = Workspace()
LOCATION = WORKSPACE.location_id
SUBSCRIPTION = f"/subscriptions/{WORKSPACE.subscription_id}"
REGISTRIES = f"{SUBSCRIPTION}/providers/Microsoft.ContainerRegistry/registries"
OWN = f"{WORKSPACE.group_id}/providers/Microsoft.ContainerRegistry/registries/local"
FOREIGN = f"{WORKSPACE.group_id}/providers/Microsoft.ContainerRegistry/registries/other"
ROLES = "/providers/Microsoft.Authorization/roleAssignments"
GRANT = "22222222-2222-2222-2222-222222222222"
PULL_ROLE = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{ACR_PULL}"
PUSH_ROLE = PULL_ROLE.replace(ACR_PULL, "8311e382-0749-4cb8-b61a-304f252e45ec")
IN_FOREIGN = "other.azurecr.io/tiny@sha256:" + "1" * 64
IN_OWN = "local.azurecr.io/tiny@sha256:" + "1" * 64
Test = Callable[[httpx.AsyncClient, Bench], Awaitable[None]]


def with_client(test: Test, *, core_quota: int | None = None) -> None:
    async def main() -> None:
        bench = Bench(core_quota=core_quota, foreign_registries=("other.azurecr.io",))
        app = ControlPlane(bench.backend, Documents(WORKSPACE, URL, "http://127.0.0.1:2")).app()
        headers = {"authorization": f"Bearer {bench.tokens.issue(URL).value}"}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=URL, headers=headers, trust_env=False) as client:
            await test(client, bench)
        await bench.close()

    run(main())


async def listed(client: httpx.AsyncClient, path: str, **query: str) -> list[dict[str, Any]]:
    answer = await client.get(path, params={"api-version": "2025-12-01", **query})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["value"])


async def principal_of(client: httpx.AsyncClient) -> str:
    return str((await client.get(f"{WORKSPACE.arm_id}/onlineEndpoints/diabetes")).json()["identity"]["principalId"])


async def grant(client: httpx.AsyncClient, principal: str, role: str = PULL_ROLE, name: str = GRANT) -> httpx.Response:
    body = {"properties": {"roleDefinitionId": role, "principalId": principal}}
    return await client.put(f"{FOREIGN}{ROLES}/{name}", json=body)


async def deployed(bench: Bench, image: str) -> tuple[str, str]:
    """Deploy an image and answer how that ended: the deployment's state, and what the operation says."""
    bench.store.environments.save(an_environment(image, name="pulled"))
    bench.deployments.put(replace(WANTED_DEPLOYMENT, environment_name="pulled"))
    (operation,) = [each for each in bench.store.operations() if each.status is OperationStatus.IN_PROGRESS]
    await bench.operations.settle()
    ended = bench.operations.get(operation.id)
    return bench.deployments.get("diabetes", "blue").state, f"{ended.error_code}: {ended.error_message}"


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


def test_the_workspace_names_its_own_registry_and_the_subscription_lists_all() -> None:
    async def test(client: httpx.AsyncClient, _: Bench) -> None:
        workspace = (await client.get(WORKSPACE.arm_id)).json()
        found = {each["id"]: each["properties"]["loginServer"] for each in await listed(client, REGISTRIES)}
        assert found == {OWN: "local.azurecr.io", FOREIGN: "other.azurecr.io"}
        assert workspace["properties"]["containerRegistry"] == OWN

    with_client(test)


def test_the_own_registry_has_the_host_that_is_given() -> None:
    bench = Bench()
    registries = Registries(bench.store, WORKSPACE, "127.0.0.1:5000", ["127.0.0.1:5000", "a.azurecr.io"])
    assert [(each.name, each.login_server) for each in registries.all()] == [
        ("local", "127.0.0.1:5000"),
        ("a", "a.azurecr.io"),
    ]


def test_two_registries_never_have_one_name() -> None:
    with pytest.raises(RegistryNameError, match=r"a-b\.azurecr\.io"):
        Registries(Bench().store, WORKSPACE, None, ["ab.azurecr.io", "a-b.azurecr.io"])


def test_the_platform_lets_an_endpoint_pull_from_the_own_registry_and_from_no_other() -> None:
    async def test(client: httpx.AsyncClient, bench: Bench) -> None:
        assert await listed(client, OWN + ROLES) == []
        await bench.with_colours()
        principal = await principal_of(client)
        (automatic,) = await listed(client, OWN + ROLES)
        assert automatic["properties"]["principalId"] == principal
        assert automatic["properties"]["roleDefinitionId"] == PULL_ROLE
        assert automatic["properties"]["scope"] == OWN
        assert await listed(client, FOREIGN + ROLES) == []

    with_client(test)


@pytest.mark.parametrize("condition", ["assignedTo('{}')", "principalId eq '{}'", "atScope() and assignedTo('{}')"])
def test_role_assignments_are_listed_by_principal(condition: str) -> None:
    async def test(client: httpx.AsyncClient, _: Bench) -> None:
        other = GRANT.replace("2", "3")
        assert (await grant(client, GRANT)).status_code == 201
        assert (await grant(client, other, name=other)).status_code == 201
        (found,) = await listed(client, FOREIGN + ROLES, **{"$filter": condition.format(other)})
        assert found["name"] == other
        assert len(await listed(client, FOREIGN + ROLES, **{"$filter": "atScope()"})) == 2

    with_client(test)


def test_a_role_is_granted_once() -> None:
    async def test(client: httpx.AsyncClient, _: Bench) -> None:
        assert (await grant(client, GRANT)).status_code == 201
        assert (await grant(client, GRANT)).status_code == 200
        again = await grant(client, GRANT, name=GRANT.replace("2", "3"))
        assert (again.status_code, again.json()["error"]["code"]) == (409, "RoleAssignmentExists")
        changed = await grant(client, GRANT, PUSH_ROLE)
        assert (changed.status_code, changed.json()["error"]["code"]) == (409, "RoleAssignmentUpdateNotPermitted")

    with_client(test)


def test_what_is_no_role_assignment_is_refused() -> None:
    async def test(client: httpx.AsyncClient, _: Bench) -> None:
        assert (await grant(client, "nobody")).status_code == 400
        assert (await grant(client, GRANT, "/roleDefinitions/AcrPull")).status_code == 400
        assert (await grant(client, GRANT, name="first")).status_code == 400
        assert (await client.get(FOREIGN + "x" + ROLES)).status_code == 404
        unknown = await client.get(FOREIGN + ROLES, params={"$filter": "createdOn gt 1"})
        assert unknown.status_code == 501
        assert await listed(client, FOREIGN + ROLES) == []

    with_client(test)


def test_an_image_of_a_foreign_registry_needs_a_role_that_lets_the_endpoint_pull() -> None:
    async def test(client: httpx.AsyncClient, bench: Bench) -> None:
        await bench.with_colours()
        principal = await principal_of(client)
        for role, name in (("", ""), (PUSH_ROLE, GRANT)):
            if role:
                await grant(client, principal, role, name)
            state, told = await deployed(bench, IN_FOREIGN)
            assert state is State.CREATION_FAILED
            assert told.startswith(f"BadArgument: Unable to download user container image '{IN_FOREIGN}'")
            assert "401 UNAUTHORIZED" in told
            log = await bench.deployments.logs("diabetes", "blue", inference_server=True, tail=10)
            assert "UserContainerImagePull: Failed" in log
            assert "Name: ImagePullFailed" in log
            bench.deployments.delete("diabetes", "blue")
            await bench.operations.settle()
        await grant(client, principal, name=GRANT.replace("2", "3"))
        assert (await deployed(bench, IN_FOREIGN))[0] is State.SUCCEEDED

    with_client(test)


@pytest.mark.parametrize("image", [IN_OWN, "image", "elsewhere.example/tiny:1"])
def test_other_images_need_no_role(image: str) -> None:
    async def test(_: httpx.AsyncClient, bench: Bench) -> None:
        await bench.with_colours()
        assert (await deployed(bench, image))[0] is State.SUCCEEDED

    with_client(test)


def test_an_identity_that_somebody_gave_the_endpoint_gets_no_role_by_itself() -> None:
    async def test(client: httpx.AsyncClient, bench: Bench) -> None:
        bench.endpoints.put(replace(WANTED_ENDPOINT, identity_type="UserAssigned", identity_ids=("/id/mine",)))
        await bench.operations.settle()
        assert await listed(client, OWN + ROLES) == []
        assert (await deployed(bench, IN_OWN))[0] is State.CREATION_FAILED
        bench.deployments.delete("diabetes", "blue")
        await bench.operations.settle()
        shown = (await client.get(f"{WORKSPACE.arm_id}/onlineEndpoints/diabetes")).json()["identity"]
        await grant(client, shown["userAssignedIdentities"]["/id/mine"]["principalId"])
        assert (await deployed(bench, IN_FOREIGN))[0] is State.SUCCEEDED

    with_client(test)


def test_a_grant_is_there_after_a_restart(tmp_path: Path) -> None:
    async def test() -> None:
        for number in range(2):
            bench = Bench(folder=tmp_path, foreign_registries=("other.azurecr.io",))
            app = ControlPlane(bench.backend, Documents(WORKSPACE, URL, "http://127.0.0.1:2")).app()
            headers = {"authorization": f"Bearer {bench.tokens.issue(URL).value}"}
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url=URL, headers=headers, trust_env=False) as client:
                assert (await grant(client, GRANT)).status_code == (200 if number else 201)
                assert len(await listed(client, FOREIGN + ROLES)) == 1
            await bench.close()

    run(test())


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
        kept: Endpoint | None = bench.store.endpoint("diabetes")
        assert kept is not None
        assert kept.tags == {}

    with_client(test)

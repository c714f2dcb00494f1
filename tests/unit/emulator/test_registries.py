"""The subscription's registries, and who may pull from them."""

from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from deployment.emulator.control_plane import ControlPlane
from deployment.emulator.documents import Documents
from deployment.emulator.entities import OperationStatus
from deployment.emulator.provisioning import State
from deployment.emulator.registries import Registries, RegistryNameError
from tests.lib.emulator_fakes import WANTED_DEPLOYMENT, WANTED_ENDPOINT, Bench, an_environment, run
from tests.unit.emulator.subscription_client import (
    FOREIGN,
    GRANT,
    IN_FOREIGN,
    IN_OWN,
    OWN,
    PULL_ROLE,
    PUSH_ROLE,
    REGISTRIES,
    ROLES,
    URL,
    WORKSPACE,
    listed,
    with_client,
)

pytestmark = pytest.mark.unit


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

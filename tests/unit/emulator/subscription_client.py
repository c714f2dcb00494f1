"""A client of a control plane in memory, with a foreign registry."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from deployment.emulator.control_plane import ControlPlane
from deployment.emulator.documents import Documents
from deployment.emulator.entities import Workspace
from deployment.emulator.registries import ACR_PULL
from tests.lib.emulator_fakes import Bench, run

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

"""Autoscale settings: put, checked, returned and deleted; nothing else of Microsoft.Insights is answered."""

from typing import Any

import httpx
import pytest

from deployment.autoscale import setting_of
from deployment.emulator.entities import Workspace
from deployment.settings import AutoscaleSettings
from tests.lib.emulator_fakes import Bench
from tests.unit.emulator.subscription_client import with_client

pytestmark = pytest.mark.unit

WORKSPACE = Workspace()
SETTINGS = f"{WORKSPACE.group_id}/providers/Microsoft.Insights/autoscaleSettings"
BLUE = f"{WORKSPACE.arm_id}/onlineEndpoints/diabetes/deployments/blue"


def wanted(target: str = BLUE, **changes: Any) -> dict[str, Any]:
    document = setting_of("s", target, "local", AutoscaleSettings())
    (profile,) = document["properties"]["profiles"]
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = profile
        for each in parents:
            place = place[int(each[1:])] if each.startswith("_") else place[each]
        place[last] = value
    return document


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_a_setting_is_put_listed_returned_and_deleted_by_either_spelling_of_its_path() -> None:
    async def test(client: httpx.AsyncClient, bench: Bench) -> None:
        await bench.with_colours(blue=100)
        one = f"{SETTINGS}/one"
        assert (await client.put(one, json=wanted())).status_code == 201
        again = await client.put(one, json=wanted(capacity__maximum="9"))
        assert again.status_code == 200
        kept = (await client.get(one.replace("resourceGroups", "resourcegroups").replace("scaleS", "scales"))).json()
        assert kept == again.json()
        assert kept["properties"] == wanted(capacity__maximum="9")["properties"]
        assert (kept["name"], kept["tags"]) == ("one", wanted()["tags"])
        assert (await client.get(SETTINGS)).json() == {"value": [kept]}
        assert (await client.delete(one)).status_code == 200
        assert (await client.delete(one)).status_code == 204
        assert refusal(await client.get(one)) == (404, "ResourceNotFound")

    with_client(test)


def test_a_deployment_has_one_setting_which_stays_when_it_is_gone_and_scales_nothing() -> None:
    async def test(client: httpx.AsyncClient, bench: Bench) -> None:
        await bench.with_colours(blue=0)
        await client.put(f"{SETTINGS}/one", json=wanted(capacity__minimum="2", capacity__default="2"))
        assert refusal(await client.put(f"{SETTINGS}/two", json=wanted())) == (409, "Conflict")
        assert bench.store.deployment("diabetes", "blue").instance_count == 1  # type: ignore[union-attr]  # it is there
        bench.deployments.delete("diabetes", "blue")
        await bench.operations.settle()
        assert len((await client.get(SETTINGS)).json()["value"]) == 1

    with_client(test)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"capacity__minimum": "6"}, "not in order"),
        ({"capacity__maximum": "many"}, "capacity.maximum"),
        ({"rules___0__metricTrigger__timeWindow": "PT1M"}, "timeWindow"),
        ({"rules___0__metricTrigger__operator": ">"}, "operator"),
        ({"rules___1__scaleAction__direction": "In"}, "direction"),
        ({"rules___1__scaleAction__cooldown": "PT10S"}, "cooldown"),
    ],
    ids=range(6),
)
def test_a_setting_that_azure_would_refuse_is_refused(changes: dict[str, Any], place: str) -> None:
    async def test(client: httpx.AsyncClient, bench: Bench) -> None:
        await bench.with_colours(blue=100)
        answer = await client.put(f"{SETTINGS}/one", json=wanted(**changes))
        assert refusal(answer) == (400, "InvalidRequestContent")
        assert place in answer.json()["error"]["message"]

    with_client(test)


@pytest.mark.parametrize(
    "target", [BLUE.replace("blue", "red"), BLUE.replace("local", "other"), f"{WORKSPACE.arm_id}/onlineEndpoints/x", ""]
)
def test_a_setting_for_no_deployment_of_the_workspace_is_400(target: str) -> None:
    async def test(client: httpx.AsyncClient, bench: Bench) -> None:
        await bench.with_colours(blue=100)
        assert refusal(await client.put(f"{SETTINGS}/one", json=wanted(target))) == (400, "BadRequest")

    with_client(test)


@pytest.mark.parametrize("kind", ["metricAlerts", "components", "autoscaleSettings/one/providers"])
def test_what_else_there_is_of_insights_is_501(kind: str) -> None:
    async def test(client: httpx.AsyncClient, _: Bench) -> None:
        path = f"{WORKSPACE.group_id}/providers/Microsoft.Insights/{kind}"
        assert refusal(await client.get(path)) == (501, "NotEmulated")

    with_client(test)


def test_a_token_is_needed_and_a_fault_strikes() -> None:
    async def test(client: httpx.AsyncClient, _: Bench) -> None:
        assert (await client.get(SETTINGS, headers={"authorization": "Bearer x"})).status_code == 401
        effect = {"kind": "refuse", "status": 403}
        fault = {"plane": "control", "call": "autoscaleSettings.get", "resource": "one", "effect": effect}
        assert (await client.post("/_emulator/faults", json=fault)).status_code == 201
        assert (await client.get(f"{SETTINGS}/one")).status_code == 403

    with_client(test)

"""Whatever a body holds, the answer is a document: the resource's, or Azure's error document."""

import copy
import json
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployment.autoscale import setting_of
from deployment.emulator.calling import CallRoute
from deployment.emulator.control_plane import ControlPlane
from deployment.emulator.documents import Documents
from deployment.emulator.entities import Workspace
from deployment.settings import AutoscaleSettings
from tests.lib.emulator_fakes import Bench, run

pytestmark = pytest.mark.unit
URL = "https://127.0.0.1:1"
WS = Workspace().arm_id
ENDPOINT, DEPLOYMENT = f"{WS}/onlineEndpoints/diabetes", f"{WS}/onlineEndpoints/diabetes/deployments/blue"
DATASTORE_PATH = "azureml://datastores/workspaceblobstore/paths/a"
PROBE = {"initialDelay": "PT1S", "period": "PT1S", "timeout": "PT1S", "successThreshold": 1, "failureThreshold": 3}
ROUTE = {"path": "/", "port": 8003}
ACR = f"{Workspace().group_id}/providers/Microsoft.ContainerRegistry/registries/local"
GUID = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
INSIGHTS = f"{Workspace().group_id}/providers/Microsoft.Insights"
SETTING = setting_of("one", DEPLOYMENT, "local", AutoscaleSettings())
# A good body for every route that takes one.
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("PUT", ENDPOINT): {
        "location": "local",
        "tags": {"a": "b"},
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {"/id": {}}},
        "properties": {"authMode": "Key", "traffic": {"blue": 100}, "mirrorTraffic": {}, "properties": {}},
    },
    ("PUT", DEPLOYMENT): {
        "sku": {"name": "Default", "capacity": 1},
        "tags": {"a": "b"},
        "properties": {
            "environmentId": f"{WS}/environments/env/versions/1",
            "instanceType": "Standard_DS3_v2",
            "environmentVariables": {"A": "1"},
            "model": f"{WS}/models/mdl/versions/1",
            "modelMountPath": "/mnt",
            "codeConfiguration": {"codeId": f"{WS}/codes/c/versions/1", "scoringScript": "score.py"},
            "requestSettings": {"requestTimeout": "PT5S", "maxConcurrentRequestsPerInstance": 1},
            "livenessProbe": PROBE,
            "readinessProbe": PROBE,
        },
    },
    ("POST", f"{ENDPOINT}/listKeys"): {},
    ("POST", f"{ENDPOINT}/token"): {},
    ("POST", f"{ENDPOINT}/regenerateKeys"): {"keyType": "Primary", "keyValue": "x"},
    ("POST", f"{DEPLOYMENT}/getLogs"): {"containerType": "InferenceServer", "tail": 10},
    ("PUT", f"{WS}/environments/env/versions/7"): {
        "properties": {
            "image": "image",
            "inferenceConfig": {"livenessRoute": ROUTE, "readinessRoute": ROUTE, "scoringRoute": ROUTE},
        }
    },
    ("PUT", f"{WS}/environments/env"): {"properties": {"isArchived": True}},
    ("PUT", f"{WS}/models/mdl/versions/7"): {"properties": {"modelUri": DATASTORE_PATH, "modelType": "custom_model"}},
    ("PUT", f"{WS}/models/mdl"): {"properties": {"isArchived": True}},
    ("PUT", f"{WS}/codes/c/versions/7"): {"properties": {"codeUri": DATASTORE_PATH, "properties": {"hash_version": 1}}},
    ("PUT", f"{WS}/codes/c"): {"properties": {"isArchived": True}},
    ("POST", f"{WS}/codes/c/versions/7/startPendingUpload"): {"pendingUploadType": "TemporaryBlobReference"},
    ("POST", f"{WS}/datastores/workspaceblobstore/listSecrets"): {"expirableSecret": True},
    ("PUT", f"{ACR}/providers/Microsoft.Authorization/roleAssignments/{GUID}"): {
        "properties": {"roleDefinitionId": f"/roleDefinitions/{GUID}", "principalId": GUID}
    },
    ("PUT", f"{INSIGHTS}/autoscaleSettings/one"): SETTING,
    ("PUT", f"{INSIGHTS.replace('resourceGroups', 'resourcegroups')}/autoscalesettings/one"): SETTING,
    ("POST", "/_emulator/faults"): {
        "plane": "control",
        "call": "endpoints.put",
        "effect": {"kind": "refuse", "status": 429, "retry_after_s": 1},
        "when": "after",
    },
    ("POST", "/_emulator/kill"): {"endpoint": "diabetes", "deployment": "blue", "instance": 0},
}
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.sampled_from(["PT5S", "-PT5S", "P9999999999D", "/../x", "", "azureml://jobs/x", f"{WS}/models/mdl/versions/9"])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)


def places(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Answer every place in a document, its root too."""
    found = [path]
    if isinstance(value, dict):
        for name, inner in value.items():
            found += places(inner, (*path, name))
    return found


def replaced(value: Any, path: tuple[str, ...], new: Any) -> Any:
    """Answer a document with something else at a place."""
    if not path:
        return new
    changed = copy.deepcopy(value)
    changed[path[0]] = replaced(changed[path[0]], path[1:], new)
    return changed


async def ask(method: str, path: str, content: bytes) -> httpx.Response:
    """Send a body to a workspace with an endpoint and a deployment."""
    bench = Bench()
    try:
        await bench.with_colours(blue=100)
        app = ControlPlane(bench.backend, Documents(Workspace(), URL, "http://127.0.0.1:2")).app()
        headers = {"authorization": f"Bearer {bench.tokens.issue(URL).value}"}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=URL, headers=headers, trust_env=False) as client:
            return await client.request(method, path, content=content)
    finally:
        await bench.close()


def check(method: str, path: str, content: bytes) -> None:
    async def test() -> None:
        answer = await ask(method, path, content)
        if answer.status_code >= 400:
            error = answer.json()["error"]
            assert set(error) == {"code", "message", "details", "additionalInfo"}
            assert error["message"]
        assert answer.status_code < 500 or answer.status_code == 501, answer.text

    run(test())


def routes_with_a_body() -> list[CallRoute]:
    bench = Bench()
    plane = ControlPlane(bench.backend, Documents(Workspace(), URL, "http://127.0.0.1:2"))
    return [each for each in plane.routes() if each.method in {"PUT", "POST"} and not each.call.startswith("blobs.")]


def test_every_route_that_takes_a_body_is_tried() -> None:
    assert len(routes_with_a_body()) == len(BODIES)


@pytest.mark.parametrize(("method", "path"), BODIES)
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_a_body_with_anything_anywhere_is_answered_with_a_document(method: str, path: str, data: st.DataObject) -> None:
    body = BODIES[method, path]
    place = data.draw(st.sampled_from(places(body)), label="place")
    content = json.dumps(replaced(body, place, data.draw(VALUES, label="value"))).encode()
    check(method, path, content)


@pytest.mark.parametrize(("method", "path"), BODIES)
@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 5000, b'{"properties": NaN}', b'"\\ud800"'])
def test_a_body_that_is_no_document_is_answered_with_one(method: str, path: str, content: bytes) -> None:
    check(method, path, content)

import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509

from deployment.emulator.certificate import make_certificate
from deployment.emulator.control_plane import ControlPlane
from deployment.emulator.documents import Documents
from deployment.emulator.entities import Workspace
from deployment.emulator.identity import identity_app
from tests.lib.emulator_fakes import EPOCH, Bench, run

pytestmark = pytest.mark.unit
URL = "https://127.0.0.1:1"
WS = Workspace().arm_id
ENDPOINT = f"{WS}/onlineEndpoints/diabetes"
DEPLOYMENT = f"{ENDPOINT}/deployments/blue"
DEPLOYMENT_BODY: dict[str, Any] = {
    "properties": {"environmentId": f"{WS}/environments/env/versions/1", "instanceType": "Standard_DS3_v2"},
    "sku": {"name": "Default", "capacity": 1},
}
Test = Callable[[httpx.AsyncClient, Bench], Awaitable[None]]


def with_client(test: Test, *, audience: str = URL) -> None:
    async def main() -> None:
        bench = Bench()
        app = ControlPlane(bench.backend, Documents(Workspace(), URL, "http://127.0.0.1:2")).app()
        headers = {"authorization": f"Bearer {bench.tokens.issue(audience).value}"}
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url=URL, headers=headers, trust_env=False
        ) as client:
            await test(client, bench)
        await bench.close()

    run(main())


def refusal(response: httpx.Response) -> tuple[int, str]:
    """Answer status and code, having checked that the body is Azure's error document and nothing else."""
    error = response.json()["error"]
    assert set(error) == {"code", "message", "details", "additionalInfo"}
    assert error["message"]
    return response.status_code, error["code"]


@pytest.mark.parametrize("path", [WS, ENDPOINT, DEPLOYMENT, f"{ENDPOINT}/listKeys"])
def test_every_call_needs_a_bearer_token(path: str) -> None:
    async def test(client: httpx.AsyncClient, _: Bench) -> None:
        method = "POST" if path.endswith("listKeys") else "GET"
        for header in (b"", b"Bearer ", b"Bearer x", b"Bearer 99999999999.00", b"Bearer \xe9", b"Basic abc"):
            answer = await client.request(method, path, headers={b"authorization": header})
            assert refusal(answer) == (401, "AuthenticationFailed")

    with_client(test)


def test_a_token_for_another_audience_is_refused() -> None:
    async def test(client: httpx.AsyncClient, _: Bench) -> None:
        assert refusal(await client.get(WS)) == (401, "AuthenticationFailed")

    with_client(test, audience="https://ml.azure.com")


def test_a_token_ends_after_an_hour() -> None:
    async def test(client: httpx.AsyncClient, bench: Bench) -> None:
        assert (await client.get(WS)).status_code == 200
        await bench.clock.wind(3600)
        assert refusal(await client.get(WS)) == (401, "AuthenticationFailed")

    with_client(test)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/subscriptions"),
        ("PATCH", ENDPOINT),
        ("OPTIONS", ENDPOINT),
        ("GET", f"{WS}/computes/cluster"),
        ("POST", f"{WS}/datastores/workspaceblobstore"),
    ],
)
def test_an_unknown_route_is_501_and_names_itself(method: str, path: str, caplog: pytest.LogCaptureFixture) -> None:
    async def test(client: httpx.AsyncClient, _: Bench) -> None:
        answer = await client.request(method, path)
        assert refusal(answer) == (501, "NotEmulated")
        assert f"{method} {path}" in answer.json()["error"]["message"]
        assert f"{method} {path}" in caplog.text

    with_client(test)


def test_another_workspace_is_404() -> None:
    async def test(client: httpx.AsyncClient, _: Bench) -> None:
        assert refusal(await client.get(WS + "2")) == (404, "ResourceNotFound")

    with_client(test)


@pytest.mark.parametrize(
    "body", ["", "{", "[]", '{"properties": {}}', '{"properties": {"authMode": "Key", "traffic": {"blue": "many"}}}']
)
def test_a_bad_body_is_400(body: str) -> None:
    async def test(client: httpx.AsyncClient, _: Bench) -> None:
        assert refusal(await client.put(ENDPOINT, content=body)) == (400, "InvalidRequestContent")

    with_client(test)


@pytest.mark.parametrize(
    ("change", "feature"),
    [
        ({"appInsightsEnabled": True}, "appInsightsEnabled"),
        ({"dataCollector": {}}, "dataCollector"),
        ({"scaleSettings": {"scaleType": "TargetUtilization"}}, "scaleSettings"),
        ({"endpointComputeType": "Kubernetes"}, "Kubernetes"),
    ],
)
def test_what_deployments_cannot_do_here_is_501_by_name(change: dict[str, Any], feature: str) -> None:
    async def test(client: httpx.AsyncClient, _: Bench) -> None:
        await client.put(ENDPOINT, json={"properties": {"authMode": "Key"}})
        body = {**DEPLOYMENT_BODY, "properties": {**DEPLOYMENT_BODY["properties"], **change}}
        answer = await client.put(DEPLOYMENT, json=body)
        assert refusal(answer) == (501, "NotEmulated")
        assert feature in answer.json()["error"]["message"]

    with_client(test)


def test_as_many_instances_run_as_the_capacity_says() -> None:
    async def test(client: httpx.AsyncClient, bench: Bench) -> None:
        await bench.with_colours()
        body = {**DEPLOYMENT_BODY, "sku": {"name": "Default", "capacity": 2}}
        assert (await client.put(DEPLOYMENT, json=body)).json()["sku"]["capacity"] == 2
        await bench.operations.settle()
        assert len(bench.runtime.running) == 2
        await bench.close()

    with_client(test)


def test_a_put_answers_201_then_200_with_an_operation_to_poll() -> None:
    async def test(client: httpx.AsyncClient, bench: Bench) -> None:
        for expected in (201, 200):
            answer = await client.put(ENDPOINT, json={"properties": {"authMode": "Key"}})
            assert answer.status_code == expected
            assert answer.headers["retry-after-ms"] == "50"
            await bench.operations.settle()
            status = (await client.get(answer.headers["azure-asyncoperation"])).json()
            assert status["status"] == "Succeeded"

    with_client(test)


def test_a_delete_answers_202_with_a_location_and_204_when_there_is_nothing() -> None:
    async def test(client: httpx.AsyncClient, bench: Bench) -> None:
        await client.put(ENDPOINT, json={"properties": {"authMode": "Key"}})
        await bench.operations.settle()
        answer = await client.delete(ENDPOINT)
        assert answer.status_code == 202
        await bench.operations.settle()
        assert (await client.get(answer.headers["location"])).status_code == 204
        assert (await client.delete(ENDPOINT)).status_code == 204
        assert refusal(await client.get(ENDPOINT)) == (404, "ResourceNotFound")

    with_client(test)


def test_a_failed_operation_carries_its_error() -> None:
    async def test(client: httpx.AsyncClient, bench: Bench) -> None:
        await client.put(ENDPOINT, json={"properties": {"authMode": "Key"}})
        await bench.operations.settle()
        body = {
            **DEPLOYMENT_BODY,
            "properties": {
                **DEPLOYMENT_BODY["properties"],
                "environmentId": f"{WS}/environments/env/versions/2",
            },
        }
        answer = await client.put(DEPLOYMENT, json=body)
        await bench.operations.settle()
        status = (await client.get(answer.headers["azure-asyncoperation"])).json()
        assert (status["status"], status["error"]["code"]) == ("Failed", "BadArgument")
        assert (await client.get(DEPLOYMENT)).json()["properties"]["provisioningState"] == "Failed"

    with_client(test)


def test_what_a_deployment_leaves_open_gets_the_platforms_defaults() -> None:
    async def test(client: httpx.AsyncClient, bench: Bench) -> None:
        await client.put(ENDPOINT, json={"properties": {"authMode": "Key"}})
        await bench.operations.settle()
        properties = (await client.put(DEPLOYMENT, json=DEPLOYMENT_BODY)).json()["properties"]
        await bench.operations.settle()
        assert properties["requestSettings"] == {
            "maxConcurrentRequestsPerInstance": 1,
            "requestTimeout": "PT5S",
            "maxQueueWait": "PT0S",
        }
        assert (
            properties["readinessProbe"]
            == properties["livenessProbe"]
            == {
                "initialDelay": "PT10S",
                "period": "PT10S",
                "timeout": "PT2S",
                "successThreshold": 1,
                "failureThreshold": 30,
            }
        )

    with_client(test)


@pytest.mark.parametrize(
    "settings",
    [
        {"livenessProbe": {"initialDelay": "PT0S"}},
        {"readinessProbe": {"timeout": "PT0.1S"}},
        {"livenessProbe": {"successThreshold": 2}},
        {"requestSettings": {"requestTimeout": "-PT5S"}},
        {"requestSettings": {"requestTimeout": "PT0S"}},
        {"requestSettings": {"requestTimeout": "PT181S"}},
    ],
    ids=str,
)
def test_a_setting_beyond_the_platforms_limits_is_refused(settings: dict[str, Any]) -> None:
    async def test(client: httpx.AsyncClient, bench: Bench) -> None:
        await client.put(ENDPOINT, json={"properties": {"authMode": "Key"}})
        await bench.operations.settle()
        body = {**DEPLOYMENT_BODY, "properties": {**DEPLOYMENT_BODY["properties"], **settings}}
        assert (await client.put(DEPLOYMENT, json=body)).status_code == 400
        assert (await client.get(DEPLOYMENT)).status_code == 404

    with_client(test)


def test_a_number_of_many_digits_is_refused_with_a_document() -> None:
    many = "9" * 5000

    async def test(client: httpx.AsyncClient, bench: Bench) -> None:
        await bench.with_colours(blue=0)
        assert refusal(await client.get("/_emulator/calls", params={"after": many}))[0] == 400
        assert refusal(await client.delete(f"/_emulator/faults/{many}"))[0] == 404
        assert refusal(await client.delete("/_emulator/faults/x"))[0] == 404
        logs = await client.post(f"{DEPLOYMENT}/getLogs", json={"tail": 10**20})
        assert refusal(logs)[0] == 400
        versions = await client.get(f"{WS}/environments/env/versions", params={"$top": many})
        assert versions.status_code == 200

    with_client(test)


def test_a_fault_of_an_operation_is_refused_where_no_call_starts_one() -> None:
    async def test(client: httpx.AsyncClient, _: Bench) -> None:
        for call, status in (("endpoints.get", 400), ("endpoints.put", 201), ("endpoints.*", 201), ("*.getLogs", 400)):
            fault = {"plane": "control", "call": call, "effect": {"kind": "operation", "ends": "Failed"}}
            assert (await client.post("/_emulator/faults", json=fault)).status_code == status

    with_client(test)


def test_the_identity_endpoint_gives_tokens_only_to_whoever_knows_its_header() -> None:
    async def test(_: httpx.AsyncClient, bench: Bench) -> None:
        transport = httpx.ASGITransport(identity_app(bench.tokens, "secret"))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", trust_env=False) as client:
            path = f"/msi/token?api-version=2019-08-01&resource={URL}"
            assert (await client.get(path)).status_code == 401
            assert (await client.get(path, headers={"x-identity-header": "wrong"})).status_code == 401
            assert (await client.get("/msi/token", headers={"x-identity-header": "secret"})).status_code == 400
            answer = (await client.get(path, headers={"x-identity-header": "secret"})).json()
        bench.tokens.check(f"Bearer {answer['access_token']}", URL)
        assert int(answer["expires_on"]) == int(EPOCH.timestamp()) + 3600

    with_client(test)


def test_the_certificate_is_for_loopback_and_its_key_is_private(tmp_path: Path) -> None:
    files = make_certificate(tmp_path, EPOCH)
    assert files.key.stat().st_mode & 0o777 == 0o600
    certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(files.certificate, files.key)
    files.remove()
    assert list(tmp_path.iterdir()) == []

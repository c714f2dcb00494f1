"""What the emulator must do as a whole, whatever its instances are: the same tests for containers and for processes."""

import json
import os
import re
import signal
import ssl
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from deployment.emulator.entities import Workspace
from tests.lib.emulator import RunningEmulator, running_emulator, wait_until

TINY_SERVER = Path(__file__).with_name("tiny_server.py")
WS = Workspace().arm_id
ENDPOINT = f"{WS}/onlineEndpoints/diabetes"
ROUTE = {"path": "/", "port": 8003}


@dataclass(frozen=True, slots=True)
class Platform:
    """A runtime's name, how a script becomes an image of it, and which instances on a state folder there are."""

    runtime: str
    image_of: Callable[[Path, str], str]
    instances_left: Callable[[Path], list[str]]


@dataclass(frozen=True, slots=True)
class Client:
    """Speaks to both planes without the SDK."""

    platform: Platform
    emulator: RunningEmulator
    control: httpx.Client
    data: httpx.Client

    def key(self) -> str:
        return str(self.control.post(f"{ENDPOINT}/listKeys").json()["primaryKey"])

    def done(self, answer: httpx.Response) -> dict[str, Any]:
        """Answer how the operation that was accepted has ended."""
        assert answer.status_code in (200, 201, 202), answer.text
        ended: list[dict[str, Any]] = []

        def has_ended() -> bool:
            ended.append(self.control.get(answer.headers["azure-asyncoperation"]).json())
            return bool(ended[-1]["status"] != "InProgress")

        wait_until(has_ended, 60)
        return ended[-1]

    def deploy(self, name: str, script: str, instance_count: int = 1, **properties: Any) -> dict[str, Any]:
        """Deploy a script under that name and answer how the operation ended."""
        image = self.platform.image_of(self.emulator.bundles_dir, script)
        routes = {"livenessRoute": ROUTE, "readinessRoute": ROUTE, "scoringRoute": ROUTE}
        environment = f"{WS}/environments/{name}/versions/1"
        self.control.put(environment, json={"properties": {"image": image, "inferenceConfig": routes}})
        body = {"environmentId": environment, "instanceType": "Standard_DS3_v2", **properties}
        wanted = {"properties": body, "sku": {"name": "Default", "capacity": instance_count}}
        return self.done(self.control.put(f"{ENDPOINT}/deployments/{name}", json=wanted))

    def score(self, path: str, **headers: str) -> httpx.Response:
        pinned = {"authorization": f"Bearer {self.key()}", "azureml-model-deployment": "blue", **headers}
        return self.data.post(f"/endpoints/diabetes{path}", headers=pinned, json={"data": []})


class connected:  # noqa: N801 - a context manager reads like a function
    """Clients of both planes, closed at the end."""

    def __init__(self, platform: Platform, emulator: RunningEmulator) -> None:
        variables = emulator.variables
        trusted = ssl.create_default_context(cafile=variables["REQUESTS_CA_BUNDLE"])
        self._control = httpx.Client(base_url=emulator.control_url, verify=trusted, trust_env=False)
        self._data = httpx.Client(base_url=emulator.data_url, trust_env=False)
        token = self._data.get(
            "/msi/token",
            params={"resource": emulator.control_url},
            headers={"x-identity-header": variables["IDENTITY_HEADER"]},
        ).json()["access_token"]
        self._control.headers["authorization"] = f"Bearer {token}"
        self._client = Client(platform, emulator, self._control, self._data)

    def __enter__(self) -> Client:
        return self._client

    def __exit__(self, *_: object) -> None:
        self._control.close()
        self._data.close()


def serving_client(platform: Platform, folder: Path) -> Iterator[Client]:
    """An emulator with an endpoint and its deployment blue, whose requests may take 1 s."""
    with running_emulator(folder, runtime=platform.runtime) as emulator, connected(platform, emulator) as found:
        assert (
            found.done(found.control.put(ENDPOINT, json={"properties": {"authMode": "Key"}}))["status"] == "Succeeded"
        )
        settings = {"requestTimeout": "PT1S", "maxConcurrentRequestsPerInstance": 2}
        ended = found.deploy("blue", TINY_SERVER.read_text(), requestSettings=settings)
        assert ended["status"] == "Succeeded", ended
        yield found


def release(client: Client) -> None:
    """Create an endpoint with a deployment that has all traffic."""
    client.done(client.control.put(ENDPOINT, json={"properties": {"authMode": "Key"}}))
    assert client.deploy("blue", TINY_SERVER.read_text())["status"] == "Succeeded"
    wanted = {"properties": {"authMode": "Key", "traffic": {"blue": 100}}, "tags": {"release": "7"}}
    assert client.done(client.control.put(ENDPOINT, json=wanted))["status"] == "Succeeded"


def remembered(client: Client) -> dict[str, Any]:
    """Answer what must outlive the emulator."""
    endpoint = client.control.get(ENDPOINT).json()
    deployment = client.control.get(f"{ENDPOINT}/deployments/blue").json()
    return {
        "tags": endpoint["tags"],
        "traffic": endpoint["properties"]["traffic"],
        "created": endpoint["systemData"],
        "keys": client.control.post(f"{ENDPOINT}/listKeys").json(),
        "environment": client.control.get(deployment["properties"]["environmentId"]).json()["properties"],
        "state": deployment["properties"]["provisioningState"],
    }


def answers(client: Client) -> bool:
    headers = {"authorization": f"Bearer {client.key()}"}
    return client.data.post("/endpoints/diabetes/score", headers=headers, json={}).status_code == 200


def release_and_kill(platform: Platform, folder: Path, seen: dict[str, Any]) -> None:
    """Run an emulator, release on it and kill it so that it cannot clean up."""
    with running_emulator(folder, runtime=platform.runtime) as emulator, connected(platform, emulator) as client:
        release(client)
        seen.update(remembered(client))
        os.kill(emulator.process_id, signal.SIGKILL)


class ServingContract:
    """Collected through a subclass whose module has the fixtures platform and client."""

    def test_any_path_and_query_reaches_the_container_and_the_key_does_not(self, client: Client) -> None:
        answer = client.score("/predict/%2Fa?x=%20&y=1", **{"x-ms-client-request-id": "a b"})
        assert answer.status_code == 200
        seen = answer.json()
        assert seen["path"] == "/predict/%2Fa?x=%20&y=1"
        assert seen["headers"]["x-request-id"] == answer.headers["x-request-id"]
        assert seen["headers"]["x-ms-client-request-id"] == "ab"
        assert client.key() not in answer.text
        assert answer.headers["server"] == "azureml-frontdoor"
        assert answer.headers["x-model-version"] == "7"

    @pytest.mark.parametrize("status", [201, 404, 503])
    def test_a_status_other_than_200_is_424_with_the_containers_body(self, client: Client, status: int) -> None:
        answer = client.score(f"/status/{status}")
        assert answer.status_code == 424
        assert answer.headers["ms-azureml-model-error-statuscode"] == str(status)
        assert answer.json()["path"] == f"/status/{status}"

    def test_a_timeout_is_408_and_the_container_works_on(self, client: Client) -> None:
        assert client.score("/sleep/1.6").status_code == 408

        def has_worked_on() -> bool:
            content = client.control.post(f"{ENDPOINT}/deployments/blue/getLogs", json={"tail": 500}).json()["content"]
            return "slept 1.6" in content

        wait_until(has_worked_on, 20)

    def test_each_request_is_a_line_in_the_traffic_log(self, client: Client) -> None:
        request_id = client.score("/score").headers["x-request-id"]
        path = client.emulator.state_dir / "traffic.jsonl"
        wait_until(lambda: request_id in path.read_text(), 10)
        (line,) = [json.loads(line) for line in path.read_text().splitlines() if request_id in line]
        assert (line["DeploymentName"], line["ResponseCode"], line["ModelStatusCode"]) == ("blue", 200, 200)
        assert client.key() not in path.read_text()

    def test_a_process_that_dies_is_restarted_and_answers_424_meanwhile(self, client: Client) -> None:
        assert client.deploy("mortal", TINY_SERVER.read_text())["status"] == "Succeeded"
        pinned = {"azureml-model-deployment": "mortal"}
        before = client.score("/score", **pinned).json()["start_id"]
        broken_off = client.score("/exit/", **pinned)
        assert broken_off.status_code == 424
        assert broken_off.headers["ms-azureml-model-error-reason"] == "model_not_ready"
        wait_until(lambda: client.score("/score", **pinned).status_code == 200, 30)
        assert client.score("/score", **pinned).json()["start_id"] != before
        content = client.control.post(f"{ENDPOINT}/deployments/mortal/getLogs", json={}).json()["content"]
        assert "Name: BackOff" in content
        client.done(client.control.delete(f"{ENDPOINT}/deployments/mortal"))

    def test_several_instances_serve_and_the_others_go_on_when_one_is_killed(self, client: Client) -> None:
        assert client.deploy("many", TINY_SERVER.read_text(), instance_count=3)["status"] == "Succeeded"
        pinned = {"azureml-model-deployment": "many"}

        def start_ids(count: int) -> Counter[int]:
            return Counter(client.score("/score", **pinned).json()["start_id"] for _ in range(count))

        before = start_ids(12)
        assert sorted(before.values()) == [4, 4, 4]
        client.score("/exit/", **pinned)
        wait_until(lambda: {client.score("/score", **pinned).status_code for _ in range(6)} == {200}, 30)
        wait_until(lambda: len(start_ids(12)) == 3, 30)
        assert len(set(before) & set(start_ids(12))) == 2
        assert client.deploy("many", TINY_SERVER.read_text(), instance_count=1)["status"] == "Succeeded"
        assert len(start_ids(6)) == 1
        client.done(client.control.delete(f"{ENDPOINT}/deployments/many"))

    def test_an_instance_that_is_killed_on_request_is_restarted(self, client: Client) -> None:
        assert client.deploy("many", TINY_SERVER.read_text(), instance_count=2)["status"] == "Succeeded"
        pinned = {"azureml-model-deployment": "many"}

        def start_ids() -> set[str]:
            answers = [client.score("/score", **pinned) for _ in range(6)]
            return {answer.json()["start_id"] for answer in answers if answer.status_code == 200}

        before = start_ids()
        assert len(before) == 2
        killed = client.control.post("/_emulator/kill", json={"endpoint": "diabetes", "deployment": "many"})
        assert killed.status_code == 204
        wait_until(lambda: len(start_ids() - before) == 1, 30)
        assert len(start_ids() & before) == 1
        content = client.control.post(f"{ENDPOINT}/deployments/many/getLogs", json={}).json()["content"]
        assert "(exit code 137)" in content
        client.done(client.control.delete(f"{ENDPOINT}/deployments/many"))

    def test_mirrored_requests_reach_the_shadow_and_no_client(self, client: Client) -> None:
        assert client.deploy("shadow", TINY_SERVER.read_text())["status"] == "Succeeded"
        wanted = {"authMode": "Key", "traffic": {"blue": 100}, "mirrorTraffic": {"shadow": 50}}
        assert client.done(client.control.put(ENDPOINT, json={"properties": wanted}))["status"] == "Succeeded"
        headers = {"authorization": f"Bearer {client.key()}"}
        answers = [client.data.post("/endpoints/diabetes/score", headers=headers, json={}) for _ in range(40)]
        assert {answer.headers["azureml-model-deployment"] for answer in answers} == {"blue"}
        assert {answer.status_code for answer in answers} == {200}
        sent = {answer.headers["x-request-id"] for answer in answers}
        path = client.emulator.state_dir / "traffic.jsonl"

        def copies() -> list[dict[str, Any]]:
            lines = [json.loads(line) for line in path.read_text().splitlines()]
            return [line for line in lines if line["Mirrored"] and line["XRequestId"] in sent]

        # Fewer than 5 of 40 at 50 % happen once in ten million.
        wait_until(lambda: len(copies()) >= 5, 20)
        assert {(line["DeploymentName"], line["ModelStatusCode"]) for line in copies()} == {("shadow", 200)}
        assert (
            client.done(client.control.put(ENDPOINT, json={"properties": {"authMode": "Key"}}))["status"] == "Succeeded"
        )
        client.done(client.control.delete(f"{ENDPOINT}/deployments/shadow"))

    def test_a_container_that_exits_fails_the_deployment_and_its_log_says_why(self, client: Client) -> None:
        ended = client.deploy("broken", "raise SystemExit('the model is missing')")
        assert (ended["status"], ended["error"]["code"]) == ("Failed", "ResourceNotReady")
        assert "exited with code 1" in ended["error"]["message"]
        content = client.control.post(f"{ENDPOINT}/deployments/broken/getLogs", json={}).json()["content"]
        assert "the model is missing" in content
        assert "UserContainerStart: Failed" in content
        client.done(client.control.delete(f"{ENDPOINT}/deployments/broken"))

    def test_a_container_that_never_answers_fails_after_its_budget(self, client: Client) -> None:
        probe = {"initialDelay": "PT1S", "period": "PT1S", "timeout": "PT1S", "failureThreshold": 1}
        ended = client.deploy("silent", "import signal; signal.pause()", readinessProbe=probe)
        assert ended["error"]["code"] == "ResourceNotReady"
        # The engine's proxy accepts connections that no container will answer, and breaks them off.
        said = r"Liveness probe failed: /: connection (refused|broken off) \(for 2 s\)"
        assert re.search(said, ended["error"]["message"])
        client.done(client.control.delete(f"{ENDPOINT}/deployments/silent"))

    def test_a_restart_on_the_same_folder_has_everything_intact_and_serves(
        self, platform: Platform, tmp_path: Path
    ) -> None:
        with running_emulator(tmp_path, runtime=platform.runtime) as emulator, connected(platform, emulator) as client:
            release(client)
            before = remembered(client)
        assert platform.instances_left(tmp_path / "state") == []
        with running_emulator(tmp_path, runtime=platform.runtime) as emulator, connected(platform, emulator) as client:
            assert remembered(client) == before
            assert before["traffic"] == {"blue": 100}
            wait_until(lambda: answers(client), 30)
            client.done(client.control.delete(ENDPOINT))

    def test_what_a_killed_emulator_left_is_removed_by_the_next_which_serves_again(
        self, platform: Platform, tmp_path: Path
    ) -> None:
        before: dict[str, Any] = {}
        with pytest.raises(AssertionError, match="ended with -9"):
            release_and_kill(platform, tmp_path, before)
        (left,) = platform.instances_left(tmp_path / "state")
        (tmp_path / "emulator.env").unlink()
        with running_emulator(tmp_path, runtime=platform.runtime) as emulator, connected(platform, emulator) as client:
            assert left not in platform.instances_left(tmp_path / "state")
            assert remembered(client) == before
            wait_until(lambda: answers(client), 30)
            assert len(platform.instances_left(tmp_path / "state")) == 1
        assert platform.instances_left(tmp_path / "state") == []

    def test_a_container_that_fails_its_liveness_probe_is_restarted(self, client: Client) -> None:
        probe = {"initialDelay": "PT1S", "period": "PT1S", "timeout": "PT1S", "failureThreshold": 2}
        assert client.deploy("sick", TINY_SERVER.read_text(), livenessProbe=probe)["status"] == "Succeeded"
        pinned = {"azureml-model-deployment": "sick"}
        before = client.score("/score", **pinned).json()["start_id"]
        assert client.score("/sicken/", **pinned).status_code == 200

        def is_another() -> bool:
            answer = client.score("/score", **pinned)
            return bool(answer.status_code == 200 and answer.json()["start_id"] != before)

        wait_until(is_another, 60)
        content = client.control.post(f"{ENDPOINT}/deployments/sick/getLogs", json={}).json()["content"]
        assert "Message: Liveness probe failed: HTTP probe failed with statuscode: 503" in content
        assert "Name: Killing, Type: Warning" in content
        assert "Container inference-server failed liveness probe, will be restarted" in content
        client.done(client.control.delete(f"{ENDPOINT}/deployments/sick"))

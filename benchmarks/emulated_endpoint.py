"""An emulator on one core, with an endpoint whose only deployment is the constant server, on the other core."""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from benchmarks.errors import BenchmarkError
from benchmarks.machine import Cores, pinned

REPOSITORY = Path(__file__).resolve().parent.parent
CONSTANT_SERVER = Path(__file__).with_name("constant_server.py")
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
POLL_S = 0.02
CONCURRENCY = 256
ROUTE = {"path": "/", "port": 8003}


@dataclass(frozen=True)
class EmulatedEndpoint:
    """Where the data plane answers, with which key, and where the constant server answers by itself."""

    url: str
    key: str = field(repr=False)
    direct_url: str


@contextmanager
def emulated_endpoint(folder: Path, cores: Cores) -> Iterator[EmulatedEndpoint]:
    """Run it for as long as the context lasts; raises BenchmarkError where it does not start."""
    bundles, env_file, log_path = folder / "bundles", folder / "emulator.env", folder / "emulator.log"
    image = _write_bundle(bundles, cores.client)
    paths = ["--state-dir", str(folder / "state"), "--bundles", str(bundles), "--env-file", str(env_file)]
    command = [sys.executable, "-m", "deployment.emulator", "--runtime", "processes", *paths]
    with log_path.open("wb") as log:
        emulator = subprocess.Popen(
            pinned(cores.server, command), cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=log, env=os.environ
        )
    try:
        _wait_until(lambda: env_file.exists() or emulator.poll() is not None, "the emulator did not start")
        if emulator.poll() is not None:
            raise BenchmarkError(f"emulator: it ended with {emulator.returncode}: {log_path.read_text()[-600:]}")
        lines = env_file.read_text(encoding="utf-8").splitlines()
        yield _deploy({name: value for name, _, value in (line.partition("=") for line in lines)}, image)
    finally:
        emulator.terminate()
        emulator.wait(STOP_TIMEOUT_S)


def _write_bundle(bundles: Path, core: int) -> str:
    source = CONSTANT_SERVER.read_text(encoding="utf-8")
    manifest = json.dumps({"command": pinned(core, ["python", "server.py", "{scoring_port}"])})
    digest = hashlib.sha256(f"{manifest}{source}".encode()).hexdigest()
    bundle = bundles / digest
    bundle.mkdir(parents=True)
    (bundle / "server.py").write_text(source, encoding="utf-8")
    (bundle / "bundle.json").write_text(manifest, encoding="utf-8")
    return f"constant@sha256:{digest}"


def _deploy(variables: dict[str, str], image: str) -> EmulatedEndpoint:
    control_url = variables["ARM_CLOUD_METADATA_URL"].partition("/metadata/")[0]
    data_url = variables["IDENTITY_ENDPOINT"].partition("/msi/")[0]
    token = httpx.get(
        variables["IDENTITY_ENDPOINT"],
        params={"resource": control_url},
        headers={"x-identity-header": variables["IDENTITY_HEADER"]},
        trust_env=False,
    ).json()["access_token"]
    workspace = (
        f"/subscriptions/{variables['AZURE_SUBSCRIPTION_ID']}/resourceGroups/{variables['AZURE_RESOURCE_GROUP']}"
        f"/providers/Microsoft.MachineLearningServices/workspaces/{variables['AZUREML_WORKSPACE_NAME']}"
    )
    environment, endpoint = f"{workspace}/environments/constant/versions/1", f"{workspace}/onlineEndpoints/bench"
    routes = {"livenessRoute": ROUTE, "readinessRoute": ROUTE, "scoringRoute": {**ROUTE, "path": "/score"}}
    deployment = {
        "environmentId": environment,
        "instanceType": "Standard_DS3_v2",
        "requestSettings": {"requestTimeout": "PT30S", "maxConcurrentRequestsPerInstance": CONCURRENCY},
    }
    trusted = httpx.create_ssl_context(verify=variables["REQUESTS_CA_BUNDLE"])
    bearer = {"authorization": f"Bearer {token}"}
    with httpx.Client(base_url=control_url, verify=trusted, trust_env=False, headers=bearer) as client:
        _put(client, endpoint, {"properties": {"authMode": "Key"}})
        _put(client, environment, {"properties": {"image": image, "inferenceConfig": routes}})
        _put(client, f"{endpoint}/deployments/blue", {"properties": deployment})
        _put(client, endpoint, {"properties": {"authMode": "Key", "traffic": {"blue": 100}}})
        key = str(client.post(f"{endpoint}/listKeys").json()["primaryKey"])
    url = f"{data_url}/endpoints/bench/score"
    answer = httpx.post(url, json={}, headers={"authorization": f"Bearer {key}"}, trust_env=False)
    if answer.status_code != httpx.codes.OK:
        raise BenchmarkError(f"emulator: the data plane answers {answer.status_code} ({answer.text[:200]!r})")
    return EmulatedEndpoint(url=url, key=key, direct_url=f"http://127.0.0.1:{answer.json()['port']}/score")


def _put(client: httpx.Client, path: str, body: dict[str, Any]) -> None:
    answer = client.put(path, json=body)
    if answer.is_error:
        raise BenchmarkError(f"emulator: {answer.status_code} to PUT {path.rpartition('/')[2]} ({answer.text[:300]})")
    operation = answer.headers.get("azure-asyncoperation")
    if operation is None:
        return
    ended: dict[str, Any] = {}

    def has_ended() -> bool:
        ended.update(client.get(operation).json())
        return bool(ended["status"] != "InProgress")

    _wait_until(has_ended, f"PUT {path.rpartition('/')[2]} did not end")
    if ended["status"] != "Succeeded":
        raise BenchmarkError(f"emulator: {ended}")


def _wait_until(condition: Callable[[], bool], otherwise: str) -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while not condition():
        if time.monotonic() > deadline_s:
            raise BenchmarkError(f"emulator: {otherwise} within {START_TIMEOUT_S:g} s")
        time.sleep(POLL_S)

import contextlib
import json
import shlex
import ssl
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml  # type: ignore[import-untyped]  # it ships no type information

from deployment.checks import Check, Standing
from deployment.emulator.entities import Workspace
from deployment.emulator.faults import ControlFault, Refuse
from tests.lib.emulator import REPOSITORY, RunningEmulator, running_emulator, write_bundle
from tests.lib.emulator_control import EmulatorControl
from tests.lib.registry import Registry, running_registry
from tests.lib.shipped import DEPLOYMENT_FILE, ENDPOINT_FILE

pytestmark = pytest.mark.release
FOREIGN = "other.azurecr.io"
CORE_QUOTA = 16
TINY_SERVER = (REPOSITORY / "tests" / "lib" / "tiny_server.py").read_text(encoding="utf-8")
ENDPOINT = f"{Workspace().arm_id}/onlineEndpoints/diabetes"
ENVIRONMENT = f"{Workspace().arm_id}/environments/tiny/versions"


class PreflightProgram:
    """The program that has the SDK loaded; it ends with its input, and has written nothing but its answers."""

    def __init__(self, environment: dict[str, str], errors: Path) -> None:
        self._errors = errors
        pipe = subprocess.PIPE
        command = [sys.executable, "-m", "tests.lib.preflight_program"]
        with errors.open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=REPOSITORY, env=environment, stdin=pipe, stdout=pipe, stderr=log, text=True
            )

    def ask(self, *arguments: str) -> str:
        """Answer the line that it answers with."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(arguments) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        told = self._errors.read_text(encoding="utf-8")
        assert answer, told
        assert "eyJ" not in told, "a token was printed"
        return answer

    def end(self) -> None:
        self._process.communicate(timeout=60)
        assert self._process.returncode == 0


@dataclass(frozen=True)
class Site:
    """An emulator whose workspace has an open registry for its own, preflight, and a folder for files."""

    emulator: RunningEmulator
    registry: Registry
    program: PreflightProgram
    folder: Path

    def preflight(self, image: str, **changes: Any) -> dict[str, Check]:
        """Run preflight with the real SDK, with deployment.yml changed so."""
        settings = yaml.safe_load(DEPLOYMENT_FILE.read_text(encoding="utf-8"))
        deployment_file = self.folder / "deployment.yml"
        deployment_file.write_text(yaml.safe_dump({**settings, **changes}), encoding="utf-8")
        answer = self.program.ask(image, str(ENDPOINT_FILE), str(deployment_file))
        assert "eyJ" not in answer, "a token was printed"
        checks = [Check(**each) for each in json.loads(answer)]
        return {each.name: each for each in checks}

    @contextlib.contextmanager
    def arm(self) -> Iterator[httpx.Client]:
        """Yield a client of the control plane."""
        variables, url = self.emulator.variables, self.emulator.control_url
        trusted = ssl.create_default_context(cafile=variables["REQUESTS_CA_BUNDLE"])
        with httpx.Client(base_url=url, verify=trusted, trust_env=False) as client:
            query = {"resource": url, "api-version": "2019-08-01"}
            secret = {"X-IDENTITY-HEADER": variables["IDENTITY_HEADER"]}
            token = client.get(variables["IDENTITY_ENDPOINT"], params=query, headers=secret).json()["access_token"]
            client.headers["authorization"] = f"Bearer {token}"
            yield client

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the control plane, and wait until what it started has ended."""
        with self.arm() as client:
            answer = client.request(method, path, json=body).raise_for_status()
            following = answer.headers.get("azure-asyncoperation")
            while following and client.get(following).json()["status"] == "InProgress":
                continue
            return answer.json() if answer.content else None

    def deploy(self, name: str, image: str, instance_count: int = 1) -> str:
        """Deploy an image and answer how that ended."""
        version = f"{ENVIRONMENT}/{uuid.uuid4().hex}"
        route = {"path": "/", "port": 8003}
        routes = {f"{each}Route": route for each in ("liveness", "readiness", "scoring")}
        self.ask("PUT", version, {"properties": {"image": image, "inferenceConfig": routes}})
        properties = {"environmentId": version, "instanceType": "Standard_DS2_v2"}
        body = {"properties": properties, "sku": {"name": "Default", "capacity": instance_count}}
        self.ask("PUT", f"{ENDPOINT}/deployments/{name}", body)
        return str(self.ask("GET", f"{ENDPOINT}/deployments/{name}")["properties"]["provisioningState"])


@pytest.fixture(scope="module")
def acr_cases() -> dict[str, Any]:
    """What the client of Azure's registries makes of their answers."""
    program = [sys.executable, "-m", "tests.lib.acr_program"]
    done = subprocess.run(program, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("preflight")
    (folder / "registry").mkdir()
    with running_registry(folder / "registry", is_open=True) as registry:
        options = ("--registry", registry.host, "--foreign-registry", FOREIGN, "--core-quota", str(CORE_QUOTA))
        with running_emulator(folder, options=options) as emulator:
            program = PreflightProgram(emulator.child_environment, folder / "preflight.log")
            try:
                yield Site(emulator, registry, program, folder)
            finally:
                program.end()


@pytest.fixture
def fresh(site: Site) -> Site:
    """The site without an endpoint."""
    site.ask("DELETE", ENDPOINT)
    return site


def standings(checks: dict[str, Check]) -> dict[str, str]:
    return {name: each.standing for name, each in checks.items() if each.standing != Standing.OK}


def test_a_first_release_of_an_image_in_the_own_registry_may_begin(fresh: Site) -> None:
    checks = fresh.preflight(f"{fresh.registry.host}/diabetes@{fresh.registry.push_manifest('diabetes')}")
    assert standings(checks) == {}
    assert "the workspace's own registry" in checks["AcrPull"].found
    assert "Standard DSv2 Family Cluster Dedicated vCPUs in local: 16 - 0 taken = 16 left" in checks["core quota"].found
    assert "Total Cluster Dedicated Regional vCPUs in local: 16 - 0 taken = 16 left" in checks["core quota"].found


def test_an_image_that_was_not_pushed_is_missing(fresh: Site) -> None:
    fresh.registry.push_manifest("diabetes")
    checks = fresh.preflight(f"{fresh.registry.host}/diabetes@sha256:{'0' * 64}")
    assert standings(checks) == {"image exists": Standing.FAIL}
    assert f"{fresh.registry.host} has no diabetes@sha256:000" in checks["image exists"].found


def test_a_bundle_of_the_emulator_has_no_registry_to_ask(fresh: Site) -> None:
    checks = fresh.preflight(write_bundle(fresh.emulator.bundles_dir, TINY_SERVER))
    assert standings(checks) == {"image exists": Standing.WARN, "AcrPull": Standing.WARN}


def test_the_quota_counts_what_runs_and_what_the_candidates_predecessor_gives_back(fresh: Site) -> None:
    bundle = write_bundle(fresh.emulator.bundles_dir, TINY_SERVER)
    fresh.ask("PUT", ENDPOINT, {"properties": {"authMode": "Key"}})
    assert fresh.deploy("blue", bundle) == "Succeeded"
    assert fresh.deploy("green", bundle, instance_count=2) == "Succeeded"
    fresh.ask("PUT", ENDPOINT, {"properties": {"authMode": "Key", "traffic": {"green": 100}}})
    checks = fresh.preflight(bundle, instance_count=1)
    # Blue takes ceil(1.2 x 1) x 2 and will be replaced, green takes ceil(1.2 x 2) x 2 and serves.
    assert "16 - 10 taken + 4 that blue gives back = 10 left" in checks["core quota"].found
    assert checks["core quota"].standing == Standing.OK
    assert "green serves diabetes (green 100 %)" in checks["live deployment"].found
    checks = fresh.preflight(bundle, instance_count=2)
    assert "ceil(1.2 x 2) x 4 = 12 cores" in checks["core quota"].found
    assert checks["core quota"].standing == Standing.FAIL


def test_preflight_and_the_platform_agree_on_who_may_pull_from_another_registry(fresh: Site) -> None:
    bundle = write_bundle(fresh.emulator.bundles_dir, TINY_SERVER)
    image = f"{FOREIGN}/{bundle}"
    before = fresh.preflight(image)["AcrPull"]
    assert (before.standing, "does not exist yet" in before.found) == (Standing.WARN, True)
    fresh.ask("PUT", ENDPOINT, {"properties": {"authMode": "Key"}})
    refused = fresh.preflight(image)["AcrPull"]
    assert refused.standing == Standing.FAIL
    assert fresh.deploy("blue", image) == "Failed"
    fresh.ask("DELETE", f"{ENDPOINT}/deployments/blue")
    grant(fresh, refused.fix)
    assert fresh.preflight(image)["AcrPull"].standing == Standing.OK
    assert fresh.deploy("blue", image) == "Succeeded"


def grant(site: Site, fix: str) -> None:
    """Do what the command that a fix tells would do."""
    words = shlex.split(fix.partition("  (")[0])
    assert words[:4] == ["az", "role", "assignment", "create"]
    arguments = dict(zip(words[4::2], words[5::2], strict=True))
    assert arguments["--role"] == "AcrPull"
    role = "/providers/Microsoft.Authorization/roleDefinitions/7f951dda-4ed3-4680-a7ca-43fe172d538d"
    properties = {"roleDefinitionId": role, "principalId": arguments["--assignee-object-id"]}
    path = f"{arguments['--scope']}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
    site.ask("PUT", path, {"properties": properties})


def test_a_registry_that_the_subscription_does_not_have_fails(fresh: Site) -> None:
    (port,) = fresh.registry.host.partition(":")[2:]
    image = f"localhost:{port}/diabetes@{fresh.registry.push_manifest('diabetes')}"
    checks = fresh.preflight(image)
    assert standings(checks) == {"AcrPull": Standing.FAIL}
    assert f"localhost:{port} is no Azure Container Registry" in checks["AcrPull"].found


def test_who_serves_has_to_be_healthy(fresh: Site) -> None:
    bundle = write_bundle(fresh.emulator.bundles_dir, TINY_SERVER)
    fresh.ask("PUT", ENDPOINT, {"properties": {"authMode": "Key"}})
    assert fresh.deploy("blue", bundle) == "Succeeded"
    fresh.ask("PUT", ENDPOINT, {"properties": {"authMode": "Key", "traffic": {"blue": 100}}})
    assert fresh.deploy("blue", "tiny@sha256:" + "0" * 64) == "Failed"
    assert fresh.preflight(bundle)["live deployment"].standing == Standing.FAIL


@pytest.mark.parametrize(
    ("call", "rows"),
    [
        ("usages.list", {"core quota"}),
        ("sizes.list", {"instances", "core quota"}),
        ("registries.list", {"AcrPull"}),
        ("roleAssignments.list", {"AcrPull"}),
        ("workspace.get", {"instances", "core quota", "AcrPull"}),
    ],
)
def test_a_call_that_azure_refuses_is_named_and_hides_nothing_else(fresh: Site, call: str, rows: set[str]) -> None:
    fresh.ask("PUT", ENDPOINT, {"properties": {"authMode": "Key"}})
    effect = Refuse(status=403, code="AuthorizationFailed", message="The client may not.")
    with (
        EmulatorControl(fresh.emulator.variables) as control,
        control.fault(ControlFault(call=call, effect=effect, times=None)) as placed,
    ):
        checks = fresh.preflight(f"{FOREIGN}/diabetes@sha256:{'0' * 64}")
        (found,) = [each for each in control.faults() if each.id == placed.id]
    assert found.struck >= 1
    named = {name for name, each in checks.items() if "(AuthorizationFailed)" in each.found}
    assert named == rows
    assert {checks[name].standing for name in rows} == {Standing.WARN}
    # The emulator has this registry by name alone.
    assert checks["image exists"].standing == Standing.WARN


def test_azures_registry_is_asked_with_a_token_made_for_it(acr_cases: dict[str, Any]) -> None:
    assert acr_cases["there"]["result"] is True
    assert acr_cases["missing"]["result"] is False
    asked = [each.rpartition("/")[2] for each in acr_cases["there"]["asked"]]
    assert asked[1:3] == ["exchange 200", "token 200"]
    assert [each.rpartition(" ")[2] for each in asked] == ["401", "200", "200", "200"]


def test_azures_registry_that_does_not_say_is_an_error_with_its_status(acr_cases: dict[str, Any]) -> None:
    assert "registry mine.azurecr.io: " in acr_cases["refused"]["result"]
    assert "403" in acr_cases["refused"]["result"]
    assert "its answer is no manifest" in acr_cases["unfit"]["result"]


def test_no_token_follows_a_redirection(acr_cases: dict[str, Any]) -> None:
    assert "307" in acr_cases["elsewhere"]["result"]
    assert all("//mine.azurecr.io/" in each for each in acr_cases["elsewhere"]["asked"])

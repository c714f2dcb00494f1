"""Somebody who runs deployment/cli's script: an emulator, the `az` of the tests, and models that are there at once."""

import contextlib
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from deployment.phases import Phase
from deployment.platform import Routing
from deployment.record import Record, utc_now
from tests.lib.az_ml_server import Az
from tests.lib.emulator import REPOSITORY, RunningEmulator, wait_until, write_bundle
from tests.lib.shipped import DEPLOYMENT_FILE, ENDPOINT_FILE
from tests.lib.site import Finished, ask_endpoint
from tests.lib.tiny_model import TINY_MODEL_SERVER, write_tiny_model

DEPLOY = REPOSITORY / "deployment" / "cli" / "deploy-custom-single-model.sh"
ALL_BLUE = {"blue": 100}
TIMEOUT_S = 100.0


@dataclass(frozen=True)
class Desk:
    """Where somebody sits who runs the script: an emulator, an `az`, and a model that predicts 1 for every row."""

    emulator: RunningEmulator
    az: Az
    folder: Path

    def image(self, server: str = TINY_MODEL_SERVER, *, variables: Mapping[str, str] | None = None) -> str:
        return write_bundle(self.emulator.bundles_dir, server, variables=variables)

    def model(self, prediction: float = 1.0) -> Path:
        return write_tiny_model(self.folder / f"model-{prediction:g}", prediction)

    def start(self, endpoint: str, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        files = {"ENDPOINT_FILE": str(ENDPOINT_FILE), "DEPLOYMENT_FILE": str(DEPLOYMENT_FILE)}
        common = {"ENDPOINT_NAME": endpoint, "MODEL_DIR": str(self.model()), "RUNTIME": "processes"}
        environment = {**self.az.environment(self.emulator.child_environment), **files, **common, **variables}
        pipe, out = subprocess.PIPE, subprocess.STDOUT
        return subprocess.Popen([DEPLOY, *arguments], env=environment, stdout=pipe, stderr=out, text=True)

    def run(self, endpoint: str, *arguments: str, **variables: str) -> Finished:
        return finish(self.start(endpoint, *arguments, **variables))

    def ask(self, endpoint: str, method: str, path: str = "", document: Any = None) -> dict[str, Any]:
        return ask_endpoint(self.emulator, endpoint, method, path, document)

    def traffic(self, endpoint: str) -> dict[str, int]:
        return dict(self.ask(endpoint, "GET")["properties"]["traffic"])

    def create_endpoint(self, endpoint: str) -> None:
        """Create an endpoint with nothing on it."""
        where = [each for name in ("resource-group", "workspace-name") for each in (f"--{name}", "local")]
        call = ["ml", "online-endpoint", "create", "--name", endpoint, "--file", str(ENDPOINT_FILE), *where]
        environment = self.az.environment(self.emulator.child_environment)
        subprocess.run([self.az.folder / "az", *call], env=environment, check=True, capture_output=True)

    def hold(self, endpoint: str, tags: Mapping[str, str], traffic: Mapping[str, int] = ALL_BLUE) -> None:
        """Write on the endpoint what a release writes there."""
        found = self.ask(endpoint, "GET")
        properties = {**found["properties"], "traffic": dict(traffic)}
        self.ask(endpoint, "PUT", document={**found, "properties": properties, "tags": dict(tags)})
        wait_until(lambda: self.ask(endpoint, "GET")["properties"]["provisioningState"] == "Succeeded", 20)

    @contextlib.contextmanager
    def calls(self) -> Iterator[list[str]]:
        """Yield a list that has the calls of `az` by their verbs once the block has ended."""
        before, made = len(self.az.calls()), list[str]()
        yield made
        made += [" ".join(each.split()[:3]).partition(" --")[0] for each in self.az.calls()[before:]]


def finish(process: subprocess.Popen[str]) -> Finished:
    output, _ = process.communicate(timeout=TIMEOUT_S)
    return Finished(process.returncode, output)


def a_release(phase: Phase, **changes: Any) -> Record:
    """Return the record of a release from blue to green."""
    now = utc_now()
    told: dict[str, Any] = {"leased_until": now + timedelta(minutes=5), "image": "tiny@sha256:0", "model_version": "8"}
    told |= {"live": "blue", "candidate": "green", "git_sha": "0", "routing": Routing({"blue": 100}), **changes}
    return Record(release_id="release-8", phase=phase, at=now, holder="somebody #1", **told)

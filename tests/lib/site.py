"""An emulator with an endpoint, trained models, and the command line that releases them."""

import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from deployment.background import BackgroundClient
from deployment.emulator.entities import Workspace
from deployment.emulator.process_tree import marked_processes
from deployment.emulator.processes import MARK
from deployment.emulator.server import emulator_id
from deployment.golden import read_artefacts
from deployment.image import build_bundle
from deployment.scoring import ScoringClient
from tests.lib.emulator import RunningEmulator, wait_until
from tests.lib.model_artefacts import write_artefacts
from tests.lib.shipped import SETTINGS_FILE, SHIPPED, started_there

ENDPOINT = "diabetes"
COMMAND_TIMEOUT_S = 200.0
# The demo's settings, shorter still.
PROFILE = """
[profiles.{name}.platform]
patience_s = 20
rollback_patience_s = 30
operation_timeout_s = 30
provisioning_timeout_s = 60
[profiles.{name}.shift]
bake_s = {bake_s}
mirror_percent = {mirror_percent}
mirror_s = 2
[profiles.{name}.soak]
afterwards = "{afterwards}"
[profiles.{name}.autoscale]
enabled = {autoscale}
[profiles.{name}.load]
rate_pairs_per_s = 20
warmup_s = 1
duration_s = 8
timeout_s = 10
[profiles.{name}.gate]
ignore_below_ms = 40
max_error_ratio = 0.05
max_error_increase = 0.05
min_samples = 100
block_s = 0.8
max_lag_p99_ms = 250
"""


@dataclass(frozen=True)
class Finished:
    """A command that has ended."""

    exit_code: int
    output: str


@dataclass(frozen=True)
class Site:
    """An emulator, the trained models by name, and a folder for settings and reports."""

    emulator: RunningEmulator
    models: Path
    folder: Path

    def __post_init__(self) -> None:
        shipped = SETTINGS_FILE.read_text(encoding="utf-8")
        quick = {"name": "quick", "bake_s": 0.5, "mirror_percent": 0, "afterwards": "delete", "autoscale": "false"}
        patient = {**quick, "name": "patient", "bake_s": 60}
        careful = {**quick, "name": "careful", "mirror_percent": 20, "afterwards": "scale", "autoscale": "true"}
        profiles = "".join(PROFILE.format(**each) for each in (quick, patient, careful))
        (self.folder / "release.toml").write_text(shipped + profiles, encoding="utf-8")

    @property
    def options(self) -> list[str]:
        """The settings and the profile for short tests, and the folder for reports."""
        return [*self.settings("quick"), "--reports-dir", str(self.folder / "reports")]

    def settings(self, profile: str) -> list[str]:
        return ["--settings", str(self.folder / "release.toml"), "--profile", profile]

    def image_of(self, model: str) -> str:
        """Build a model into a bundle and return its reference."""
        return build_bundle(model_dir=self.models / model, bundles_dir=self.emulator.bundles_dir, name="diabetes")

    def promotion(self, model: str, *, profile: str = "quick", image: str = "", release_id: str = "") -> list[str]:
        """Return the command that releases a model; the patient profile watches each step for a minute.

        The careful profile mirrors before it shifts, has autoscale, and scales down afterwards where others delete.
        """
        command = [sys.executable, "-m", "deployment", "promote", "--image", image or self.image_of(model)]
        command += ["--model-dir", str(self.models / model), "--release-id", release_id or f"release-of-{model}"]
        return [*command, *self.options, "--profile", profile]

    def promote(self, model: str, *, image: str = "", release_id: str = "") -> Finished:
        """Release a model and wait for the end."""
        return finish(self.start(self.promotion(model, image=image, release_id=release_id)))

    def resume(self, model: str) -> Finished:
        """Go on with the release of a model that was cut off."""
        return self.phase("resume", model)

    def phase(self, phase: str, model: str, *further: str) -> Finished:
        """Run one phase of a model's release in a process of its own."""
        return self.command(phase, "--model-dir", str(self.models / model), *self.options, *further)

    def command(self, *arguments: str) -> Finished:
        """Run `python -m deployment` with the emulator's environment."""
        return finish(self.start([sys.executable, "-m", "deployment", *arguments]))

    def start(self, command: list[str]) -> subprocess.Popen[str]:
        environment = started_there(self.emulator.child_environment)
        pipe, out = subprocess.PIPE, subprocess.STDOUT
        return subprocess.Popen(command, cwd=SHIPPED, env=environment, stdout=pipe, stderr=out, text=True)

    def promote_disturbed(self, model: str, disturb: Callable[[subprocess.Popen[str]], None]) -> Finished:
        """Release a model, and disturb that once the candidate is seen to have its first share of the traffic."""
        process = self.start(self.promotion(model, profile="patient"))
        journal = self.report_folder(model) / "journal.jsonl"
        wait_until(lambda: process.poll() is not None or has_its_first_share(journal), 120)
        disturb(process)
        return finish(process)

    def kill_colour(self, name: str) -> None:
        """Kill every process of a deployment with SIGKILL."""
        colour = f"{MARK}={emulator_id(self.emulator.state_dir)}/{ENDPOINT}.{name}."
        processes = marked_processes(colour)
        assert processes, f"no process of {name}"
        for process_id in processes:
            os.kill(process_id, signal.SIGKILL)

    def resource(self) -> dict[str, Any]:
        """Return the endpoint's properties as the control plane has them."""
        return dict(self.ask("GET")["properties"])

    def key(self) -> str:
        """Return the endpoint's key."""
        return str(self.ask("POST", "/listKeys")["primaryKey"])

    def traffic(self) -> Mapping[str, int]:
        """Return the endpoint's traffic as the control plane has it."""
        return dict(self.resource()["traffic"])

    def ask(self, method: str, path: str = "", document: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return ask_endpoint(self.emulator, ENDPOINT, method, path, document)

    def scale(self, name: str, instance_count: int) -> None:
        """Run so many instances of a deployment, as somebody beside the releases would."""
        path = f"/deployments/{name}"
        self.ask("PUT", path, {**self.ask("GET", path), "sku": {"name": "Default", "capacity": instance_count}})
        wait_until(lambda: self.ask("GET", path)["properties"]["provisioningState"] == "Succeeded", 60)

    def wait_until_served(self) -> None:
        """Return once the endpoint answers a golden request."""
        body = read_artefacts(self.models / "1").golden.requests[0].body
        with ScoringClient(self.resource()["scoringUri"], self.key()) as client:
            wait_until(lambda: client.score(body).ok, 60)

    @contextmanager
    def background_client(self) -> Iterator[BackgroundClient]:
        """Run a client of the endpoint's own route, which counts what it gets."""
        bodies = [request.body for request in read_artefacts(self.models / "1").golden.requests]
        with (
            ScoringClient(self.resource()["scoringUri"], self.key()) as client,
            BackgroundClient(client, bodies) as background,
        ):
            yield background

    def report_folder(self, model: str) -> Path:
        return self.folder / "reports" / f"release-of-{model}"

    def report(self, model: str) -> str:
        """Return the Markdown report of a model's release."""
        return (self.report_folder(model) / "report.md").read_text(encoding="utf-8")


def ask_endpoint(
    emulator: RunningEmulator, name: str, method: str, path: str = "", document: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Ask the control plane of an endpoint, as a program without the SDK would."""
    variables = emulator.variables
    audience = {"resource": emulator.control_url, "api-version": "2019-08-01"}
    secret = {"X-IDENTITY-HEADER": variables["IDENTITY_HEADER"]}
    trusted = ssl.create_default_context(cafile=variables["REQUESTS_CA_BUNDLE"])
    endpoint = f"{emulator.control_url}{Workspace().arm_id}/onlineEndpoints/{name}"
    with httpx.Client(verify=trusted, trust_env=False) as client:
        token = client.get(variables["IDENTITY_ENDPOINT"], params=audience, headers=secret).json()["access_token"]
        answer = client.request(method, endpoint + path, headers={"authorization": f"Bearer {token}"}, json=document)
        return dict(answer.raise_for_status().json())


def has_its_first_share(journal: Path) -> bool:
    """Whether a release's journal says that its candidate was seen to have traffic."""
    entries = (
        [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()] if journal.exists() else []
    )
    return any(entry["phase"] == "shifting" and entry["verified"] for entry in entries)


def finish(process: subprocess.Popen[str]) -> Finished:
    """Wait for a command; one that hangs is killed and fails the test with its output."""
    try:
        output, _ = process.communicate(timeout=COMMAND_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        raise AssertionError(f"the command did not end within {COMMAND_TIMEOUT_S:g} s:\n{output}") from None
    return Finished(process.returncode, output)


def train_models(folder: Path) -> Path:
    """Train models 1 and 2, and one whose file is not the one that was trained."""
    for name, rows_share in {"1": 0.8, "2": 1.0}.items():
        write_artefacts(folder / name, name, rows_share=rows_share)
    shutil.copytree(folder / "2", folder / "broken")
    with (folder / "broken" / "model.joblib").open("ab") as file:
        file.write(b"one byte more than its checksum says")
    return folder

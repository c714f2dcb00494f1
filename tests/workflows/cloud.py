"""What stands in for Azure and GitHub around the runs: an emulated workspace, a registry, an issuer of ID tokens."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deployment.emulator.__main__ import PASSWORD_VARIABLE
from deployment.image import build_image, choose_base_image
from deployment.platform import IMAGE_TAG
from deployment.record import Record, read_record, utc_now
from deployment.taking import COLOURS
from model.faulty import Variant
from tests.lib.act import TOKEN, Surroundings
from tests.lib.emulator import RunningEmulator, running_emulator, wait_until
from tests.lib.emulator_control import EmulatorControl
from tests.lib.fork import NAME, URL, Fork, Tables
from tests.lib.github_api import GitHubApi, a_person, running_github_api
from tests.lib.model_artefacts import write_artefacts
from tests.lib.oidc_issuer import OidcIssuer, running_issuer, subject_of
from tests.lib.registry import PASSWORD, USERNAME, Registry, running_registry
from tests.lib.service_container import docker
from tests.lib.shipped import IMAGE_NAME

ENDPOINT = "diabetes"
APPROVER = "alice"
ALL_PERCENT = 100
SETTLE_TIMEOUT_S = 30
ENVIRONMENTS = ("registry", "production", "production-unattended", "staging", "staging-unattended")
IDENTITY = {
    "AZURE_CLIENT_ID": "11111111-1111-4111-8111-111111111111",
    "AZURE_TENANT_ID": "22222222-2222-4222-8222-222222222222",
}
OF_THE_WORKSPACE = ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AZUREML_WORKSPACE_NAME")
# Those of a managed identity, which a workflow has not.
OF_A_MANAGED_IDENTITY = ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "AZURE_TOKEN_CREDENTIALS")
# The shipped profiles, shortened: what is asked and judged is the same, for seconds.
QUICK: Tables = {
    "platform": {"patience_s": 10, "rollback_patience_s": 20, "operation_timeout_s": 30, "provisioning_timeout_s": 60},
    "shift": {"bake_s": 0.5, "probes_per_step": 132},
    "soak": {"duration_s": 0},
    "load": {"rate_pairs_per_s": 20, "warmup_s": 0.5, "duration_s": 8, "timeout_s": 10},
    "gate": {
        "slo_p95_ms": 1000,
        "slo_p99_ms": "off",
        "ignore_below_ms": 60,
        "max_error_ratio": 0.05,
        "max_error_increase": 0.05,
        "looks_s": [],
        "min_samples": 100,
        "block_s": 0.5,
        "max_lag_p99_ms": 500,
    },
}
PROFILES = ("standard", "pull-request")
# Keeps what was live, as the way back.
KEPT: Tables = {"soak": {"duration_s": 3600}}
# Also leaves the time to do something while a step of traffic is watched.
WATCHED: Tables = {**KEPT, "shift": {**QUICK["shift"], "bake_s": 60}}
AT_ONCE = "at-once"  # for what only has to be there


def shorten(fork: Fork) -> None:
    """Make every profile that a workflow offers a matter of seconds, but for the steps of `soak`."""
    for profile in PROFILES:
        fork.set_profile(profile, QUICK)
    fork.set_profile("smoke", {**QUICK, **KEPT})
    fork.set_profile("soak", {**QUICK, **WATCHED})
    at_once: Tables = {**QUICK, **KEPT, "shift": {**QUICK["shift"], "bake_s": 0, "steps_percent": [100]}}
    fork.add_profile(AT_ONCE, at_once)


@dataclass(frozen=True)
class Pushed:
    """An image in the registry, by digest, and the folder of its model."""

    image: str
    model_dir: Path

    @property
    def digest(self) -> str:
        return self.image.partition("@")[2]


@dataclass(frozen=True)
class Cloud:
    """Azure as the runs see it."""

    emulator: RunningEmulator
    control: EmulatorControl
    registry: Registry
    issuer: OidcIssuer
    api: GitHubApi
    folder: Path
    fork: Fork
    images: set[str]

    @property
    def variables(self) -> dict[str, str]:
        """The variables that a connected repository has."""
        known = {name: self.emulator.variables[name] for name in OF_THE_WORKSPACE}
        return {**IDENTITY, **known, "ACR_LOGIN_SERVER": self.registry.host}

    def surroundings(self, environment: str, *, with_workspace: bool = True, **further: str) -> Surroundings:
        """What a run finds whose jobs are in this environment of the repository, for all of them have one ID token.

        A run that does not need the workspace is not led to it: the certificate that leads there is no other's.
        """
        leads = {
            name: value
            for name, value in self.emulator.variables.items()
            if with_workspace and name not in self.variables and name not in OF_A_MANAGED_IDENTITY
        }
        return Surroundings(
            self.variables,
            {
                **leads,
                **self.issuer.variables,
                "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.issuer.request_url}&environment={environment}",
                "AZ_SUBJECTS": subject_of(environment),
                "GITHUB_API_URL": self.api.url,
                "REGISTRY_HOST": self.registry.host,
                "REGISTRY_USERNAME": USERNAME,
                "REGISTRY_PASSWORD": PASSWORD,
                **further,
            },
        )

    def endpoint(self) -> dict[str, Any]:
        """The endpoint as the control plane has it; empty where there is none."""
        return self.control.arm(f"onlineEndpoints/{ENDPOINT}")

    def traffic(self) -> dict[str, int]:
        """Who serves."""
        found = self.endpoint()
        return {name: percent for name, percent in found["properties"]["traffic"].items() if percent} if found else {}

    def live(self) -> str:
        """The deployment that has all traffic."""
        ((name, percent),) = self.traffic().items()
        assert percent == ALL_PERCENT, self.traffic()
        return name

    def deployments(self) -> dict[str, str]:
        """The image of each deployment."""
        found = {name: self.control.arm(f"onlineEndpoints/{ENDPOINT}/deployments/{name}") for name in COLOURS}
        return {name: str(each["tags"][IMAGE_TAG]) for name, each in found.items() if each}

    def record(self) -> Record | None:
        """What the endpoint says of its releases."""
        found = self.endpoint()
        return read_record(found["tags"]) if found else None

    def set_traffic(self, traffic: Mapping[str, int]) -> None:
        """Change the traffic, as somebody beside the releases would."""
        found = self.endpoint()
        changed = {**found, "properties": {**found["properties"], "traffic": dict(traffic)}}
        self.control.put_arm(f"onlineEndpoints/{ENDPOINT}", changed)
        wait_until(lambda: self.endpoint()["properties"]["provisioningState"] == "Succeeded", SETTLE_TIMEOUT_S)
        assert self.traffic() == traffic

    def command(self, *arguments: str) -> str:
        """Run `python -m deployment` against this cloud, beside all workflows."""
        environment = {**self.emulator.child_environment, "DOCKER_CONFIG": str(self.folder / "docker")}
        environment |= {"ACR_LOGIN_SERVER": self.registry.host, "PYTHONPATH": str(self.fork.folder)}
        command = [sys.executable, "-m", "deployment", *arguments]
        done = subprocess.run(
            command, cwd=self.fork.folder, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def empty(self) -> None:
        """Make sure that there is no endpoint."""
        self.control.clear()
        if self.endpoint():
            self.command("teardown", "--yes", "--force")

    def serve(self, pushed: Pushed, *, keeping: Pushed | None = None) -> str:
        """Make sure that one deployment serves and no release is under way, and answer its name.

        Where another is to be kept, it is what served before, and the way back to it is open. What is there already
        and is fit for that stays as it is.
        """
        self.control.clear()
        record = self.record()
        if record is None or record.in_flight or list(self.traffic().values()) != [ALL_PERCENT]:
            self.empty()
            self.promote(keeping or pushed)
            record = self.record()
        assert record is not None
        is_kept = record.keeps_warm(utc_now()) and len(self.deployments()) == len(COLOURS)
        if keeping is not None and not is_kept:
            self.promote(pushed)
        if keeping is None:
            self.give_up_the_way_back()
        return self.live()

    def give_up_the_way_back(self) -> None:
        """Delete what no request reaches."""
        if len(self.deployments()) > 1:
            self.command("finish", "--now")

    def promote(self, pushed: Pushed) -> None:
        """Release an image without a workflow."""
        self.give_up_the_way_back()
        command = ["promote", "--image", pushed.image, "--model-dir", str(pushed.model_dir), "--profile", AT_ONCE]
        self.command(*command, "--no-preflight", "--no-drill", "--reports-dir", str(self.folder / "reports"))

    def push(self, version: str, variant: str = "good") -> Pushed:
        """Train a model, and push an image with it that no workflow has built."""
        model_dir = self.folder / "models" / version
        write_artefacts(model_dir, version, Variant(variant), rows_share=0.8)
        local = build_image(model_dir=model_dir, name=IMAGE_NAME, base_image=choose_base_image(), source=URL)
        self.images.add(local.partition("@")[2])
        remote = f"{self.registry.host}/{IMAGE_NAME}:{version}"
        docker("tag", local.partition("@")[2], remote)
        docker("--config", str(self.folder / "docker"), "push", "--quiet", remote)
        digests = json.loads(docker("image", "inspect", "--format", "{{json .RepoDigests}}", remote))
        (image,) = [each for each in digests if each.startswith(self.registry.host)]
        # Whoever deploys it has to pull it.
        docker("image", "rm", remote)
        return Pushed(image, model_dir)


@contextlib.contextmanager
def running_cloud(folder: Path, fork: Fork, images: set[str]) -> Iterator[Cloud]:
    """Run the services; commands beside the workflows are run in the fork, and the ids of images made are added."""
    with (
        running_registry(folder) as registry,
        running_issuer() as issuer,
        running_github_api(NAME, TOKEN) as api,
        pytest.MonkeyPatch.context() as patch,
    ):
        api.add_environment("production", a_person(APPROVER))
        patch.setenv(PASSWORD_VARIABLE, PASSWORD)
        options = ["--registry", registry.host, "--registry-username", USERNAME, "--federated-issuer", issuer.url]
        options += [part for name in ENVIRONMENTS for part in ("--federated-subject", subject_of(name))]
        with (
            running_emulator(folder / "emulator", runtime="containers", options=tuple(options)) as emulator,
            EmulatorControl(emulator.variables) as control,
        ):
            registry.write_login(folder / "docker")
            yield Cloud(emulator, control, registry, issuer, api, folder, fork, images)

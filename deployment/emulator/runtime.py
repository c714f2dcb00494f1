"""The port behind which instances run: as containers, or as processes where there is no Docker Engine."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath
from typing import Protocol

from deployment.emulator.skus import Sku

CODE_ROOT = PurePosixPath("/var/azureml-app")
METRICS_VARIABLE = "METRICS_PORT"
# What the service's image says.
METRICS_PORT = 8004
PORTS = range(1, 65536)


@dataclass(frozen=True, slots=True)
class InstanceSpec:
    """What to run: an image that was pulled, its environment, and the container ports that must be reachable.

    model_dir is a folder of this machine, to be found (read-only) at model_mount and named by AZUREML_MODEL_DIR;
    code_dir likewise under CODE_ROOT / its own name, with AML_APP_ROOT and AZUREML_ENTRY_SCRIPT naming the folder and
    the file of entry_script, a path relative to code_dir. The sku limits memory and cores; with read_only_root the
    instance can write to /tmp alone. metrics_port is where the service is expected to show its metrics, if anywhere.
    """

    instance_id: str
    image: str
    environment_variables: Mapping[str, str]
    scoring_port: int
    ports: frozenset[int]
    model_dir: Path | None = None
    model_mount: PurePosixPath | None = None
    code_dir: Path | None = None
    entry_script: str | None = None
    sku: Sku | None = None
    read_only_root: bool = False
    metrics_port: int | None = None

    def platform_variables(self, model: PurePath | None, code: PurePath | None) -> dict[str, str]:
        """Answer the variables that the platform sets, for a model and a code folder found at these paths."""
        variables = {}
        if model is not None:
            variables["AZUREML_MODEL_DIR"] = str(model)
        if code is not None and self.entry_script is not None:
            script = code / self.entry_script
            variables |= {"AML_APP_ROOT": str(script.parent), "AZUREML_ENTRY_SCRIPT": script.name}
        return variables


@dataclass(frozen=True, slots=True)
class Instance:
    """What was started: the host port on 127.0.0.1 behind each container port."""

    instance_id: str
    host_ports: Mapping[int, int]


def without_secrets(variables: Mapping[str, str]) -> dict[str, str]:
    """Answer the variables but those that refer to a secret: the platform would fetch it, the emulator has none."""
    return {name: value for name, value in variables.items() if not value.startswith("${{")}


def metrics_port_of(variables: Mapping[str, str]) -> int | None:
    """Answer the container port that a service with these variables shows its metrics on; None where that is none."""
    given = variables.get(METRICS_VARIABLE, str(METRICS_PORT))
    return int(given) if given.isascii() and given.isdigit() and int(given) in PORTS else None


class Runtime(Protocol):
    """Runs instances of images on this machine, reachable on 127.0.0.1 alone.

    An instance is running from `start` until it exits or is stopped; its output can be read from `start` on and
    after its end too, until the emulator's state folder is removed. No method raises for an instance that has
    already ended.
    """

    async def pull(self, image: str) -> str:
        """Answer what `start` takes for this image reference; raises ImagePullError when it cannot be had."""
        ...

    async def start(self, spec: InstanceSpec) -> Instance:
        """Start an instance and return at once; raises ProvisioningError when it cannot even be started."""
        ...

    async def exit_code(self, instance_id: str) -> int | None:
        """Answer None while the instance runs, otherwise how it ended."""
        ...

    async def logs(self, instance_id: str, tail: int) -> str:
        """Answer the last lines of the instance's output; empty when there is none."""
        ...

    async def kill(self, instance_id: str) -> None:
        """End the instance at once (SIGKILL); it has exited then and is not removed."""
        ...

    async def stop(self, instance_id: str, grace_s: float) -> None:
        """Ask the instance to end (SIGTERM), and after the grace period end it with all it started; idempotent."""
        ...

    async def remove_all(self) -> None:
        """End and remove everything that carries this emulator's id, of this run or an earlier one; idempotent."""
        ...

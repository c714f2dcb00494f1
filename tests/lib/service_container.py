"""The service's image as containers, started as the platform would."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import httpx

from service.probe import probe
from tests.lib.emulator import wait_until

START_TIMEOUT_S = 60.0
COMMAND_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class RunningContainer:
    """A container whose port 8003 is published on loopback."""

    container_id: str

    @cached_property
    def port(self) -> int:
        return int(docker("port", self.container_id, "8003/tcp").rpartition(":")[2])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return docker("logs", self.container_id)

    def wait_until_ready(self) -> None:
        wait_until(lambda: self.has_ended() or probe("127.0.0.1", self.port) is not None, START_TIMEOUT_S)
        assert not self.has_ended(), self.log
        wait_until(lambda: "ready for serving traffic" in self.log, START_TIMEOUT_S)

    def score(self, body: object, path: str = "/score") -> httpx.Response:
        return httpx.post(self.url + path, json=body, timeout=30)

    def inspect(self, template: str) -> str:
        return docker("inspect", "--format", template, self.container_id)

    def has_ended(self) -> bool:
        return self.inspect("{{.State.Running}}") == "false"

    def exit_code(self) -> int:
        return int(docker("wait", self.container_id))

    def run(self, *command: str) -> str:
        return docker("exec", self.container_id, *command)

    def find(self, *conditions: str) -> list[str]:
        """Return the files of the container, whoever may read them."""
        command = ("find", "/", "-xdev", "-type", "f", *conditions)
        return docker("exec", "--user", "0", self.container_id, *command).splitlines()

    def processes(self) -> dict[int, tuple[int, str]]:
        """Return parent and command line of each process inside, by its id there."""
        lines = self.run("python", "-c", LIST_PROCESSES).splitlines()
        table = [line.split(" ", 2) for line in lines]
        return {int(pid): (int(parent), command) for pid, parent, command in table if "os.listdir" not in command}


# No ps in a slim image.
LIST_PROCESSES = """
import os
for pid in filter(str.isdigit, os.listdir("/proc")):
    command = open(f"/proc/{pid}/cmdline").read().replace("\\0", " ")
    parent = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1]
    print(pid, parent, command.replace("\\n", " "))
"""


def docker(*arguments: str) -> str:
    """Run the docker command and return what it printed, on either stream."""
    done = subprocess.run(
        ["docker", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout.strip()


@contextmanager
def running_container(
    image: str, *, model_dir: Path | None = None, user: str | None = None, **variables: str
) -> Iterator[RunningContainer]:
    """Start the image with nothing writable but /tmp, and remove the container whatever happens.

    A model folder is mounted read-only, where and as the platform does, and AZUREML_MODEL_DIR leads to it.
    """
    options = ["--read-only", "--tmpfs", "/tmp", "--publish", "127.0.0.1::8003"]  # noqa: S108 - inside the container
    if model_dir is not None:
        mount = "/var/azureml-app/azureml-models/diabetes/2"
        options += ["--volume", f"{model_dir}:{mount}/{model_dir.name}:ro", "--env", f"AZUREML_MODEL_DIR={mount}"]
    if user is not None:
        options += ["--user", user]
    for name, value in variables.items():
        options += ["--env", f"{name}={value}"]
    container_id = docker("run", "--detach", *options, image.partition("@")[2])
    try:
        yield RunningContainer(container_id)
    finally:
        docker("rm", "--force", "--volumes", container_id)


def in_ci() -> bool:
    """Say whether an engine has to be there, and is to be installed where it is not."""
    return os.environ.get("CI") == "true"

"""The service's image as containers, started as the platform would."""

import hashlib
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx

from service.probe import probe
from tests.lib.emulator import REPOSITORY, wait_until

START_TIMEOUT_S = 60.0
COMMAND_TIMEOUT_S = 60.0
MODEL_MOUNT = "/var/azureml-app/azureml-models/diabetes/2"


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

    def processes(self) -> dict[int, "Process"]:
        """Return the processes inside, by their ids there; without the one that lists them."""
        rows = [line.split(" ", 3) for line in self.run("python", "-c", LIST_PROCESSES).splitlines()]
        found = {int(pid): Process(int(parent), state, command) for pid, parent, state, command in rows}
        return {pid: process for pid, process in found.items() if "os.listdir" not in process.command}

    def kill_inside(self, pid: int, signal_name: str = "KILL") -> None:
        """Send a signal to a process by its id inside; the container may end with it."""
        program = f"import os, signal; os.kill({pid}, signal.SIG{signal_name})"
        docker("exec", "--detach", self.container_id, "python", "-c", program)

    def log_lines(self) -> list[dict[str, Any]]:
        """Return the log, both streams; fails at the first line that is not a JSON object."""
        lines = [json.loads(line) for line in self.log.splitlines()]
        assert all(isinstance(line, dict) for line in lines)
        return lines


@dataclass(frozen=True)
class Process:
    """A process in a container; state is the kernel's letter, Z for one that has ended and was not read."""

    parent: int
    state: str
    command: str


# No ps in a slim image.
LIST_PROCESSES = """
import os
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        command = open(f"/proc/{pid}/cmdline").read().replace("\\0", " ")
        state, parent = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[:2]
    except OSError:
        continue
    print(pid, parent, state, command.replace("\\n", " "))
"""


@dataclass(frozen=True)
class ImageFile:
    """A file of an image; the content's sha256, or where a link leads to."""

    mode: int
    content: str
    size: int
    modified_s: float


def files_of(image: str) -> dict[str, ImageFile]:
    """Return all files and links of an image, by their path from the root."""
    container_id = docker("create", image.partition("@")[2] or image)
    try:
        with subprocess.Popen(["docker", "export", container_id], stdout=subprocess.PIPE) as export:
            assert export.stdout is not None
            with tarfile.open(fileobj=export.stdout, mode="r|") as archive:
                return {member.name: image_file(archive, member) for member in archive if not member.isdir()}
    finally:
        docker("rm", container_id)


def image_file(archive: tarfile.TarFile, member: tarfile.TarInfo) -> ImageFile:
    content = archive.extractfile(member) if member.isfile() else None
    described = hashlib.sha256(content.read()).hexdigest() if content else member.linkname
    return ImageFile(member.mode, described, member.size, member.mtime)


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


def containers_of(image: str) -> list[str]:
    """Return the ids of an image's containers, whatever has become of them."""
    return docker("ps", "--all", "--quiet", "--filter", f"ancestor={image.partition('@')[2]}").splitlines()


@contextmanager
def running_container(
    image: str,
    *,
    model_dir: Path | None = None,
    user: str | None = None,
    network_of: RunningContainer | None = None,
    command: Sequence[str] = (),
    **variables: str,
) -> Iterator[RunningContainer]:
    """Start the image with nothing writable but /tmp and no capability, and remove the container whatever happens.

    A model folder is mounted read-only, where and as the platform does, and AZUREML_MODEL_DIR leads to it.
    """
    options = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"]  # noqa: S108 - inside the container
    options += ["--security-opt", "no-new-privileges"]
    options += ["--network", f"container:{network_of.container_id}"] if network_of else ["--publish", "127.0.0.1::8003"]
    if model_dir is not None:
        options += ["--volume", f"{model_dir}:{MODEL_MOUNT}/{model_dir.name}:ro"]
        variables = {"AZUREML_MODEL_DIR": MODEL_MOUNT, **variables}
    if user is not None:
        options += ["--user", user]
    for name, value in variables.items():
        options += ["--env", f"{name}={value}"]
    container_id = docker("run", "--detach", *options, image.partition("@")[2], *command)
    try:
        yield RunningContainer(container_id)
    finally:
        docker("rm", "--force", "--volumes", container_id)


def ensure_engine() -> None:
    """Install and start a Docker Engine where none answers, and make a base image where none can be pulled."""
    for script in ("docker-engine.sh", "base-image.sh"):
        arguments = ["ensure"] if script == "docker-engine.sh" else []
        command = [str(REPOSITORY / "scripts" / script), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr


def in_ci() -> bool:
    """Say whether an engine has to be there, and is to be installed where it is not."""
    return os.environ.get("CI") == "true"

"""Instances as processes: the code of an image without the image, from a bundle folder named by its digest."""

import asyncio
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deployment.emulator.errors import ImagePullError, ResourceNotReadyError
from deployment.emulator.process_tree import end_tree
from deployment.emulator.runtime import METRICS_VARIABLE, Instance, InstanceSpec
from deployment.emulator.threads import Threads

BUNDLE_REFERENCE = re.compile(r"[^@\s]*@sha256:([0-9a-f]{64})")
INFERENCE_SERVER_PORT = 5001
SERVER_PORTS = range(20_000, 32_768)
SIGNALLED = 128
MARK = "LOCAL_AZUREML_INSTANCE"


class BundleManifest(BaseModel):
    """bundle.json: the command and the environment, with {scoring_port} and {azmlinfsrv_port} to be filled in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: list[str] = Field(min_length=1)
    env: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class _Running:
    process: subprocess.Popen[bytes]
    home: tempfile.TemporaryDirectory[str]


class ProcessRuntime:
    """Runs bundles; the contract is Runtime's.

    Each instance is the leader of a process group, has a scrubbed environment and a home folder of its own that is
    removed with it, and writes its output to `<state folder>/logs/<instance id>.log`.
    """

    def __init__(self, bundles_dir: Path, logs_dir: Path, emulator_id: str) -> None:
        self._bundles_dir = bundles_dir
        self._threads = Threads("processes")
        self._logs_dir = logs_dir
        self._mark = f"{MARK}={emulator_id}/"
        self._emulator_id = emulator_id
        self._home_prefix = f"local-azureml-{emulator_id}-"
        self._running: dict[str, _Running] = {}

    async def pull(self, image: str) -> str:
        """Answer the bundle's digest; raises ImagePullError when there is no such bundle."""
        match = BUNDLE_REFERENCE.fullmatch(image)
        if match is None:
            raise ImagePullError(image, "the process runtime takes <name>@sha256:<64 hex digits> of a bundle")
        digest = match[1]
        if not (self._bundles_dir / digest / "bundle.json").is_file():
            raise ImagePullError(image, f"no bundle {digest} in the bundles folder")
        return digest

    async def start(self, spec: InstanceSpec) -> Instance:
        """Start the bundle's command; raises ResourceNotReadyError when its manifest or command is no good."""
        return await self._threads.run(self._start, spec)

    async def exit_code(self, instance_id: str) -> int | None:
        """Answer None while the process runs, otherwise its exit code, 128 + N after signal N as a shell has it."""
        running = self._running.get(instance_id)
        code = 0 if running is None else running.process.poll()
        return code if code is None or code >= 0 else SIGNALLED - code

    async def logs(self, instance_id: str, tail: int) -> str:
        """Answer the last lines of the process's output."""
        return await self._threads.run(tail_of, self._log_path(instance_id), tail)

    async def kill(self, instance_id: str) -> None:
        """Kill the process and all that it started."""
        running = self._running.get(instance_id)
        if running is not None:
            await self._threads.run(end_tree, running.process.pid, f"{self._mark}{instance_id}")

    async def stop(self, instance_id: str, grace_s: float) -> None:
        """End the process (SIGTERM to it alone, as an engine does), then all that is left of it (SIGKILL)."""
        running = self._running.pop(instance_id, None)
        if running is not None:
            await self._threads.run(self._end, instance_id, running, grace_s)

    async def remove_all(self) -> None:
        """End every process of this emulator, and remove the homes of those that it left when it was killed."""
        await asyncio.gather(*(self.stop(instance_id, 0.0) for instance_id in list(self._running)))
        await self._threads.run(end_tree, None, self._mark)
        await self._threads.run(self._remove_homes)

    def _start(self, spec: InstanceSpec) -> Instance:
        bundle = self._bundles_dir / spec.image
        try:
            manifest = BundleManifest.model_validate_json((bundle / "bundle.json").read_bytes())
        except ValidationError as error:
            raise ResourceNotReadyError(f"bundle.json is not valid: {error}") from error
        unreachable = spec.ports - {spec.scoring_port, INFERENCE_SERVER_PORT}
        if unreachable:
            raise ResourceNotReadyError(
                f"a process answers on its scoring port {spec.scoring_port} and on {INFERENCE_SERVER_PORT},"
                f" not on {sorted(unreachable)}"
            )
        scoring_port, azmlinfsrv_port, metrics_port = free_loopback_ports(3)
        home = tempfile.TemporaryDirectory(prefix=self._home_prefix)

        def fill(text: str) -> str:
            return text.replace("{scoring_port}", str(scoring_port)).replace("{azmlinfsrv_port}", str(azmlinfsrv_port))

        environment = {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]),
            "PYTHONPATH": str(bundle),
            "HOME": home.name,
            "TMPDIR": home.name,
            "LANG": "C.UTF-8",
            MARK: f"{self._emulator_id}/{spec.instance_id}",
            **{name: fill(value) for name, value in manifest.env.items()},
            **spec.platform_variables(spec.model_dir, spec.code_dir),
            **spec.environment_variables,
            **({} if spec.metrics_port is None else {METRICS_VARIABLE: str(metrics_port)}),
        }
        command = [fill(part) for part in manifest.command]
        self._logs_dir.mkdir(parents=True, exist_ok=True)
        try:
            with self._log_path(spec.instance_id).open("ab") as log:
                process = subprocess.Popen(
                    command,
                    cwd=bundle,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            home.cleanup()
            raise ResourceNotReadyError(f"cannot run {command[0]}: {error.strerror}") from error
        self._running[spec.instance_id] = _Running(process, home)
        host_ports = {INFERENCE_SERVER_PORT: azmlinfsrv_port, spec.scoring_port: scoring_port}
        if spec.metrics_port is not None:
            host_ports[spec.metrics_port] = metrics_port
        return Instance(spec.instance_id, host_ports)

    def _end(self, instance_id: str, running: _Running, grace_s: float) -> None:
        running.process.terminate()
        try:
            running.process.wait(grace_s)
        except subprocess.TimeoutExpired:
            running.process.kill()
        end_tree(running.process.pid, f"{self._mark}{instance_id}")
        running.process.wait()
        running.home.cleanup()

    def _remove_homes(self) -> None:
        for home in Path(tempfile.gettempdir()).glob(f"{self._home_prefix}*"):
            shutil.rmtree(home, ignore_errors=True)

    def _log_path(self, instance_id: str) -> Path:
        return self._logs_dir / f"{instance_id}.log"


def free_loopback_ports(count: int) -> list[int]:
    """Answer that many different ports that nothing listens on at this moment.

    They lie below those that the system gives to outgoing connections (from 32768 on Linux, from 49152 elsewhere): one
    of those would be gone before a server that has just been started binds it.
    """
    sockets: list[socket.socket] = []
    try:
        while len(sockets) < count:
            candidate = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                candidate.bind(("127.0.0.1", secrets.choice(SERVER_PORTS)))
            except OSError:
                candidate.close()
            else:
                sockets.append(candidate)
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def tail_of(path: Path, lines: int) -> str:
    """Answer the last lines of a text file; empty when there is no file."""
    if not path.is_file():
        return ""
    with path.open(encoding="utf-8", errors="replace") as file:
        return "".join(deque(file, maxlen=lines))

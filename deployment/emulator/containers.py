"""Instances as containers of a Docker Engine, published on loopback alone."""

import asyncio
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import docker
from docker.errors import DockerException, ImageNotFound, NotFound
from docker.types import Mount

from deployment.emulator.errors import ImagePullError, ResourceNotReadyError
from deployment.emulator.processes import tail_of
from deployment.emulator.runtime import CODE_ROOT, Instance, InstanceSpec

if TYPE_CHECKING:
    from docker.models.containers import Container

LABEL = "local-azureml.emulator"
RUNNING_STATES = frozenset({"created", "running", "paused", "restarting"})


class NoEngineError(Exception):
    """No Docker Engine answers."""


class ContainerRuntime:
    """Runs images that the engine has; the contract is Runtime's.

    Each container carries this emulator's id as a label. When one is removed its output is kept in
    `<state folder>/logs/<instance id>.log`.
    """

    def __init__(self, logs_dir: Path, emulator_id: str) -> None:
        try:
            self._engine = docker.from_env()
        except DockerException as error:
            raise NoEngineError(
                f"containers: no Docker Engine answers ({error}); start one or use --runtime processes"
            ) from error
        self._logs_dir = logs_dir
        self._emulator_id = emulator_id
        self._containers: dict[str, Container] = {}

    async def pull(self, image: str) -> str:
        """Answer the image's id; raises ImagePullError when the engine does not have it."""
        return await asyncio.to_thread(self._pull, image)

    async def start(self, spec: InstanceSpec) -> Instance:
        """Run the image; raises ResourceNotReadyError when the engine refuses."""
        return await asyncio.to_thread(self._start, spec)

    async def exit_code(self, instance_id: str) -> int | None:
        """Answer None while the container runs, otherwise its exit code."""
        return await asyncio.to_thread(self._exit_code, instance_id)

    async def logs(self, instance_id: str, tail: int) -> str:
        """Answer the last lines of the container's output."""
        return await asyncio.to_thread(self._logs, instance_id, tail)

    async def stop(self, instance_id: str, grace_s: float) -> None:
        """Stop and remove the container."""
        container = self._containers.pop(instance_id, None)
        if container is not None:
            await asyncio.to_thread(self._remove, instance_id, container, grace_s)

    async def remove_all(self) -> None:
        """Remove every container that carries this emulator's id."""
        await asyncio.gather(*(self.stop(instance_id, 0.0) for instance_id in list(self._containers)))
        await asyncio.to_thread(self._remove_labelled)
        self._engine.close()

    def _pull(self, image: str) -> str:
        _, separator, digest = image.partition("@")
        for reference in (image, digest) if separator else (image,):
            try:
                return str(self._engine.images.get(reference).id)
            except ImageNotFound:
                continue
            except DockerException as error:
                raise ImagePullError(image, str(error)) from error
        raise ImagePullError(image, "the local engine has no such image, and the emulator pulls none")

    def _start(self, spec: InstanceSpec) -> Instance:
        code_mount = None if spec.code_dir is None else CODE_ROOT / spec.code_dir.name
        variables = spec.platform_variables(spec.model_mount, code_mount)
        try:
            container = self._engine.containers.run(
                spec.image,
                detach=True,
                environment={**variables, **spec.environment_variables},
                mounts=_mounts(spec.model_dir, spec.model_mount) + _mounts(spec.code_dir, code_mount),
                labels={LABEL: self._emulator_id},
                name=f"local-azureml-{self._emulator_id}-{spec.instance_id}",
                ports={f"{port}/tcp": ("127.0.0.1", 0) for port in spec.ports},
            )
        except DockerException as error:
            self._remove_named(f"local-azureml-{self._emulator_id}-{spec.instance_id}")
            raise ResourceNotReadyError(str(error)) from error
        self._containers[spec.instance_id] = container
        container.reload()
        return Instance(spec.instance_id, {port: _host_port(container, port) for port in spec.ports})

    def _exit_code(self, instance_id: str) -> int | None:
        container = self._containers.get(instance_id)
        if container is None:
            return 0
        try:
            container.reload()
        except NotFound:
            return 0
        if container.status in RUNNING_STATES:
            return None
        return int(container.attrs["State"]["ExitCode"])

    def _logs(self, instance_id: str, tail: int) -> str:
        container = self._containers.get(instance_id)
        if container is None:
            return tail_of(self._log_path(instance_id), tail)
        return container.logs(tail=tail).decode("utf-8", "replace")

    def _remove(self, instance_id: str, container: "Container", grace_s: float) -> None:
        try:
            container.stop(timeout=int(grace_s))
            self._logs_dir.mkdir(parents=True, exist_ok=True)
            self._log_path(instance_id).write_bytes(container.logs())
            container.remove(force=True, v=True)
        except NotFound:
            return

    def _remove_named(self, name: str) -> None:
        for container in self._engine.containers.list(all=True, filters={"name": name}):
            container.remove(force=True, v=True)

    def _remove_labelled(self) -> None:
        filters: dict[str, str | list[str] | bool] = {"label": f"{LABEL}={self._emulator_id}"}
        for container in self._engine.containers.list(all=True, filters=filters, ignore_removed=True):
            container.remove(force=True, v=True)

    def _log_path(self, instance_id: str) -> Path:
        return self._logs_dir / f"{instance_id}.log"


def _mounts(folder: Path | None, inside: PurePosixPath | None) -> list[Mount]:
    if folder is None or inside is None:
        return []
    return [Mount(str(inside), str(folder.resolve()), type="bind", read_only=True)]


def _host_port(container: "Container", port: int) -> int:
    bindings = container.attrs["NetworkSettings"]["Ports"].get(f"{port}/tcp") or []
    for binding in bindings:
        return int(binding["HostPort"])
    # A container that ended at once has no bindings any more; nothing will be reached, and its exit is noticed.
    return 0

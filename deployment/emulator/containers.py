"""Instances as containers of a Docker Engine, published on loopback alone."""

import asyncio
import contextlib
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.types import Mount

from deployment.emulator.errors import ImagePullError, ResourceNotReadyError
from deployment.emulator.processes import tail_of
from deployment.emulator.runtime import CODE_ROOT, Instance, InstanceSpec
from deployment.emulator.threads import MAX_THREADS, Threads

if TYPE_CHECKING:
    from docker.models.containers import Container

LABEL = "local-azureml.emulator"
RUNNING_STATES = frozenset({"created", "running", "paused", "restarting"})


class NoEngineError(Exception):
    """No Docker Engine answers."""


@dataclass(frozen=True, slots=True)
class RegistryLogin:
    """Who pulls images from one registry."""

    registry: str
    username: str
    password: str = field(repr=False)


class ContainerRuntime:
    """Runs images that the engine has, or that a registry gives it; the contract is Runtime's.

    A registry is asked with the login that was given for it, or else with that of `docker login`. Each container
    carries this emulator's id as a label. When one is removed its output is kept in
    `<state folder>/logs/<instance id>.log`.
    """

    def __init__(self, logs_dir: Path, emulator_id: str, registry_login: RegistryLogin | None = None) -> None:
        try:
            self._engine = docker.from_env(max_pool_size=MAX_THREADS)
            self._engine_cores = int(self._engine.info()["NCPU"])
        except DockerException as error:
            raise NoEngineError(
                f"containers: no Docker Engine answers ({error}); start one or use --runtime processes"
            ) from error
        self._registry_login = registry_login
        self._threads = Threads("containers")
        self._logs_dir = logs_dir
        self._emulator_id = emulator_id
        self._containers: dict[str, Container] = {}

    async def pull(self, image: str) -> str:
        """Answer the image's id; raises ImagePullError when neither engine nor registry have it."""
        return await self._threads.run(self._pull, image)

    async def start(self, spec: InstanceSpec) -> Instance:
        """Run the image; raises ResourceNotReadyError when the engine refuses."""
        return await self._threads.run(self._start, spec)

    async def exit_code(self, instance_id: str) -> int | None:
        """Answer None while the container runs, otherwise its exit code."""
        return await self._threads.run(self._exit_code, instance_id)

    async def logs(self, instance_id: str, tail: int) -> str:
        """Answer the last lines of the container's output."""
        return await self._threads.run(self._logs, instance_id, tail)

    async def kill(self, instance_id: str) -> None:
        """Kill the container; it stays until it is stopped."""
        await self._threads.run(self._kill, instance_id)

    async def stop(self, instance_id: str, grace_s: float) -> None:
        """Stop and remove the container; where the engine fails to, it can be asked again."""
        container = self._containers.get(instance_id)
        if container is not None:
            await self._threads.run(self._remove, instance_id, container, grace_s)
            self._containers.pop(instance_id, None)

    async def remove_all(self) -> None:
        """Remove every container that carries this emulator's id."""
        await asyncio.gather(*(self.stop(instance_id, 0.0) for instance_id in list(self._containers)))
        await self._threads.run(self._remove_labelled)
        self._engine.close()

    def _pull(self, image: str) -> str:
        _, separator, digest = image.partition("@")
        try:
            for reference in (image, digest) if separator else (image,):
                with contextlib.suppress(ImageNotFound):
                    return str(self._engine.images.get(reference).id)
            return self._pull_from_registry(image)
        except DockerException as error:
            raise ImagePullError(image, str(error)) from error

    def _pull_from_registry(self, image: str) -> str:
        registry = registry_of(image)
        if registry is None:
            raise ImagePullError(image, "the engine has no such image, and the name has no registry to pull it from")
        # What `docker login` has written since the emulator started counts too.
        self._engine.api.reload_config()
        credentials = self._registry_login
        is_ours = credentials is not None and credentials.registry == registry
        auth = {"username": credentials.username, "password": credentials.password} if credentials and is_ours else None
        return str(self._engine.images.pull(image, auth_config=auth).id)

    def _start(self, spec: InstanceSpec) -> Instance:
        code_mount = None if spec.code_dir is None else CODE_ROOT / spec.code_dir.name
        variables = spec.platform_variables(spec.model_mount, code_mount)
        name = f"local-azureml-{self._emulator_id}-{spec.instance_id}"
        ports = spec.ports if spec.metrics_port is None else spec.ports | {spec.metrics_port}
        try:
            container = self._engine.containers.create(
                spec.image,
                environment={**variables, **spec.environment_variables},
                mounts=_mounts(spec.model_dir, spec.model_mount) + _mounts(spec.code_dir, code_mount),
                labels={LABEL: self._emulator_id},
                name=name,
                ports={f"{port}/tcp": ("127.0.0.1", 0) for port in ports},
                **_limits(spec, self._engine_cores),
            )
            self._containers[spec.instance_id] = container
            container.start()
            container.reload()
        except DockerException as error:
            self._containers.pop(spec.instance_id, None)
            self._remove_named(name)
            raise ResourceNotReadyError(str(error)) from error
        return Instance(spec.instance_id, {port: _host_port(container, port) for port in ports})

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
        before = tail_of(self._log_path(instance_id), tail)
        container = self._containers.get(instance_id)
        if container is None:
            return before
        try:
            now = container.logs(tail=tail).decode("utf-8", "replace")
        except NotFound:
            return before
        return "".join((before + now).splitlines(keepends=True)[-tail:]) if tail else ""

    def _kill(self, instance_id: str) -> None:
        container = self._containers.get(instance_id)
        if container is not None:
            # It may have ended by itself, or be gone.
            with contextlib.suppress(APIError):
                container.kill()

    def _remove(self, instance_id: str, container: "Container", grace_s: float) -> None:
        try:
            container.stop(timeout=int(grace_s))
            self._logs_dir.mkdir(parents=True, exist_ok=True)
            with self._log_path(instance_id).open("ab") as log:
                log.write(container.logs())
        except NotFound:
            return
        _remove(container)

    def _remove_named(self, name: str) -> None:
        for container in self._engine.containers.list(all=True, filters={"name": f"^/{name}$"}, ignore_removed=True):
            _remove(container)

    def _remove_labelled(self) -> None:
        filters: dict[str, str | list[str] | bool] = {"label": f"{LABEL}={self._emulator_id}"}
        for container in self._engine.containers.list(all=True, filters=filters, ignore_removed=True):
            _remove(container)

    def _log_path(self, instance_id: str) -> Path:
        return self._logs_dir / f"{instance_id}.log"


def registry_of(image: str) -> str | None:
    """Answer the registry that an image reference names, as the engine reads it; None when it names none."""
    host, separator, _ = image.partition("/")
    is_host = bool(separator) and ("." in host or ":" in host or host == "localhost")
    return host if is_host else None


def _limits(spec: InstanceSpec, engine_cores: int) -> dict[str, Any]:
    limits: dict[str, Any] = {}
    if spec.sku is not None:
        memory_bytes = int(spec.sku.memory_gib * 2**30)
        # More cores than the machine has are refused by the engine.
        cores = min(spec.sku.cores, engine_cores)
        limits = {"mem_limit": memory_bytes, "memswap_limit": memory_bytes, "nano_cpus": cores * 10**9}
    if spec.read_only_root:
        limits |= {"read_only": True, "tmpfs": {"/tmp": ""}}  # noqa: S108 - the only folder it can write to
    return limits


def _remove(container: "Container") -> None:
    try:
        container.remove(force=True, v=True)
    except NotFound:
        return
    except APIError as error:
        if error.status_code != HTTPStatus.CONFLICT:
            raise
        # Somebody else is removing it already; it is awaited, so that nothing is left when this returns.
        with contextlib.suppress(NotFound):
            container.wait(condition="removed")


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

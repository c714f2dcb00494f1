"""What runs for one deployment: an instance brought up, watched, restarted and shut down."""

import asyncio
import contextlib
import logging
import uuid
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

from deployment.emulator.clock import Clock
from deployment.emulator.entities import Deployment, ProbeSettings, Route
from deployment.emulator.errors import ImagePullError, ProvisioningError, ResourceNotReadyError
from deployment.emulator.probes import Pace, Prober, ProbeResult, ProbeTally
from deployment.emulator.runtime import Instance, InstanceSpec, Runtime

logger = logging.getLogger(__name__)
DRAIN_PERIOD_S = 0.02
EVENTS_KEPT = 200


@dataclass(frozen=True, slots=True)
class ContainerEvent:
    """One event of a container, with the names the platform logs (Pulling, Started, Killing, BackOff ...)."""

    time: datetime
    name: str
    kind: str
    message: str


@dataclass(slots=True)
class InstanceStatus:
    """How far the steps of a start came: Waiting, InProgress, Succeeded or Failed."""

    system_setup: str = "Succeeded"
    image_pull: str = "Waiting"
    model_download: str = "Waiting"
    container_start: str = "Waiting"


@dataclass(slots=True)
class Colour:
    """The running side of a deployment.

    It is ready while its readiness probe passes; pending_requests is kept by the data plane. A container that
    exits or fails its liveness probe is restarted for as long as the deployment lives.
    """

    deployment: Deployment
    runtime: Runtime
    prober: Prober
    clock: Clock
    pace: Pace
    ready: bool = False
    pending_requests: int = 0
    status: InstanceStatus = field(default_factory=InstanceStatus)
    events: deque[ContainerEvent] = field(default_factory=lambda: deque(maxlen=EVENTS_KEPT))
    _instance_id: str = ""
    _instance: Instance | None = None
    _supervisor: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        self._instance_id = f"{self.deployment.endpoint_name}.{self.deployment.name}.{uuid.uuid4().hex[:8]}"

    @property
    def scoring_port(self) -> int:
        """The host port of the container's scoring route; 0 while there is none."""
        return self._host_port(self.deployment.routes.scoring)

    async def bring_up(self) -> None:
        """Start the instance and return once it is ready; raises ProvisioningError and leaves nothing running."""
        try:
            image = await self._pull()
            await self._start(image)
            await self._until_ready()
        except ProvisioningError as error:
            self._record("Failed", "Warning", error.message)
            await self._stop()
            raise
        except asyncio.CancelledError:
            await self._stop()
            raise
        self._supervisor = asyncio.get_running_loop().create_task(self._supervise(image))

    def resume(self) -> None:
        """Start the instance in the background, again and again until it is ready."""
        self._supervisor = asyncio.get_running_loop().create_task(self._resume())

    async def shut_down(self) -> None:
        """Let pending requests finish for as long as one may take, then end the instance; idempotent."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._supervisor
            self._supervisor = None
        deadline_s = self.clock.monotonic_s() + self.deployment.request_settings.request_timeout_s
        while self.pending_requests and self.clock.monotonic_s() < deadline_s:
            await self.clock.sleep(DRAIN_PERIOD_S)
        await self._stop()

    async def logs(self, tail: int) -> str:
        """Answer the last lines of the container's output."""
        return await self.runtime.logs(self._instance_id, tail)

    async def _pull(self) -> str:
        image = self.deployment.environment.image
        self.status.image_pull = "InProgress"
        self._record("Pulling", "Normal", f'Pulling image "{image}"')
        try:
            reference = await self.runtime.pull(image)
        except ImagePullError:
            self.status.image_pull = "Failed"
            raise
        self.status.image_pull = "Succeeded"
        # No model to download: the image brings its own.
        self.status.model_download = "Succeeded"
        self._record("Pulled", "Normal", f'Successfully pulled image "{image}"')
        return reference

    async def _start(self, image: str) -> None:
        self.status.container_start = "InProgress"
        routes = self.deployment.routes
        spec = InstanceSpec(
            self._instance_id,
            image,
            self.deployment.environment_variables,
            routes.scoring.port,
            routes.ports,
            model_dir=self.deployment.model_dir,
            model_mount=self.deployment.model_mount,
            code_dir=self.deployment.code_dir,
            entry_script=self.deployment.entry_script,
        )
        self._instance = await self.runtime.start(spec)
        self._record("Created", "Normal", "Created container inference-server")
        self._record("Started", "Normal", "Started container inference-server")

    async def _stop(self) -> None:
        self.ready = False
        self._instance = None
        await self.runtime.stop(self._instance_id, self.pace.grace_s)

    async def _until_ready(self) -> None:
        probe = self.deployment.readiness_probe
        tally = ProbeTally(probe)
        deadline_s = self.clock.monotonic_s() + self.pace.budget_s(probe)
        await self.clock.sleep(self.pace.first_delay_s(probe))
        while True:
            exit_code = await self.runtime.exit_code(self._instance_id)
            if exit_code is not None:
                self.status.container_start = "Failed"
                raise ResourceNotReadyError(f"the container exited with code {exit_code} before it was ready")
            result = await self._probe(self.deployment.routes.readiness, probe)
            tally.record(result)
            if tally.has_succeeded:
                break
            if self.clock.monotonic_s() >= deadline_s:
                self.status.container_start = "Failed"
                self._record("ReadinessProbeFailed", "Warning", f"Readiness probe failed: {result.reason}")
                raise ResourceNotReadyError(
                    f"Readiness probe failed: {result.reason} (after {self.pace.budget_s(probe):g} s)"
                )
            await self.clock.sleep(self.pace.first_period(probe))
        self.status.container_start = "Succeeded"
        self.ready = True
        self._record("ContainerReady", "Normal", "Container inference-server is ready")

    async def _resume(self) -> None:
        attempts = 0
        while True:
            try:
                image = await self._pull()
                await self._start(image)
                await self._until_ready()
            except ProvisioningError as error:
                self._record("BackOff", "Warning", error.message)
                await self._stop()
                await self.clock.sleep(self.pace.restart_delay_s(attempts))
                attempts += 1
            else:
                await self._supervise(image)

    async def _supervise(self, image: str) -> None:
        restarts = 0
        while True:
            event, reason = await self._first_fault()
            logger.warning("%s: %s; restarting", self._instance_id, reason)
            self._record(event, "Warning", reason)
            await self._stop()
            await self.clock.sleep(self.pace.restart_delay_s(restarts))
            restarts += 1
            try:
                await self._start(image)
                await self._until_ready()
            except ProvisioningError as error:
                self._record("BackOff", "Warning", error.message)

    async def _first_fault(self) -> tuple[str, str]:
        watches = [
            asyncio.ensure_future(watch) for watch in (self._until_exit(), self._until_dead(), self._watch_readiness())
        ]
        try:
            done, _ = await asyncio.wait(watches, return_when=asyncio.FIRST_COMPLETED)
            return next(iter(done)).result()
        finally:
            for each in watches:
                each.cancel()
            await asyncio.gather(*watches, return_exceptions=True)

    async def _until_exit(self) -> tuple[str, str]:
        while True:
            exit_code = await self.runtime.exit_code(self._instance_id)
            if exit_code is not None:
                return "BackOff", f"Back-off restarting failed container inference-server (exit code {exit_code})"
            await self.clock.sleep(self.pace.watch_period_s)

    async def _until_dead(self) -> tuple[str, str]:
        probe = self.deployment.liveness_probe
        tally = ProbeTally(probe)
        while True:
            await self.clock.sleep(probe.period_s)
            result = await self._probe(self.deployment.routes.liveness, probe)
            tally.record(result)
            if not result.passed:
                self._record("LivenessProbeFailed", "Warning", f"Liveness probe failed: {result.reason}")
            if tally.has_failed:
                return "Killing", "Container inference-server failed liveness probe, will be restarted"

    async def _watch_readiness(self) -> tuple[str, str]:
        probe = self.deployment.readiness_probe
        tally = ProbeTally(probe)
        while True:
            await self.clock.sleep(probe.period_s)
            result = await self._probe(self.deployment.routes.readiness, probe)
            tally.record(result)
            if not result.passed:
                self._record("ReadinessProbeFailed", "Warning", f"Readiness probe failed: {result.reason}")
            if tally.has_failed:
                self.ready = False
            elif tally.has_succeeded:
                self.ready = True

    async def _probe(self, route: Route, probe: ProbeSettings) -> ProbeResult:
        return await self.prober.check(self._host_port(route), route.path, probe.timeout_s)

    def _host_port(self, route: Route) -> int:
        return 0 if self._instance is None else self._instance.host_ports.get(route.port, 0)

    def _record(self, name: str, kind: str, message: str) -> None:
        self.events.append(ContainerEvent(self.clock.now(), name, kind, message))

"""One instance of a deployment: brought up, probed, restarted when it dies, ended."""

import asyncio
import contextlib
import logging
import uuid
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeVar

from deployment.emulator.clock import Clock
from deployment.emulator.container_events import ContainerEvent, InstanceStatus
from deployment.emulator.entities import Deployment, ProbeSettings, Route
from deployment.emulator.errors import ImagePullError, ProvisioningError, ResourceNotReadyError
from deployment.emulator.probes import Pace, Prober, ProbeResult, ProbeTally
from deployment.emulator.runtime import Instance, InstanceSpec, Runtime, metrics_port_of, without_secrets
from deployment.emulator.skus import sku_named

logger = logging.getLogger(__name__)
DRAIN_PERIOD_S = 0.02
EVENTS_KEPT = 200
ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class _Death:
    event: str
    message: str
    error: Exception


class WatchedInstance:
    """A container that is kept running until it is shut down.

    It is ready while its readiness probe passes; one that exits or fails its liveness probe is restarted. The data
    plane keeps pending_requests; check_pull raises ImagePullError where the deployment may not have its image.
    """

    def __init__(
        self,
        deployment: Deployment,
        runtime: Runtime,
        prober: Prober,
        clock: Clock,
        pace: Pace,
        check_pull: Callable[[Deployment], None] = lambda _: None,
    ) -> None:
        self.deployment = deployment
        self.id = f"{deployment.endpoint_name}.{deployment.name}.{uuid.uuid4().hex[:8]}"
        self.ready = False
        self.pending_requests = 0
        self.status = InstanceStatus()
        self.events: deque[ContainerEvent] = deque(maxlen=EVENTS_KEPT)
        self._runtime = runtime
        self._prober = prober
        self._clock = clock
        self._pace = pace
        self._check_pull = check_pull
        self._running: Instance | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._first_ready: asyncio.Future[None] | None = None
        self._deadline_s: float | None = None

    @property
    def scoring_port(self) -> int:
        """The host port of the container's scoring route; 0 while there is none."""
        return self._host_port(self.deployment.routes.scoring)

    @property
    def metrics_port(self) -> int:
        """The host port of the container's metrics; 0 while there is none."""
        port = metrics_port_of(self.deployment.environment_variables)
        return 0 if self._running is None or port is None else self._running.host_ports.get(port, 0)

    async def bring_up(self) -> None:
        """Start the container and return once it is ready; raises ProvisioningError and leaves nothing running."""
        self._first_ready = asyncio.get_running_loop().create_future()
        self.resume()
        try:
            await self._first_ready
        except BaseException:
            await self._end()
            raise

    def resume(self) -> None:
        """Start the container in the background and keep trying."""
        self._supervisor = asyncio.get_running_loop().create_task(self._supervise())

    async def shut_down(self) -> None:
        """Let pending requests finish for as long as one may take, then end the container; idempotent."""
        deadline_s = self._clock.monotonic_s() + self.deployment.request_settings.request_timeout_s
        while self.pending_requests and self._clock.monotonic_s() < deadline_s:
            await self._clock.sleep(DRAIN_PERIOD_S)
        await self._end()

    async def kill(self) -> None:
        """End the container as a crash would; it is restarted like one that crashed."""
        await self._runtime.kill(self.id)

    async def logs(self, tail: int) -> str:
        """Answer the last lines of the container's output."""
        return await self._runtime.logs(self.id, tail)

    async def _supervise(self) -> None:
        restarts = 0
        while True:
            started_s = self._clock.monotonic_s()
            try:
                await self._start()
                death = await self._death()
            except ProvisioningError as error:
                self.status.container_start = "Failed"
                event = "ImagePullFailed" if isinstance(error, ImagePullError) else "Failed"
                death = _Death(event, error.message, error)
            except Exception as error:  # a fault of the emulator's own must not leave a start waiting for ever
                logger.exception("%s: the emulator itself failed", self.id)
                death = _Death("Failed", f"emulator: {error}", error)
            logger.warning("%s: %s", self.id, death.message)
            self._record(death.event, "Warning", death.message)
            if not self._may_yet_start(death.error):
                self._fail(death.error)
            await self._stop_in_the_end()
            restarts = 0 if self._pace.forgets(self._clock.monotonic_s() - started_s) else restarts
            await self._clock.sleep(self._pace.restart_delay_s(restarts))
            restarts += 1

    def _may_yet_start(self, error: Exception) -> bool:
        in_time = self._deadline_s is not None and self._clock.monotonic_s() < self._deadline_s
        return self._pace.real_delays and in_time and isinstance(error, ResourceNotReadyError)

    async def _start(self) -> None:
        image = await self._pull()
        if self._deadline_s is None:
            self._deadline_s = self._clock.monotonic_s() + self._pace.budget_s(self.deployment.readiness_probe)
        self.status.container_start = "InProgress"
        self._running = await _to_its_end(self._runtime.start(self._spec(image)))
        self._record("Created", "Normal", "Created container inference-server")
        self._record("Started", "Normal", "Started container inference-server")

    async def _pull(self) -> str:
        image = self.deployment.environment.image
        self.status.image_pull = "InProgress"
        self._record("Pulling", "Normal", f'Pulling image "{image}"')
        try:
            self._check_pull(self.deployment)
            reference = await self._runtime.pull(image)
        except ImagePullError:
            self.status.image_pull = "Failed"
            raise
        self.status.image_pull = "Succeeded"
        # A model is a folder of this machine already, or is in the image.
        self.status.model_download = "Succeeded"
        self._record("Pulled", "Normal", f'Successfully pulled image "{image}"')
        return reference

    def _spec(self, image: str) -> InstanceSpec:
        deployment = self.deployment
        return InstanceSpec(
            self.id,
            image,
            without_secrets(deployment.environment_variables),
            deployment.routes.scoring.port,
            deployment.routes.ports,
            model_dir=deployment.model_dir,
            model_mount=deployment.model_mount,
            code_dir=deployment.code_dir,
            entry_script=deployment.entry_script,
            sku=sku_named(deployment.instance_type),
            read_only_root=deployment.read_only_root,
            metrics_port=metrics_port_of(deployment.environment_variables),
        )

    async def _death(self) -> _Death:
        watches = [asyncio.ensure_future(each) for each in (self._until_exit(), self._until_dead(), self._readiness())]
        try:
            done, _ = await asyncio.wait(watches, return_when=asyncio.FIRST_COMPLETED)
            return next(iter(done)).result()
        finally:
            self.ready = False
            for each in watches:
                each.cancel()
            await asyncio.gather(*watches, return_exceptions=True)

    async def _until_exit(self) -> _Death:
        while True:
            code = await self._runtime.exit_code(self.id)
            if code is not None:
                before = "" if self.ready else " before it was ready"
                message = f"Back-off restarting failed container inference-server (exit code {code})"
                return _Death(
                    "BackOff", message, ResourceNotReadyError(f"the container exited with code {code}{before}")
                )
            await self._clock.sleep(self._pace.watch_period_s if self.ready else self._pace.first_period_s)

    async def _until_dead(self) -> _Death:
        probe = self.deployment.liveness_probe
        tally = ProbeTally(probe)
        await self._clock.sleep(probe.initial_delay_s)
        while True:
            result = await self._probe(self.deployment.routes.liveness, probe)
            tally.record(result)
            if not result.passed:
                self._record("LivenessProbeFailed", "Warning", f"Liveness probe failed: {result.reason}")
            if tally.has_failed:
                message = "Container inference-server failed liveness probe, will be restarted"
                return _Death("Killing", message, ResourceNotReadyError(f"Liveness probe failed: {result.reason}"))
            await self._clock.sleep(probe.period_s)

    async def _readiness(self) -> _Death:
        probe = self.deployment.readiness_probe
        tally = ProbeTally(probe)
        last_reason = ""
        await self._clock.sleep(self._pace.first_delay_s(probe))
        while True:
            result = await self._probe(self.deployment.routes.readiness, probe)
            tally.record(result)
            if tally.has_succeeded:
                self._become_ready()
            elif tally.has_failed:
                self.ready = False
            if not result.passed and (self.ready or result.reason != last_reason):
                self._record("ReadinessProbeFailed", "Warning", f"Readiness probe failed: {result.reason}")
            last_reason = result.reason
            if not self.ready:
                await self._give_up_in_time(result)
            await self._clock.sleep(probe.period_s if self.ready else self._pace.first_period(probe))

    def _become_ready(self) -> None:
        if self.ready:
            return
        self.ready = True
        self.status.container_start = "Succeeded"
        self._record("ContainerReady", "Normal", "Container inference-server is ready")
        if self._first_ready is not None and not self._first_ready.done():
            self._first_ready.set_result(None)

    async def _give_up_in_time(self, result: ProbeResult) -> None:
        if self._first_ready is None or self._first_ready.done() or self._clock.monotonic_s() < (self._deadline_s or 0):
            return
        budget_s = self._pace.budget_s(self.deployment.readiness_probe)
        live = await self._probe(self.deployment.routes.liveness, self.deployment.liveness_probe)
        which, reason = ("Readiness", result.reason) if live.passed else ("Liveness", live.reason)
        self._record(f"{which}ProbeFailed", "Warning", f"{which} probe failed: {reason}")
        self._fail(ResourceNotReadyError(f"{which} probe failed: {reason} (for {budget_s:g} s)"))

    def _fail(self, error: Exception) -> None:
        if self._first_ready is not None and not self._first_ready.done():
            self.status.container_start = "Failed"
            self._first_ready.set_exception(error)

    async def _end(self) -> None:
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is not None:
            supervisor.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await supervisor
        await self._stop()

    async def _stop_in_the_end(self) -> None:
        """Stop the container, however often the runtime fails to, as a Docker Engine that is being restarted does."""
        for attempt in count(1):
            try:
                await self._stop()
            except Exception:
                logger.exception("%s: it cannot be stopped; trying again", self.id)
                await self._clock.sleep(self._pace.restart_delay_s(attempt))
            else:
                return

    async def _stop(self) -> None:
        self.ready = False
        self._running = None
        await _to_its_end(self._runtime.stop(self.id, self._pace.grace_s))

    async def _probe(self, route: Route, probe: ProbeSettings) -> ProbeResult:
        return await self._prober.check(self._host_port(route), route.path, probe.timeout_s)

    def _host_port(self, route: Route) -> int:
        return 0 if self._running is None else self._running.host_ports.get(route.port, 0)

    def _record(self, name: str, kind: str, message: str) -> None:
        self.events.append(ContainerEvent(self._clock.now(), name, kind, message))


async def _to_its_end(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Await what cannot be taken back half-way: when cancelled meanwhile, it has ended before this does."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        with contextlib.suppress(ProvisioningError):
            await task
        raise

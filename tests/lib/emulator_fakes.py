"""A clock that tests wind, a runtime and a prober that do as they are told, and a backend made of them."""

import asyncio
import heapq
from collections.abc import Awaitable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deployment.emulator.backend import BackendSettings, make_backend
from deployment.emulator.colour import Colour
from deployment.emulator.colours import Colours
from deployment.emulator.deployments import WantedDeployment
from deployment.emulator.entities import (
    Deployment,
    EndpointSettings,
    Environment,
    InferenceRoutes,
    ProbeSettings,
    RequestSettings,
    Route,
    Workspace,
)
from deployment.emulator.errors import ImagePullError
from deployment.emulator.instances import WatchedInstance
from deployment.emulator.probes import Pace, ProbeResult
from deployment.emulator.provisioning import State
from deployment.emulator.registries import Registries
from deployment.emulator.runtime import Instance, InstanceSpec
from deployment.emulator.store import Store

# Where nothing may be written: a test that stores files gives a folder.
NOWHERE = Path("/nowhere")
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
FAILED_PROBE = ProbeResult(passed=False, reason="HTTP probe failed with statuscode: 503")


class FakeClock:
    """Time stands still until a test winds the clock on."""

    def __init__(self) -> None:
        self._now_s = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self._now_s)

    def monotonic_s(self) -> float:
        return self._now_s

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self._now_s + seconds, self._count, woken))
        await woken

    async def wind(self, seconds: float) -> None:
        """Let that much time pass, waking each sleeper at its moment."""
        end_s = self._now_s + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= end_s:
            self._now_s, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)
            await settle()
        self._now_s = end_s


async def settle() -> None:
    """Let every task run until it waits for something."""
    for _ in range(20):
        await asyncio.sleep(0)


@dataclass
class FakeRuntime:
    """Instances that are only written down; unknown_images cannot be pulled."""

    unknown_images: set[str] = field(default_factory=set)
    started: list[InstanceSpec] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    exit_codes: dict[str, int] = field(default_factory=dict)
    running: set[str] = field(default_factory=set)
    output: str = "one\ntwo\n"
    start_gate: asyncio.Event | None = None
    stop_gate: asyncio.Event | None = None
    stop_faults: int = 0
    fault: Exception | None = None

    async def pull(self, image: str) -> str:
        if image in self.unknown_images:
            raise ImagePullError(image, "unknown")
        return image

    async def start(self, spec: InstanceSpec) -> Instance:
        if self.fault is not None:
            raise self.fault
        if self.start_gate is not None:
            await self.start_gate.wait()
        self.started.append(spec)
        self.running.add(spec.instance_id)
        self.exit_codes.pop(spec.instance_id, None)
        return Instance(spec.instance_id, dict.fromkeys(spec.ports, 40000 + len(self.started)))

    async def exit_code(self, instance_id: str) -> int | None:
        return self.exit_codes.get(instance_id)

    async def logs(self, instance_id: str, tail: int) -> str:
        assert instance_id
        return "".join(self.output.splitlines(keepends=True)[-tail:])

    async def kill(self, instance_id: str) -> None:
        if instance_id in self.running:
            self.exit_codes[instance_id] = 137

    async def stop(self, instance_id: str, grace_s: float) -> None:
        assert grace_s >= 0
        if self.stop_faults:
            self.stop_faults -= 1
            raise ConnectionError("the engine is being restarted")
        if instance_id in self.running:
            # As in the real ones: whoever stops it a second time does not wait.
            self.running.discard(instance_id)
            if self.stop_gate is not None:
                await self.stop_gate.wait()
        self.stopped.append(instance_id)

    async def remove_all(self) -> None:
        self.running.clear()


@dataclass
class FakeProber:
    """Answers by path and by port; what is not set passes."""

    results: dict[str, ProbeResult] = field(default_factory=dict)
    ports_failing: set[int] = field(default_factory=set)
    sent: list[str] = field(default_factory=list)

    async def check(self, host_port: int, path: str, timeout_s: float) -> ProbeResult:
        assert host_port
        assert timeout_s > 0
        self.sent.append(path)
        if host_port in self.ports_failing:
            return FAILED_PROBE
        return self.results.get(path, ProbeResult(passed=True))


ROUTES = InferenceRoutes(Route("/live", 8003), Route("/ready", 8003), Route("/score", 8003))
PROBE = ProbeSettings(initial_delay_s=10, period_s=5, timeout_s=2, success_threshold=1, failure_threshold=4)


def an_environment(image: str = "image", version: str = "1", name: str = "env") -> Environment:
    return Environment(
        name, version, image, is_anonymous=False, routes=ROUTES, tags={}, description=None, created_at=EPOCH
    )


def a_deployment(name: str = "blue", *, settings: RequestSettings | None = None, instance_count: int = 1) -> Deployment:
    return Deployment(
        endpoint_name="diabetes",
        name=name,
        environment=an_environment(),
        environment_variables={},
        request_settings=settings or RequestSettings(),
        liveness_probe=PROBE,
        readiness_probe=PROBE,
        instance_type="Standard_DS3_v2",
        instance_count=instance_count,
        tags={},
        description=None,
        properties={},
        egress_public_network_access="Enabled",
        state=State.SUCCEEDED,
        created_at=EPOCH,
        modified_at=EPOCH,
    )


WANTED_ENDPOINT = EndpointSettings(
    name="diabetes",
    tags={},
    description=None,
    identity_type="SystemAssigned",
    public_network_access="Enabled",
    properties={},
    traffic={},
)
WANTED_DEPLOYMENT = WantedDeployment(
    endpoint_name="diabetes",
    name="blue",
    environment_name="env",
    environment_version="1",
    environment_variables={},
    request_settings=RequestSettings(),
    liveness_probe=PROBE,
    readiness_probe=PROBE,
    instance_type="Standard_DS3_v2",
    instance_count=1,
    tags={},
    description=None,
    properties={},
    egress_public_network_access="Enabled",
)


class Bench:
    """A whole backend on a fake clock, a fake runtime and a fake prober."""

    def __init__(
        self,
        pace: Pace | None = None,
        folder: Path | None = None,
        *,
        operation_s: float = 0.0,
        core_quota: int | None = None,
        foreign_registries: tuple[str, ...] = (),
    ) -> None:
        self.clock = FakeClock()
        self.runtime = FakeRuntime()
        self.prober = FakeProber()
        self.store = Store(folder)
        self.pace = pace or Pace()
        self.colours = Colours(self.colour, self.store.running)
        settings = BackendSettings(folder or NOWHERE, operation_s=operation_s, core_quota=core_quota)
        self.registries = Registries(self.store, Workspace(), None, foreign_registries)
        self.backend = make_backend(settings, self.store, self.colours, self.clock, self.registries)
        self.operations = self.backend.operations
        self.environments = self.backend.environments
        self.endpoints = self.backend.endpoints
        self.deployments = self.backend.deployments
        self.tokens = self.backend.tokens
        self.store.environments.save(an_environment())
        self.store.environments.save(an_environment("missing", "2"))
        self.runtime.unknown_images.add("missing")

    def colour(self, deployment: Deployment) -> Colour:
        return Colour(deployment, self.instance)

    def instance(self, deployment: Deployment) -> WatchedInstance:
        check_pull = self.registries.check_pull
        return WatchedInstance(deployment, self.runtime, self.prober, self.clock, self.pace, check_pull)

    async def with_colours(self, **traffic: int) -> None:
        """Create the endpoint with these deployments and this traffic."""
        self.endpoints.put(WANTED_ENDPOINT)
        await self.operations.settle()
        for name in traffic:
            self.deployments.put(replace(WANTED_DEPLOYMENT, name=name))
            await self.operations.settle()
        await self.set_traffic(**traffic)

    async def set_traffic(self, **traffic: int) -> None:
        self.endpoints.put(replace(WANTED_ENDPOINT, traffic=traffic))
        await self.operations.settle()

    async def close(self) -> None:
        await self.operations.cancel()
        await self.colours.close()
        self.store.close()


def run(work: Awaitable[None]) -> None:
    """Run a test's coroutine in a loop of its own."""

    async def main() -> None:
        await asyncio.wait_for(work, 20)

    asyncio.run(main())

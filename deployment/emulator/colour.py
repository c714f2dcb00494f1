"""What runs for one deployment: as many instances as it asks for, and which of them gets the next request."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from deployment.emulator.container_events import ContainerEvent, InstanceStatus
from deployment.emulator.entities import Deployment
from deployment.emulator.errors import BadRequestError
from deployment.emulator.instances import WatchedInstance


class Colour:
    """The running side of a deployment; it is ready while one of its instances is."""

    def __init__(self, deployment: Deployment, new_instance: Callable[[Deployment], WatchedInstance]) -> None:
        self.deployment = deployment
        self._new_instance = new_instance
        self._instances = [new_instance(deployment) for _ in range(deployment.instance_count)]
        self._failed: list[WatchedInstance] = []
        self._turn = 0

    @property
    def instances(self) -> Sequence[WatchedInstance]:
        """The instances in the order in which they were started."""
        return self._instances

    @property
    def ready(self) -> bool:
        """Whether an instance takes requests."""
        return any(each.ready for each in self._instances)

    @property
    def pending_requests(self) -> int:
        """How many requests are under way in all instances."""
        return sum(each.pending_requests for each in self._instances)

    @property
    def status(self) -> InstanceStatus:
        """How far the start of the instance came that the log is about."""
        return self._told().status

    @property
    def events(self) -> deque[ContainerEvent]:
        """The events of the instance that the log is about."""
        return self._told().events

    async def logs(self, tail: int) -> str:
        """Answer the last lines of the output of the instance that the log is about."""
        return await self._told().logs(tail)

    async def bring_up(self) -> None:
        """Start all instances and return once each is ready; raises ProvisioningError and leaves nothing running."""
        await self._bring_up(self._instances)

    def resume(self) -> None:
        """Start all instances in the background and keep trying."""
        for each in self._instances:
            each.resume()

    async def change(self, deployment: Deployment) -> None:
        """Take on what the containers cannot see, the instance count included.

        Raises ProvisioningError when further instances do not start; as many as before then run.
        """
        further = [self._new_instance(deployment) for _ in range(deployment.instance_count - len(self._instances))]
        await self._bring_up(further)
        self._instances += further
        self._failed = []
        surplus = self._instances[deployment.instance_count :]
        del self._instances[deployment.instance_count :]
        self.deployment = deployment
        for each in self._instances:
            each.deployment = deployment
        await asyncio.gather(*(each.shut_down() for each in surplus))

    async def shut_down(self) -> None:
        """Let pending requests finish for as long as one may take, then end all instances; idempotent."""
        await asyncio.gather(*(each.shut_down() for each in self._instances))

    def choose(self) -> WatchedInstance | None:
        """Answer the ready instance with the fewest requests under way, in turn where several have; None for none."""
        ready = [each for each in self._instances if each.ready]
        if not ready:
            return None
        self._turn = (self._turn + 1) % len(ready)
        return min(ready[self._turn :] + ready[: self._turn], key=lambda each: each.pending_requests)

    async def kill_instance(self, index: int) -> None:
        """End one instance as a crash would; raises BadRequestError when there is none of that index."""
        if not 0 <= index < len(self._instances):
            raise BadRequestError(
                f"deployment '{self.deployment.name}': no such instance ({index} vs 0 to {len(self._instances) - 1})"
            )
        await self._instances[index].kill()

    async def _bring_up(self, instances: Sequence[WatchedInstance]) -> None:
        starting = [asyncio.ensure_future(each.bring_up()) for each in instances]
        try:
            await asyncio.gather(*starting)
        except BaseException:
            for each in starting:
                each.cancel()
            await asyncio.gather(*starting, return_exceptions=True)
            await asyncio.gather(*(each.shut_down() for each in instances))
            self._failed = list(instances)
            raise

    def _told(self) -> WatchedInstance:
        """Answer the instance with the latest warning, otherwise the first: the platform shows one and names none."""
        return max([*self._instances, *self._failed], key=_latest_warning)


def _latest_warning(instance: WatchedInstance) -> float:
    return max((event.time.timestamp() for event in instance.events if event.kind == "Warning"), default=0.0)

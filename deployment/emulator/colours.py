"""All that runs: which colour serves each deployment, and which one's logs are the latest."""

import asyncio
import logging
from collections.abc import Callable

from deployment.emulator.colour import Colour
from deployment.emulator.entities import Deployment
from deployment.emulator.store import Collection

logger = logging.getLogger(__name__)
Key = tuple[str, str]


class Colours:
    """Makes what runs agree with what deployments say, and remembers what runs beyond the emulator's end."""

    def __init__(self, new_colour: Callable[[Deployment], Colour], running: Collection[Deployment]) -> None:
        self._new_colour = new_colour
        self._running = running
        self._serving: dict[Key, Colour] = {}
        self._latest: dict[Key, Colour] = {}

    def serving(self, endpoint_name: str, deployment_name: str) -> Colour | None:
        """Answer the colour that requests to this deployment go to, ready or not."""
        return self._serving.get((endpoint_name, deployment_name))

    def all_serving(self) -> dict[Key, Colour]:
        """Answer the colours that requests go to, by the names of endpoint and deployment."""
        return dict(self._serving)

    def latest(self, endpoint_name: str, deployment_name: str) -> Colour | None:
        """Answer the colour that was started last for this deployment, even if it failed: its logs say why."""
        return self._latest.get((endpoint_name, deployment_name))

    async def apply(self, deployment: Deployment) -> None:
        """Make this deployment run; raises ProvisioningError, and what ran before then still runs.

        A change that the containers cannot see (tags, request settings, probes, instance count) starts none anew.
        """
        key = (deployment.endpoint_name, deployment.name)
        before = self._serving.get(key)
        if before is not None and before.ready and _container(before.deployment) == _container(deployment):
            await before.change(deployment)
            self._running.save(deployment)
            return
        colour = self._new_colour(deployment)
        self._latest[key] = colour
        if before is None:
            self._serving[key] = colour
        await colour.bring_up()
        self._serving[key] = colour
        if before is not None:
            await _end(before)
        # Last: an update that is cut off before has failed, and what ran before it is what runs again.
        self._running.save(deployment)

    def resume(self) -> None:
        """Start in the background what ran when the emulator ended; what does not start is tried again for ever."""
        for deployment in self._running.all():
            key = (deployment.endpoint_name, deployment.name)
            self._serving[key] = self._latest[key] = colour = self._new_colour(deployment)
            colour.resume()

    async def remove(self, endpoint_name: str, deployment_name: str) -> None:
        """End what runs for a deployment, pending requests first; idempotent."""
        key = (endpoint_name, deployment_name)
        colour = self._serving.get(key)
        if colour is not None:
            await colour.shut_down()
        self._running.remove(*key)
        self._serving.pop(key, None)
        self._latest.pop(key, None)

    async def close(self) -> None:
        """End all colours, side by side; what ran is remembered."""
        await asyncio.gather(*(_end(colour) for colour in self._serving.values()))
        self._serving.clear()
        self._latest.clear()


async def _end(colour: Colour) -> None:
    """End a colour; one that cannot be ended now is ended with the emulator."""
    try:
        await colour.shut_down()
    except Exception:
        logger.exception("deployment %s: it cannot be ended", colour.deployment.name)


def _container(deployment: Deployment) -> object:
    return (
        deployment.environment.image,
        deployment.routes,
        dict(deployment.environment_variables),
        deployment.model_dir,
        deployment.model_mount,
        deployment.code_dir,
        deployment.entry_script,
        deployment.instance_type,
        deployment.read_only_root,
    )

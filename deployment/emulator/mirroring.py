"""Mirrored traffic: copies of live requests to a deployment whose answers nobody gets."""

import asyncio
import logging
import random
import time
from collections.abc import Mapping

from deployment.emulator.colours import Colours
from deployment.emulator.entities import Endpoint
from deployment.emulator.exchange import Request
from deployment.emulator.forwarding import forward, not_ready
from deployment.emulator.routing import is_drawn
from deployment.emulator.traffic_log import Timing, TrafficLog
from deployment.emulator.upstream import Upstream

logger = logging.getLogger(__name__)


class Mirroring:
    """Sends copies in the background; whatever becomes of one, its client does not notice, only the log does."""

    def __init__(self, colours: Colours, upstream: Upstream, log: TrafficLog, rng: random.Random) -> None:
        self._colours = colours
        self._upstream = upstream
        self._log = log
        self._rng = rng
        self._under_way: set[asyncio.Task[None]] = set()

    def copy(self, endpoint: Endpoint, request: Request, target: bytes, ids: tuple[str, str]) -> None:
        """Send copies of a live request to the deployments that are drawn; returns at once."""
        for name in _drawn(endpoint.mirror_traffic, self._rng):
            task = asyncio.get_running_loop().create_task(self._send(endpoint.name, name, request, target, ids))
            self._under_way.add(task)
            task.add_done_callback(self._forget)

    async def close(self) -> None:
        """Drop what is under way."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _send(self, endpoint_name: str, name: str, request: Request, target: bytes, ids: tuple[str, str]) -> None:
        started_s = time.perf_counter()
        colour = self._colours.serving(endpoint_name, name)
        if colour is None:
            answer = not_ready(name, "The deployment is gone.")
        else:
            answer = await forward(self._upstream, colour, request, target, ids)
        timing = Timing(started_s, started_s, time.perf_counter())
        self._log.write(request, answer, timing, endpoint=endpoint_name, path=target, ids=ids, is_mirrored=True)

    def _forget(self, task: "asyncio.Task[None]") -> None:
        self._under_way.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("mirroring failed inside the emulator", exc_info=task.exception())


def _drawn(mirror_traffic: Mapping[str, int], rng: random.Random) -> list[str]:
    return [name for name, percent in mirror_traffic.items() if is_drawn(percent, rng)]

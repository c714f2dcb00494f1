"""From the start of a process to its first 200, and what it then holds in memory."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.contenders import OURS
from benchmarks.machine import Cores, resident_mb
from benchmarks.models import TrainedModel
from benchmarks.server import Server, started_s


@dataclass(frozen=True)
class Start:
    """Seconds from a process's start to the first 200 of GET /: of the engine's, and of azmlinfsrv, which starts it."""

    engine_s: float
    azmlinfsrv_s: float


def engine_pid(server: Server) -> int:
    """Return the process that answers on the scoring port, as it says itself."""
    return int(json.loads(server.ask("GET", "/")[1])["pid"])


def engine_memory_mb(server: Server) -> float:
    """Return the resident memory of the process that answers on the scoring port."""
    return resident_mb(engine_pid(server))


def measure_starts(
    model: TrainedModel, *, cores: Cores, count: int, advance: Callable[[str], None]
) -> tuple[Start, ...]:
    """Start the service that many times, each on the one core; files are in the page cache from the second on."""
    starts = []
    for number in range(count):
        advance(f"start {number + 1} of {count}")
        server = OURS.server(model, cores.server)
        try:
            server.start()
            azmlinfsrv_s = server.wait_until_ready()
            ready_s = time.clock_gettime(time.CLOCK_BOOTTIME)
            starts.append(Start(ready_s - started_s(engine_pid(server)), azmlinfsrv_s))
        finally:
            server.stop()
    return tuple(starts)

"""What a probe sees of a server that has more to do than it can: asked all the while, from a process of its own."""

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event

PATH = "/readyz"
INTERVAL_S = 0.05
TIMEOUT_S = 2.0  # the platform's own for a probe
END_TIMEOUT_S = 10.0


@contextmanager
def probing(port: int) -> Iterator[list[float]]:
    """Yield a list that holds, after the block, what each probe took in seconds; TIMEOUT_S for one that failed."""
    context = multiprocessing.get_context("spawn")  # the generator's event loop is not to be forked
    reading, writing = context.Pipe(duplex=False)
    ended = context.Event()
    prober = context.Process(target=probe_until, args=(ended, port, writing), daemon=True)
    prober.start()
    durations_s: list[float] = []
    try:
        reading.recv()  # it has begun
        yield durations_s
        ended.set()
        if reading.poll(END_TIMEOUT_S):
            durations_s += reading.recv()
    finally:
        ended.set()
        prober.join(END_TIMEOUT_S)
        prober.kill()
        prober.join()


def probe_until(ended: Event, port: int, writing: Connection) -> None:
    """Ask again and again, each time over a connection of its own, as the platform does."""
    writing.send("begun")
    durations_s = []
    while not ended.wait(INTERVAL_S):
        durations_s.append(probe(port))
    writing.send(durations_s)


def probe(port: int) -> float:
    started_s = time.perf_counter()
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", PATH)
        answered = connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        answered = False
    finally:
        connection.close()
    return time.perf_counter() - started_s if answered else TIMEOUT_S

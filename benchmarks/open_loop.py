"""Requests that arrive when they arrive, however long the server takes: an open model on one core.

Connections are opened beforehand. An arrival that finds none free is not sent, as the platform's own front refuses what
is beyond its limit of concurrent requests; it is counted, and so is how late the generator itself was.
"""

import asyncio
import gc
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import uvloop

OK = b"HTTP/1.1 200 "
UNAVAILABLE = b"HTTP/1.1 503 "
HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length:"
SETTLE_S = 2.0


@dataclass(frozen=True)
class Question:
    """A request as it goes out, and the body that must come back with 200."""

    request: bytes
    answer: bytes


@dataclass
class Outcome:
    """What came of the arrivals of one run; times in seconds from the moment that each was meant to be sent."""

    offered_per_s: float
    seconds: float
    accepted_s: list[float] = field(default_factory=list)
    refused_s: list[float] = field(default_factory=list)
    lags_s: list[float] = field(default_factory=list)
    found_no_connection: int = 0
    wrong: int = 0
    broken: int = 0
    unanswered: int = 0

    def good_per_s(self, limit_s: float) -> float:
        """Count right answers within the limit."""
        return sum(latency <= limit_s for latency in self.accepted_s) / self.seconds


def percentile_ms(latencies_s: list[float], percent: float) -> float | None:
    """Return None of nothing."""
    return float(np.percentile(latencies_s, percent)) * 1000 if latencies_s else None


def offer(
    port: int, questions: list[Question], *, rate_per_s: float, seconds: float, connections: int, seed: int
) -> Outcome:
    """Send Poisson arrivals for so long, in this process; the order of questions and the arrivals follow the seed."""
    run = _Run(port, questions, rate_per_s, seconds, connections, seed)
    gc_was_on = gc.isenabled()
    gc.disable()
    try:
        return uvloop.run(run.main())
    finally:
        if gc_was_on:
            gc.enable()


class _Run:
    def __init__(
        self, port: int, questions: list[Question], rate_per_s: float, seconds: float, connections: int, seed: int
    ) -> None:
        random = np.random.default_rng(seed)
        count = max(1, round(rate_per_s * seconds))
        self._arrivals_s: list[float] = np.cumsum(random.exponential(1 / rate_per_s, count)).tolist()
        self._questions = [questions[index] for index in random.integers(len(questions), size=count)]
        self._port = port
        self._connections = connections
        self._next = 0
        self._start_s = 0.0
        self._ended = asyncio.Event()
        self._settled = asyncio.Event()
        self.idle: list[_Connection] = []
        self.busy = 0
        self.outcome = Outcome(rate_per_s, self._arrivals_s[-1])

    async def main(self) -> Outcome:
        self._loop = asyncio.get_running_loop()
        for _ in range(self._connections):
            await self.connect()
        self._start_s = time.perf_counter() + 0.01
        self._loop.call_soon(self._send_what_is_due)
        await self._ended.wait()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._settled.wait(), SETTLE_S)
        self.outcome.unanswered = self.busy
        for connection in self.idle:
            connection.transport.close()
        return self.outcome

    async def connect(self) -> None:
        await self._loop.create_connection(lambda: _Connection(self), "127.0.0.1", self._port)

    def reconnect(self) -> None:
        if not self._ended.is_set():
            self._loop.create_task(self.connect())

    def _send_what_is_due(self) -> None:
        """Send, and come again in the loop's next turn: with a core of its own the generator may spin."""
        now_s = time.perf_counter() - self._start_s
        arrivals_s, outcome = self._arrivals_s, self.outcome
        while self._next < len(arrivals_s) and arrivals_s[self._next] <= now_s:
            due_s = arrivals_s[self._next]
            outcome.lags_s.append(now_s - due_s)
            if self.idle:
                self.idle.pop().send(self._questions[self._next], self._start_s + due_s)
                self.busy += 1
            else:
                outcome.found_no_connection += 1
            self._next += 1
        if self._next < len(arrivals_s):
            self._loop.call_soon(self._send_what_is_due)
        else:
            self._ended.set()
            self.note_end_of_request()

    def note_end_of_request(self) -> None:
        if self.busy == 0 and self._ended.is_set():
            self._settled.set()


class _Connection(asyncio.Protocol):
    def __init__(self, run: _Run) -> None:
        self._run = run
        self._question: Question | None = None
        self._due_s = 0.0
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._run.idle.append(self)

    def send(self, question: Question, due_s: float) -> None:
        self._question, self._due_s = question, due_s
        self.transport.write(question.request)

    def data_received(self, data: bytes) -> None:
        if self._question is None:
            self._run.outcome.wrong += 1
            return
        received = self._received + data if self._received else data
        if not _is_complete(received):
            self._received = received
            return
        self._received = b""
        latency_s = time.perf_counter() - self._due_s
        outcome = self._run.outcome
        if received.startswith(OK) and received.endswith(HEAD_END + self._question.answer):
            outcome.accepted_s.append(latency_s)
        elif received.startswith(UNAVAILABLE):
            outcome.refused_s.append(latency_s)
        else:
            outcome.wrong += 1
        self._question = None
        self._run.busy -= 1
        self._run.idle.append(self)
        self._run.note_end_of_request()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._question is not None:
            self._run.busy -= 1
            self._run.outcome.broken += 1
            self._run.note_end_of_request()
        elif self in self._run.idle:
            self._run.idle.remove(self)
        self._run.reconnect()


def _is_complete(received: bytes) -> bool:
    head_end = received.find(HEAD_END)
    if head_end < 0:
        return False
    start = received[:head_end].lower().find(LENGTH)
    if start < 0:
        return False
    start += len(LENGTH)
    line_end = received.find(b"\r\n", start)
    return len(received) >= head_end + len(HEAD_END) + int(received[start:line_end])

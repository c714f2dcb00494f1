"""Requests that arrive together share a call of the model; nobody's answer depends on who came along."""

import asyncio
import struct
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np

from service.engine.batch_plan import ALONE, BatchPlan
from service.errors import DeadlineExceededError, OverloadedError
from service.model_predictor import Floats
from service.predictions import Predictions

Rows = Sequence[Sequence[float]]


@dataclass(slots=True, eq=False)
class Job:
    """One request's share of the model: `answer` becomes the list of its predictions, or what `call` returns.

    `deadline_s` on the event loop's clock; `predict_ms` is known when the answer is; `is_inline`: the answer comes
    within a turn or two of the loop; `is_started`: the model has it.
    """

    answer: asyncio.Future[Any]
    deadline_s: float
    row_count: int
    rows: Rows = ()
    call: Callable[[], Any] | None = None
    is_inline: bool = False
    is_started: bool = False
    predict_ms: float = 0.0


@dataclass(slots=True)
class Batcher:
    """Predicts on the event loop what takes a moment, and the rest on `threads`: as a batch all that came meanwhile.

    Not safe for threads: to be used on the event loop alone. `predict` takes rows x features and raises nothing but
    RequestRefusedError.
    """

    loop: asyncio.AbstractEventLoop
    predict: Callable[[Floats], Predictions]
    queue_limit: int
    deadline_s: float
    plan: BatchPlan = ALONE
    threads: int = 1
    on_batch: Callable[[int, float], None] = lambda rows, seconds: None  # noqa: ARG005 - names say what they are
    _inline: list[Job] = field(default_factory=list)
    _queue: deque[Job] = field(default_factory=deque)
    _turn_is_due: bool = False
    _busy_threads: int = 0
    _pool: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="predict")

    def check_admission(self) -> None:
        """Raise OverloadedError where the queue for a thread is full; cheap, to be asked before a body is read."""
        if len(self._queue) >= self.queue_limit:
            self._drop_abandoned()
            if len(self._queue) >= self.queue_limit:
                raise OverloadedError(len(self._queue), self.queue_limit)

    def submit(self, rows: Rows, arrived_s: float) -> Job:
        """Have rows of finite numbers predicted; the answer is a list with an entry for each of them.

        Raises OverloadedError where the queue for a thread is full.
        """
        row_count = len(rows)
        is_inline = row_count <= self.plan.inline_rows
        job = Job(self.loop.create_future(), arrived_s + self.deadline_s, row_count, rows, is_inline=is_inline)
        if is_inline:
            self._inline.append(job)
            if not self._turn_is_due:
                # After every request that this turn of the loop reads.
                self._turn_is_due = True
                self.loop.call_soon(self._take_turn)
        else:
            self._enqueue(job)
        return job

    def run(self, call: Callable[[], Any], row_count: int, arrived_s: float) -> Job:
        """Have something else of the model's called on a thread, alone; raises as submit() does."""
        job = Job(self.loop.create_future(), arrived_s + self.deadline_s, row_count, call=call)
        self._enqueue(job)
        return job

    def queue_length(self) -> int:
        """Count the jobs that wait for a thread."""
        return len(self._queue)

    def close(self) -> None:
        """End the threads; jobs still waiting are not answered."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _take_turn(self) -> None:
        jobs: list[Job] = []
        rows = 0
        for job in self._inline:
            if jobs and rows + job.row_count > min(self.plan.inline_rows, self.plan.batch_rows):
                break
            rows += job.row_count
            jobs.append(job)
        del self._inline[: len(jobs)]
        # The rest waits for the next turn, so that the loop can read and answer in between.
        self._turn_is_due = bool(self._inline)
        if self._turn_is_due:
            self.loop.call_soon(self._take_turn)
        self._settle(jobs, self._answers(jobs))

    def _enqueue(self, job: Job) -> None:
        # Once more: while the body came, others may have filled the queue.
        self.check_admission()
        self._queue.append(job)
        expiry = self.loop.call_at(job.deadline_s, self._expire, job)
        job.answer.add_done_callback(lambda _: expiry.cancel())
        if self._busy_threads < self.threads:
            self._busy_threads += 1
            self.loop.call_soon(self._start_batch)

    def _start_batch(self) -> None:
        jobs = self._next_batch()
        if not jobs:
            self._busy_threads -= 1
            return
        self.loop.run_in_executor(self._pool, self._answers, jobs).add_done_callback(
            lambda answers: self._finish_batch(jobs, answers)
        )

    def _finish_batch(self, jobs: list[Job], answers: "asyncio.Future[list[Any]]") -> None:
        if not answers.cancelled():
            self._settle(jobs, answers.result())
            self._start_batch()

    def _next_batch(self) -> list[Job]:
        """Take the jobs of the next call from the queue, leaving out those whose client or time is gone."""
        jobs: list[Job] = []
        rows = 0
        while self._queue:
            job = self._queue[0]
            if job.answer.done():
                self._queue.popleft()
            elif jobs and (job.call or jobs[0].call or rows + job.row_count > self.plan.batch_rows):
                break
            else:
                self._queue.popleft()
                job.is_started = True
                jobs.append(job)
                rows += job.row_count
        return jobs

    def _expire(self, job: Job) -> None:
        if not job.answer.done():
            job.answer.set_exception(DeadlineExceededError(self.deadline_s))

    def _drop_abandoned(self) -> None:
        self._queue = deque(job for job in self._queue if not job.answer.done())

    def _answers(self, jobs: list[Job]) -> list[Any]:
        """Return for each job its answer, or the exception that is its answer."""
        started_s = time.perf_counter()
        answers = self._answer_together(jobs) if len(jobs) > 1 else [_answer_or_error(self._answer_alone, jobs[0])]
        predict_ms = (time.perf_counter() - started_s) * 1000
        for job in jobs:
            job.predict_ms = predict_ms
        return answers

    def _answer_alone(self, job: Job) -> Any:
        if job.call is not None:
            return job.call()
        return self.predict(_matrix(job.rows)).tolist()

    def _answer_together(self, jobs: list[Job]) -> list[Any]:
        try:
            rows = list(chain.from_iterable(job.rows for job in jobs))
            predictions = self.predict(_matrix(rows)).tolist()
        except Exception:  # noqa: BLE001 - whose rows the model failed on shows when each is predicted alone
            return [_answer_or_error(self._answer_alone, job) for job in jobs]
        answers, start = [], 0
        for job in jobs:
            answers.append(predictions[start : start + job.row_count])
            start += job.row_count
        return answers

    def _settle(self, jobs: list[Job], answers: list[Any]) -> None:
        self.on_batch(sum(job.row_count for job in jobs), jobs[0].predict_ms / 1000)
        for job, answer in zip(jobs, answers, strict=True):
            if job.answer.done():
                continue
            if isinstance(answer, Exception):
                job.answer.set_exception(answer)
            else:
                job.answer.set_result(answer)


def _matrix(rows: Rows) -> Floats:
    """Return rows x features; in half the time that np.array takes to find out what the lists hold."""
    width = len(rows[0])
    packed = bytearray(struct.pack(f"{len(rows) * width}d", *chain.from_iterable(rows)))
    return np.frombuffer(packed, dtype=np.float64).reshape(-1, width)


def _answer_or_error(answer: Callable[[Job], Any], job: Job) -> Any:
    try:
        return answer(job)
    except Exception as error:  # noqa: BLE001 - an error of one job is that job's answer
        return error

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
import pytest

from service.engine.batch_plan import ALONE, BatchPlan
from service.engine.batcher import Batcher
from service.errors import DeadlineExceededError, OverloadedError, RequestRefusedError
from service.model_predictor import Floats

pytestmark = pytest.mark.unit

INLINE = BatchPlan(batch_rows=8, inline_rows=8, call_s=0.0001, row_s=0.0)
THREADED = BatchPlan(batch_rows=8, inline_rows=0, call_s=0.01, row_s=0.0)


class Model:
    """Adds up rows; notes how many came in each call, and waits or fails where it is told to."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.go_on = threading.Event()
        self.started = threading.Event()
        self.calls_begun = threading.Semaphore(0)
        self.go_on.set()

    def __call__(self, rows: Floats) -> Floats:
        self.calls.append(len(rows))
        self.started.set()
        self.calls_begun.release()
        assert self.go_on.wait(30)
        if (rows < 0).any():
            raise RequestRefusedError(422, "refused_by_model", "It refuses.", "data")
        return np.asarray(rows.sum(axis=1))


def with_batcher(
    model: Model,
    use: Callable[[Batcher], Coroutine[Any, Any, None]],
    plan: BatchPlan,
    *,
    queue_limit: int = 100,
    deadline_s: float = 30.0,
    threads: int = 1,
) -> None:
    async def main() -> None:
        batcher = Batcher(asyncio.get_running_loop(), model, queue_limit, deadline_s, plan, threads)
        try:
            await use(batcher)
        finally:
            model.go_on.set()
            batcher.close()

    asyncio.run(main())


@pytest.mark.parametrize("plan", [INLINE, THREADED], ids=["inline", "threaded"])
def test_each_request_gets_the_answers_to_its_own_rows(plan: BatchPlan) -> None:
    async def use(batcher: Batcher) -> None:
        jobs = [batcher.submit([[float(i), float(j)] for j in range(1 + i % 3)], 0.0) for i in range(20)]
        for i, job in enumerate(jobs):
            assert await job.answer == [float(i + j) for j in range(1 + i % 3)]
            assert job.predict_ms > 0

    with_batcher(Model(), use, plan, deadline_s=1e9)


def test_what_arrives_in_one_turn_of_the_loop_is_predicted_in_one_call() -> None:
    model = Model()

    async def use(batcher: Batcher) -> None:
        jobs = [batcher.submit([[1.0]], batcher.loop.time()) for _ in range(8)]
        await asyncio.gather(*(job.answer for job in jobs))

    with_batcher(model, use, INLINE)
    assert model.calls == [8]


def test_what_arrives_while_the_thread_predicts_is_predicted_in_one_call_after_it() -> None:
    model = Model()

    async def use(batcher: Batcher) -> None:
        model.go_on.clear()
        first = batcher.submit([[1.0]], batcher.loop.time())
        await asyncio.to_thread(model.started.wait, 30)
        later = [batcher.submit([[1.0]], batcher.loop.time()) for _ in range(5)]
        model.go_on.set()
        await asyncio.gather(first.answer, *(job.answer for job in later))

    with_batcher(model, use, THREADED)
    assert model.calls == [1, 5]


def test_no_call_takes_more_rows_than_the_plan_allows_but_for_a_request_that_has_more() -> None:
    model = Model()

    async def use(batcher: Batcher) -> None:
        jobs = [batcher.submit([[1.0]] * count, batcher.loop.time()) for count in (3, 3, 3, 20, 1)]
        await asyncio.gather(*(job.answer for job in jobs))

    with_batcher(model, use, THREADED)
    assert model.calls == [6, 3, 20, 1]


def test_a_model_whose_answers_depend_on_the_batch_gets_each_request_alone() -> None:
    model = Model()

    async def use(batcher: Batcher) -> None:
        jobs = [batcher.submit([[1.0], [2.0]], batcher.loop.time()) for _ in range(4)]
        await asyncio.gather(*(job.answer for job in jobs))

    with_batcher(model, use, ALONE)
    assert model.calls == [2, 2, 2, 2]


@pytest.mark.parametrize("plan", [INLINE, THREADED], ids=["inline", "threaded"])
def test_rows_that_the_model_refuses_fail_no_other_request(plan: BatchPlan) -> None:
    async def use(batcher: Batcher) -> None:
        jobs = [batcher.submit([[value]], batcher.loop.time()) for value in (1.0, -1.0, 3.0)]
        assert await jobs[0].answer == [1.0]
        with pytest.raises(RequestRefusedError, match="refuses"):
            await jobs[1].answer
        assert await jobs[2].answer == [3.0]

    with_batcher(Model(), use, plan)


def test_a_small_request_does_not_wait_behind_a_large_one() -> None:
    model = Model()

    async def use(batcher: Batcher) -> None:
        model.go_on.clear()
        large = batcher.submit([[1.0]] * 100, batcher.loop.time())
        await asyncio.to_thread(model.started.wait, 30)
        model.go_on.set()
        small = batcher.submit([[1.0]], batcher.loop.time())
        assert small.is_inline
        assert not large.is_inline
        assert await small.answer == [1.0]
        assert len(await large.answer) == 100

    with_batcher(model, use, INLINE)


def test_a_full_queue_refuses_and_a_request_whose_client_left_makes_room() -> None:
    model = Model()

    async def use(batcher: Batcher) -> None:
        model.go_on.clear()
        busy = batcher.submit([[1.0]], batcher.loop.time())
        await asyncio.to_thread(model.started.wait, 30)
        waiting = [batcher.submit([[1.0]], batcher.loop.time()) for _ in range(2)]
        with pytest.raises(OverloadedError, match="2 requests wait already, and 2 may"):
            batcher.check_admission()
        # Nor by one that was let in before the others came, and whose body took its time.
        with pytest.raises(OverloadedError, match="2 requests wait already, and 2 may"):
            batcher.submit([[1.0]], batcher.loop.time())
        waiting[0].answer.cancel()
        batcher.check_admission()
        model.go_on.set()
        await asyncio.gather(busy.answer, waiting[1].answer)

    with_batcher(model, use, THREADED, queue_limit=2)
    assert model.calls == [1, 1]


def test_a_request_whose_time_is_over_is_answered_at_once_and_never_predicted() -> None:
    model = Model()

    async def use(batcher: Batcher) -> None:
        model.go_on.clear()
        busy = batcher.submit([[1.0]], batcher.loop.time() + 30)
        await asyncio.to_thread(model.started.wait, 30)
        late = batcher.submit([[1.0]], batcher.loop.time())
        with pytest.raises(DeadlineExceededError, match=r"within 0\.05 s"):
            await late.answer
        model.go_on.set()
        assert await busy.answer == [1.0]

    with_batcher(model, use, THREADED, deadline_s=0.05)
    assert model.calls == [1]


def test_something_else_of_the_models_is_called_alone_and_in_turn() -> None:
    model = Model()

    async def use(batcher: Batcher) -> None:
        first = batcher.submit([[1.0]], batcher.loop.time())
        called = batcher.run(lambda: "probabilities", 1, batcher.loop.time())
        last = batcher.submit([[2.0]], batcher.loop.time())
        answers = [await job.answer for job in (first, called, last)]
        assert answers == [[1.0], "probabilities", [2.0]]

    with_batcher(model, use, THREADED)
    assert model.calls == [1, 1]


def test_more_threads_predict_at_once() -> None:
    model = Model()

    async def use(batcher: Batcher) -> None:
        model.go_on.clear()
        jobs = [batcher.submit([[1.0]] * 9, batcher.loop.time()) for _ in range(3)]
        for _ in range(2):
            assert await asyncio.to_thread(model.calls_begun.acquire, timeout=30)
        assert batcher.queue_length() == 1
        model.go_on.set()
        assert [len(await job.answer) for job in jobs] == [9, 9, 9]

    with_batcher(model, use, THREADED, threads=2)

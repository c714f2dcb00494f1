"""How requests may share a call of the model: measured on the model itself before it serves."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil

import numpy as np

from service.model_predictor import Floats
from service.predictions import Predictions

Predict = Callable[[Floats], Predictions]

# A prediction on the event loop keeps every other request and the probes waiting.
INLINE_LIMIT_S = 0.001
# How much longer a request may take for the rows of others in its batch.
BATCH_LIMIT_S = 0.05
MAX_BATCH_ROWS = 4096
SMALL_BATCH_ROWS = 17
# The time for measuring: that of so many calls, within bounds.
CALLS_MEASURED = 100
MIN_MEASURING_S = 0.5
MAX_MEASURING_S = 1.5


@dataclass(frozen=True)
class BatchPlan:
    """How many rows one call takes.

    `batch_rows`: at most so many rows of several requests share a call; 1 keeps every request alone. `inline_rows`: up
    to so many are predicted on the event loop, more in a thread; 0 for none. `call_s` and `row_s`: what a call costs,
    and each row of it.
    """

    batch_rows: int
    inline_rows: int
    call_s: float
    row_s: float


# Nothing shared and nothing on the event loop: right for every model.
ALONE = BatchPlan(batch_rows=1, inline_rows=0, call_s=0.0, row_s=0.0)


def plan_batches(predict: Predict, rows: Floats) -> BatchPlan:
    """Measure the model on these rows, and compare what it answers to a row alone and among others.

    Requests share calls, up to the largest number of rows that was tried, only if no call answered any row otherwise
    than alone, to the last bit: a model that does so at one size may do so at the sizes between those tried.
    """
    _, first_call_s = _timed(predict, rows[:1])
    budget_s = min(max(CALLS_MEASURED * first_call_s, MIN_MEASURING_S), MAX_MEASURING_S)
    deadline_s = time.perf_counter() + budget_s
    alone, one_row_s = _alone(predict, rows, deadline_s - budget_s / 2)
    sample = rows[: len(alone)]
    batch_rows, batch_s, is_equal, start = 1, one_row_s, True, 0
    for size in _sizes(len(sample)):
        if time.perf_counter() > deadline_s or not is_equal:
            break
        taken = np.arange(start, start + size) % len(sample)
        start += size
        answers, call_s = _timed(predict, sample[taken])
        is_equal = np.array_equal(answers, alone[taken])
        if is_equal and size > batch_rows:
            batch_rows, batch_s = size, call_s
    if not is_equal:
        batch_rows = 1
    row_s = max(0.0, (batch_s - one_row_s) / (batch_rows - 1)) if batch_rows > 1 else one_row_s
    call_s = max(0.0, one_row_s - row_s)
    return BatchPlan(
        batch_rows=max(1, min(batch_rows, _rows_within(BATCH_LIMIT_S, 0.0, row_s))),
        inline_rows=_rows_within(INLINE_LIMIT_S, call_s, row_s),
        call_s=call_s,
        row_s=row_s,
    )


def _alone(predict: Predict, rows: Floats, until_s: float) -> tuple[Predictions, float]:
    """Return the answers to the rows one by one, of as many as the time allows, and the shortest call's time."""
    answers, shortest_s = [], float("inf")
    for index in range(len(rows)):
        answer, call_s = _timed(predict, rows[index : index + 1])
        answers.append(answer)
        shortest_s = min(shortest_s, call_s)
        if time.perf_counter() > until_s:
            break
    return np.concatenate(answers), shortest_s


def _timed(predict: Predict, rows: Floats) -> tuple[Predictions, float]:
    started_s = time.perf_counter()
    answers = predict(rows)
    return answers, time.perf_counter() - started_s


def _rows_within(limit_s: float, call_s: float, row_s: float) -> int:
    if call_s + row_s > limit_s:
        return 0
    return MAX_BATCH_ROWS if row_s == 0 else min(MAX_BATCH_ROWS, int((limit_s - call_s) / row_s))


def _sizes(sample_rows: int) -> Iterator[int]:
    """Yield the numbers of rows of the calls to compare, whose rows go round and round through the sample.

    First one call of each size, 2, 3, 5, 8 ...: kernels differ by what remains after blocks of 2, 4, 8, 16. Then small
    calls, until each row has been in one of each size.
    """
    size, following = 2, 3
    while size <= MAX_BATCH_ROWS:
        yield size
        size, following = following, size + following
    for _ in range(ceil(sample_rows / 2)):
        yield from range(2, SMALL_BATCH_ROWS + 1)

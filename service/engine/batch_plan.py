"""How requests may share a call of the model: measured on the model itself before it serves."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from service.model_predictor import Floats
from service.predictions import Predictions

Predict = Callable[[Floats], Predictions]

# A prediction on the event loop keeps every other request and the probes waiting.
INLINE_LIMIT_S = 0.001
# How much longer a request may take for the rows of others in its batch.
BATCH_LIMIT_S = 0.05
MAX_BATCH_ROWS = 4096
# The time for measuring: that of so many calls, within bounds.
CALLS_MEASURED = 20
MIN_MEASURING_S = 0.3
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

    Requests share calls only up to the largest number of rows at which each row's answer was the same to the last bit.
    """
    _, first_call_s = _timed(predict, rows[:1])
    budget_s = min(max(CALLS_MEASURED * first_call_s, MIN_MEASURING_S), MAX_MEASURING_S)
    deadline_s = time.perf_counter() + budget_s
    alone, one_row_s = _alone(predict, rows, deadline_s - budget_s / 2)
    sample = rows[: len(alone)]
    batch_rows, batch_s = 1, one_row_s
    for size in _sizes(MAX_BATCH_ROWS):
        if time.perf_counter() > deadline_s:
            break
        answers, call_s = _timed(predict, np.resize(sample, (size, rows.shape[1])))
        # The batch repeats the rows, so each of them is compared in many places of it.
        if not np.array_equal(answers, np.resize(alone, (size, *alone.shape[1:]))):
            break
        batch_rows, batch_s = size, call_s
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


def _sizes(limit: int) -> Iterator[int]:
    """Yield 2, 3, 5, 8 ... up to the limit: kernels differ by what remains after blocks of 2, 4, 8, 16."""
    size, following = 2, 3
    while size <= limit:
        yield size
        size, following = following, size + following

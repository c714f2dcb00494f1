"""What both ways in to the model share: from a request's body to its predictions."""

import asyncio
import ctypes
import gc
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NoReturn

import numpy as np
from starlette.requests import ClientDisconnect
from starlette.types import Scope

from service.engine.batch_plan import BatchPlan
from service.engine.batcher import Batcher, Job
from service.engine.decoding import RowsDecoder
from service.engine.http_protocol import HALF_CLOSED, ON_HALF_CLOSE
from service.engine.metrics import Metrics
from service.engine.request_head import RequestHead
from service.errors import ClientLeftError, RequestRefusedError
from service.model_artefacts import ModelMetadata
from service.model_predictor import ModelPredictor
from service.request_body import BodyLimits, RowSchema, check_content_type, decode
from service.settings import EngineSettings

Receive = Callable[[], Awaitable[Any]]

PLAIN_JSON = b"application/json"
# A longer body is decoded in a thread: on the event loop it would keep the probes waiting.
INLINE_BODY_BYTES = 64 * 1024
GC_THRESHOLD = 10_000


@dataclass(frozen=True)
class ReadyModel:
    """A model that has predicted its golden requests right, and how requests may share its calls."""

    predictor: ModelPredictor
    schema: RowSchema
    plan: BatchPlan

    @property
    def metadata(self) -> ModelMetadata:
        """The model's name, version and features."""
        return self.predictor.metadata

    @property
    def classes(self) -> list[Any] | None:
        """A classifier's classes, in the order of its probabilities; None for other models."""
        return self.predictor.classes


@dataclass(frozen=True)
class WithProbabilities:
    """A classifier's predictions, and the probability of each class (rows x classes); None where it has none."""

    predictions: list[Any]
    probabilities: list[list[float]] | None


class Scoring:
    """Decodes, predicts and refuses, for /score and /predict alike; to be used on one event loop."""

    def __init__(self, settings: EngineSettings, limits: BodyLimits, metrics: Metrics) -> None:
        self._settings = settings
        self._limits = limits
        self._metrics = metrics
        self._model: ReadyModel | None = None
        self._decoder: RowsDecoder | None = None
        self._batcher: Batcher | None = None

    @property
    def model(self) -> ReadyModel:
        """The model that answers; raises RequestRefusedError (503 model_loading) before there is one."""
        if self._model is None:
            _refuse_without_model()
        return self._model

    @property
    def batcher(self) -> Batcher:
        """The batcher of the model that answers; raises as `model` does."""
        if self._batcher is None:
            _refuse_without_model()
        return self._batcher

    def publish(self, model: ReadyModel) -> None:
        """Answer with this model from now on; to be called once, on the event loop."""
        takes_array = model.metadata.input == "array"
        self._decoder = RowsDecoder(len(model.metadata.features), self._limits) if takes_array else None
        self._batcher = Batcher(
            loop=asyncio.get_running_loop(),
            predict=self._metrics.watching(model.predictor.predict, model.metadata),
            queue_limit=self._settings.queue_limit_requests,
            deadline_s=self._settings.deadline_s,
            plan=model.plan,
            threads=self._settings.predict_threads,
            on_batch=self._metrics.note_batch,
        )
        self._metrics.queue_length = self._batcher.queue_length
        self._model = model
        _settle_memory()

    def close(self) -> None:
        """End what predicts."""
        if self._batcher is not None:
            self._batcher.close()

    def admit(self, head: RequestHead) -> float:
        """Return when the request arrived, on the event loop's clock.

        To be called before the body is read: raises RequestRefusedError (503) where there is no model yet or too much
        work, and 415 where the body is not said to be JSON.
        """
        batcher = self.batcher
        batcher.check_admission()
        if head.content_type != PLAIN_JSON or head.content_encoding is not None:
            check_content_type(_text(head.content_type), _text(head.content_encoding))
        return batcher.loop.time()

    async def answered(
        self, body: bytes, arrived_s: float, receive: Receive, scope: Scope, *, with_probabilities: bool = False
    ) -> Job:
        """Return the answered job of a request: a list with an entry for each row, or WithProbabilities.

        `scope` is what the server knows of the request. Raises RequestRefusedError, and ClientDisconnect where the
        client left before its answer.
        """
        batcher = self.batcher
        rows = self._decode(body) if len(body) <= INLINE_BODY_BYTES else await asyncio.to_thread(self._decode, body)
        if with_probabilities:
            job = batcher.run(lambda: self._predict_with_probabilities(rows), len(rows), arrived_s)
        elif isinstance(rows, list):
            job = batcher.submit(rows, arrived_s)
        else:
            job = batcher.run(lambda: self.model.predictor.predict(rows).tolist(), len(rows), arrived_s)
        if job.is_inline:
            await job.answer
        else:
            with _shed_if_half_closed(job, scope):
                await _answer_or_disconnect(job, receive)
        return job

    def _decode(self, body: bytes) -> Any:
        """Return a list of rows, or the data frame of a model that takes one."""
        rows = self._decoder.decode(body) if self._decoder else None
        if rows is not None:
            return rows
        decoded = decode(body, self.model.schema, self._limits)
        return decoded.tolist() if self._decoder else decoded

    def _predict_with_probabilities(self, rows: Any) -> WithProbabilities:
        predictor = self.model.predictor
        matrix = np.array(rows, dtype=np.float64) if isinstance(rows, list) else rows
        predictions = predictor.predict(matrix)
        probabilities = predictor.predict_proba(matrix)
        return WithProbabilities(predictions.tolist(), None if probabilities is None else probabilities.tolist())


def _settle_memory() -> None:
    # What has been imported and loaded stays; a collector that went through it would hold requests up for 50 ms. One
    # large request's rows are more objects than the collector's usual threshold, and all of them are used.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
    # What loading a model has let go of goes back to the system; for a forest of 200 trees that is 8 MB.
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)


@contextmanager
def _shed_if_half_closed(job: Job, scope: Scope) -> Iterator[None]:
    """Take the job out of the queue where its client closes its side; it may still listen for what is under way."""

    def shed() -> None:
        if not job.is_started and not job.answer.done():
            job.answer.set_exception(ClientLeftError())

    if scope.get(HALF_CLOSED):
        shed()
    scope[ON_HALF_CLOSE] = shed
    try:
        yield
    finally:
        del scope[ON_HALF_CLOSE]


async def _answer_or_disconnect(job: Job, receive: Receive) -> None:
    """Wait for the job; where its client leaves first, take the job out of the queue and raise ClientDisconnect."""
    watch = asyncio.ensure_future(_disconnect(receive))
    watch.add_done_callback(lambda _: job.answer.cancel())
    try:
        await job.answer
    except asyncio.CancelledError:
        if watch.done() and not watch.cancelled():
            raise ClientDisconnect from None
        raise
    finally:
        watch.cancel()


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")


def _refuse_without_model() -> NoReturn:
    raise RequestRefusedError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "model_loading",
        "The model is still being loaded and checked; ask again in a moment.",
        "model",
    )

"""What this process counts; prometheus_client shows it on a port of its own, never on the scoring port."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from threading import Lock
from typing import Any

import numpy as np

from service.model_artefacts import ModelMetadata
from service.model_predictor import Floats
from service.predictions import Predictions

Predict = Callable[[Floats], Predictions]

LATENCY_BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
PENDING_OBSERVATIONS = 1024
PENDING_BATCHES = 64
BATCH_BOUNDS_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096)


class Histogram:
    """Counts by upper bound; prometheus_client's own takes a lock for each observation."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.total = 0.0
        self._pending: list[float] = []
        self._lock = Lock()  # a scrape comes on a thread of its own

    def observe(self, value: float) -> None:
        self._pending.append(value)
        if len(self._pending) >= PENDING_OBSERVATIONS:
            self._count()

    def buckets(self) -> list[tuple[str, float]]:
        """Return (upper bound, how many values up to it), the last for +Inf."""
        self._count()
        names = [*(f"{bound:g}" for bound in self._bounds), "+Inf"]
        return [(name, float(sum(self._counts[: index + 1]))) for index, name in enumerate(names)]

    def _count(self) -> None:
        with self._lock:
            values, self._pending = self._pending, []
            for value in values:
                self._counts[bisect_left(self._bounds, value)] += 1
            self.total += sum(values)


class Unwatched:
    """Rows that have been predicted and not yet looked at: many are looked at in little more time than one.

    Never more than PENDING_BATCHES of them, nor more rows than PENDING_OBSERVATIONS and those of one batch.
    """

    def __init__(self, look_at: Callable[[Floats], None]) -> None:
        self._look_at = look_at
        self._batches: list[Floats] = []
        self._pending_rows = 0
        self._lock = Lock()  # models predict on the event loop and on threads, and a scrape comes on another

    def add(self, rows: Floats) -> None:
        with self._lock:
            self._batches.append(rows)
            self._pending_rows += len(rows)
            if len(self._batches) >= PENDING_BATCHES or self._pending_rows >= PENDING_OBSERVATIONS:
                self._count()

    def count(self) -> None:
        with self._lock:
            self._count()

    def _count(self) -> None:
        if self._batches:
            self._look_at(np.concatenate(self._batches))
        self._batches = []
        self._pending_rows = 0


class Metrics:
    """Counted on the event loop, read by the thread that answers a scrape."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()
        self.refusals: Counter[str] = Counter()
        self.latency_s = Histogram(LATENCY_BOUNDS_S)
        self.batch_rows = Histogram(BATCH_BOUNDS_ROWS)
        self.predict_s = Histogram(LATENCY_BOUNDS_S)
        self.outside_training_range: Counter[str] = Counter()
        self.model_info: dict[str, str] = {}
        self.queue_length: Callable[[], int] = lambda: 0
        self._unwatched: Unwatched | None = None
        self._pending: list[tuple[str, int, float]] = []
        self._lock = Lock()  # as above

    def note_request(self, route: str, status: int, duration_s: float) -> None:
        """Count an answer; routes that do not exist share a name, which callers could otherwise multiply at will."""
        self._pending.append((route, status, duration_s))
        if len(self._pending) >= PENDING_OBSERVATIONS:
            self._count_requests()

    def note_batch(self, rows: int, duration_s: float) -> None:
        """Count a call of the model."""
        self.batch_rows.observe(rows)
        self.predict_s.observe(duration_s)

    def watching(self, predict: Predict, metadata: ModelMetadata) -> Predict:
        """Return predict() that also counts, for each feature, values that training never saw the like of."""
        features = metadata.features
        if metadata.input != "array" or all(f.minimum is None and f.maximum is None for f in features):
            return predict
        names = [feature.name for feature in features]
        lows = np.array([-np.inf if feature.minimum is None else feature.minimum for feature in features])
        highs = np.array([np.inf if feature.maximum is None else feature.maximum for feature in features])

        def count_outside(rows: Floats) -> None:
            outside = ((rows < lows) | (rows > highs)).sum(axis=0)
            self.outside_training_range.update(dict(zip(names, outside.tolist(), strict=True)))

        unwatched = self._unwatched = Unwatched(count_outside)

        def watch_and_predict(rows: Floats) -> Predictions:
            unwatched.add(rows)
            return predict(rows)

        return watch_and_predict

    def collect(self) -> Iterator[Any]:
        """Yield prometheus_client's metric families."""
        self._count_requests()
        if self._unwatched is not None:
            self._unwatched.count()
        from prometheus_client.core import (  # noqa: PLC0415 - imported only where there is a port to show them on
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
            InfoMetricFamily,
        )

        requests = CounterMetricFamily("scoring_requests", "Answers by route and status", labels=["route", "status"])
        for (route, status), count in sorted(self.requests.items()):
            requests.add_metric([route, str(status)], count)
        refusals = CounterMetricFamily("scoring_refusals", "Error bodies by code", labels=["code"])
        for code, count in sorted(self.refusals.items()):
            refusals.add_metric([code], count)
        outside = CounterMetricFamily(
            "scoring_values_outside_training_range", "Values beyond those of training, by feature", labels=["feature"]
        )
        for feature, count in sorted(self.outside_training_range.items()):
            outside.add_metric([feature], count)
        yield from (requests, refusals, outside)
        for name, text, histogram in (
            ("scoring_request_duration_seconds", "Time of a request in this process", self.latency_s),
            ("scoring_batch_rows", "Rows in a call of the model", self.batch_rows),
            ("scoring_predict_duration_seconds", "Time of a call of the model", self.predict_s),
        ):
            family = HistogramMetricFamily(name, text)
            family.add_metric([], histogram.buckets(), sum_value=histogram.total)
            yield family
        yield GaugeMetricFamily("scoring_queue_requests", "Requests waiting for the model", value=self.queue_length())
        yield InfoMetricFamily("scoring_model", "What answers", value=self.model_info)

    def _count_requests(self) -> None:
        with self._lock:
            pending, self._pending = self._pending, []
            for route, status, duration_s in pending:
                self.requests[route, status] += 1
                self.latency_s.observe(duration_s)


def serve_metrics(metrics: Metrics, host: str, port: int) -> Callable[[], None]:
    """Serve GET /metrics in a thread, with the process's own figures; returns what ends it. Raises OSError."""
    from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server  # noqa: PLC0415 - as above
    from prometheus_client.registry import Collector  # noqa: PLC0415

    class Exported(Collector):
        def collect(self) -> Iterator[Any]:
            return metrics.collect()

    registry = CollectorRegistry()
    registry.register(Exported())
    ProcessCollector(registry=registry)
    server, thread = start_http_server(port, host, registry)

    def close() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return close

"""Requests, warnings and metrics to Application Insights, by OpenTelemetry; imported only where that is on."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any

from azure.monitor.opentelemetry.exporter import (
    AzureMonitorLogExporter,
    AzureMonitorMetricExporter,
    AzureMonitorTraceExporter,
)
from opentelemetry._logs.severity import SeverityNumber
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk._logs import LoggerProvider, LogRecord
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from service.engine.front import ScoreFront
from service.engine.metrics import Metrics
from service.request_body import BodyLimits
from service.settings import EngineSettings
from service.telemetry_logs import LibraryWarnings, exception_of, is_own
from service.telemetry_requests import CountedScoring, ObservedApp, ScoredRequest

NAME = "scoring"
SERVER_ERROR = 500
# Of what ApiServer leaves after the time for requests is over (KILL_AFTER_DRAIN_S).
FLUSH_TIMEOUT_S = 2.0
SEND_TIMEOUT_S = 5.0
# The samples of /metrics that are sent: of a histogram its count and its sum. Those of a request tell percentiles.
COUNTERS = (
    "scoring_requests_total",
    "scoring_refusals_total",
    "scoring_values_outside_training_range_total",
    *(
        f"scoring_{name}_{figure}"
        for name in ("request_duration_seconds", "predict_duration_seconds", "batch_rows")
        for figure in ("sum", "count")
    ),
)
QUEUE = "scoring_queue_requests"
QUIET = (
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL",
    "APPLICATIONINSIGHTS_OPENTELEMETRY_RESOURCE_METRIC_DISABLED",
)
LOGGERS = ("", "service", "uvicorn")
SEVERITIES = {
    logging.WARNING: SeverityNumber.WARN,
    logging.ERROR: SeverityNumber.ERROR,
    logging.CRITICAL: SeverityNumber.FATAL,
}


class Telemetry:
    """Sends in the background and in batches; what is not delivered is dropped, and no request waits for it.

    OpenTelemetry's own variables hold: OTEL_TRACES_SAMPLER, OTEL_SERVICE_NAME, OTEL_METRIC_EXPORT_INTERVAL and others.
    """

    def __init__(self, connection_string: str, metrics: Metrics) -> None:
        # Else the exporter tells its own maker, at another address, how it is used, and with each batch what it is.
        for name in QUIET:
            os.environ.setdefault(name, "true")
        self._metrics = metrics
        self._warnings = LibraryWarnings()
        # Not stored in the file system: a name there would hold the key.
        options = {
            "connection_string": connection_string,
            "disable_offline_storage": True,
            "retry_total": 1,
            "timeout": SEND_TIMEOUT_S,
            "read_timeout": SEND_TIMEOUT_S,
        }
        resource = Resource({SERVICE_NAME: NAME}).merge(OTELResourceDetector().detect())
        self._traces = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._traces.add_span_processor(BatchSpanProcessor(AzureMonitorTraceExporter(**options)))
        self._tracer = self._traces.get_tracer(NAME)
        self._propagator = TraceContextTextMapPropagator()
        self._logs = LoggerProvider(resource, shutdown_on_exit=False)
        self._logs.add_log_record_processor(BatchLogRecordProcessor(AzureMonitorLogExporter(**options)))
        self._handler = SendingHandler(self._logs)
        reader = PeriodicExportingMetricReader(AzureMonitorMetricExporter(**options))
        self._meters = MeterProvider([reader], resource, shutdown_on_exit=False)
        self._show_metrics()
        self._loggers = [each for each in map(logging.getLogger, LOGGERS) if not (each.parent and each.propagate)]
        for logger in self._loggers:
            logger.addHandler(self._handler)

    def scoring(self, settings: EngineSettings, limits: BodyLimits) -> CountedScoring:
        """Return the scoring that also says how many rows a request had."""
        return CountedScoring(settings, limits, self._metrics)

    def observed(self, front: ScoreFront) -> ObservedApp:
        """Return the app whose requests are told of."""
        return ObservedApp(front, front.timeout_s, self.tell)

    def tell(self, request: ScoredRequest) -> None:
        """Send that a request was answered; never raises."""
        parent = self._propagator.extract({"traceparent": request.trace_parent}) if request.trace_parent else None
        span = self._tracer.start_span(
            f"POST {request.route}",
            parent,
            SpanKind.SERVER,
            {
                "http.request.method": "POST",
                "http.route": request.route,
                "http.response.status_code": request.status,
                **request.ids,
                **self._what_answers(),
                **({} if request.rows is None else {"rows": request.rows}),
                **({} if request.deployment is None else {"deployment": request.deployment}),
            },
            start_time=request.started_ns,
        )
        if request.status >= SERVER_ERROR:
            span.set_status(StatusCode.ERROR)
        span.end(request.started_ns + request.duration_ns)

    def close(self) -> None:
        """Send what is left, for FLUSH_TIMEOUT_S at most."""
        for logger in self._loggers:
            logger.removeHandler(self._handler)
        deadline_s = time.monotonic() + FLUSH_TIMEOUT_S
        ends: list[Callable[[], object]] = [self._traces.shutdown, self._logs.shutdown, self._meters.shutdown]
        # Daemons, since none of them takes a time-out that it keeps; at the end of the process they go with it.
        threads = [threading.Thread(target=end, name="telemetry-end", daemon=True) for end in ends]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))
        self._warnings.close()

    def _what_answers(self) -> dict[str, str]:
        info = self._metrics.model_info
        named = {"model_name": "name", "model_version": "version", "release_id": "release_id"}
        return {name: info[key] for name, key in named.items() if info.get(key)}

    def _show_metrics(self) -> None:
        meter = self._meters.get_meter(NAME)
        for name in COUNTERS:
            meter.create_observable_counter(name, [partial(self._observe, name)])
        meter.create_observable_gauge(QUEUE, [partial(self._observe, QUEUE)])

    def _observe(self, name: str, _: CallbackOptions) -> Iterable[Observation]:
        more = self._what_answers()
        for family in self._metrics.collect():
            for sample in family.samples:
                if sample.name == name and (sample.value or name == QUEUE):
                    yield Observation(sample.value, {**sample.labels, **more})


class SendingHandler(logging.Handler):
    """Sends warnings and errors as they stand in the log."""

    def __init__(self, provider: LoggerProvider) -> None:
        super().__init__(logging.WARNING)
        self._provider = provider
        self._logger = provider.get_logger(NAME)
        self.addFilter(is_own)

    def emit(self, record: logging.LogRecord) -> None:
        """Put the record into the next batch."""
        attributes: dict[str, Any] = {"logger": record.name, **getattr(record, "fields", {}), **exception_of(record)}
        with suppress(Exception):  # as logging itself: a line that cannot be sent fails nobody
            self._logger.emit(
                LogRecord(
                    timestamp=int(record.created * 1e9),
                    observed_timestamp=time.time_ns(),
                    trace_id=0,
                    span_id=0,
                    trace_flags=TraceFlags(TraceFlags.DEFAULT),
                    severity_text=record.levelname,
                    severity_number=SEVERITIES.get(record.levelno, SeverityNumber.WARN),
                    body=record.getMessage(),
                    resource=self._provider.resource,
                    attributes=attributes,
                )
            )

"""The service and its peers: throughput, start, memory, overload."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.cases import CASES, Case
from benchmarks.contenders import AZMLINFSRV, OURS, Contender
from benchmarks.environments import BENCH
from benchmarks.errors import BenchmarkError
from benchmarks.figures import Figure, Results, figure_of
from benchmarks.machine import wrk_version
from benchmarks.models import TrainedModel, train
from benchmarks.options import Options
from benchmarks.overload import OVERLOAD_CASES, OverloadCase, measure_overload, overload_figures
from benchmarks.rounds import Measured, measure_case, ratios
from benchmarks.server import Server
from benchmarks.startup import engine_memory_mb, measure_starts
from benchmarks.tables import show_case, show_figures

START = "start"
STARTS = 5
MAX_START_S = 2.0
MAX_MEMORY_MB = 170.0
CASE_NAMES = (*(case.name for case in CASES), START, *(case.name for case in OVERLOAD_CASES))

Started = list[tuple[Contender, Server | BenchmarkError]]


def measure_service(options: Options) -> Results:
    """Measure what the options name, and print a table for each case."""
    models = {name: train(name, BENCH / "models" / name) for name in ("linear", "forest")}
    results = Results(details={"versions": {"wrk": {"wrk": wrk_version()}}})
    for name, model in models.items():
        _measure_throughput(options, [case for case in CASES if case.model == name], model, results)
    if options.wants(START):
        results.figures += _measure_starts(options, models["linear"])
    for overload_case in OVERLOAD_CASES:
        if options.wants(overload_case.name):
            results.figures += _measure_overload(options, overload_case, models[overload_case.model])
    show_figures(results.figures)
    results.summary = _summary(results)
    return results


def _measure_throughput(options: Options, cases: list[Case], model: TrainedModel, results: Results) -> None:
    cases = [case for case in cases if options.wants(case.name)]
    if not cases:
        return
    with _started(options, cases, model) as servers:
        for case in cases:
            wanted = {contender.name for contender in _contenders(options, case)}
            table = measure_case(
                case,
                [(contender, server) for contender, server in servers if contender.name in wanted],
                model,
                cores=options.cores,
                rounds=options.rounds,
                seconds=options.seconds,
                advance=options.advance,
            )
            results.figures += _throughput_figures(case, table)
            results.details[case.name] = [_details(measured) for measured in table]
            show_case(
                case, table, {measured.contender.name: ratios(table, OURS, measured.contender) for measured in table}
            )
        for contender, server in servers:
            results.details["versions"][contender.name] = _versions(contender)
            if contender is OURS and isinstance(server, Server):
                memory_mb = engine_memory_mb(server)
                name = f"memory of the engine process with the {model.name} model, after its load"
                # The bound is the engine's; a forest takes what its trees take.
                at_most = MAX_MEMORY_MB if model.name == "linear" else None
                results.figures.append(figure_of(name, [memory_mb], "MB", at_most=at_most))


@contextmanager
def _started(options: Options, cases: list[Case], model: TrainedModel) -> Iterator[Started]:
    """Start every contender of these cases, all of them on the server's core; what cannot start says why."""
    servers: Started = []
    try:
        for contender in dict.fromkeys(contender for case in cases for contender in _contenders(options, case)):
            options.advance(f"{contender.name} starts with the {model.name} model")
            server: Server | None = None
            try:
                server = contender.server(model, options.cores.server)
                server.start()
                server.wait_until_ready()
            except (BenchmarkError, OSError) as error:
                if server is not None:
                    server.stop()
                servers.append((contender, BenchmarkError(str(error))))
            else:
                servers.append((contender, server))
        yield servers
    finally:
        for _, server_or_error in servers:
            if isinstance(server_or_error, Server):
                server_or_error.stop()


def _contenders(options: Options, case: Case) -> tuple[Contender, ...]:
    return case.with_more_peers() if options.all_peers else case.contenders


def _throughput_figures(case: Case, table: list[Measured]) -> list[Figure]:
    figures = [
        figure_of(
            f"{case.title}: {bound.contender.title} / {bound.peer.title}",
            ratios(table, bound.contender, bound.peer),
            "x",
            at_least=bound.at_least,
        )
        for bound in case.bounds
    ]
    for measured in table:
        name = f"{case.title}: {measured.contender.title}"
        figures.append(figure_of(name, [reading.requests_per_s for reading in measured.readings], "requests/s"))
    return figures


def _measure_starts(options: Options, model: TrainedModel) -> list[Figure]:
    try:
        starts = measure_starts(model, cores=options.cores, count=STARTS, advance=options.advance)
    except BenchmarkError as error:
        return [Figure("start of the engine process to GET / 200", None, "s", at_most=MAX_START_S, note=str(error))]
    return [
        figure_of(
            "start of the engine process to GET / 200", [start.engine_s for start in starts], "s", at_most=MAX_START_S
        ),
        figure_of("start of azmlinfsrv to GET / 200", [start.azmlinfsrv_s for start in starts], "s"),
    ]


def _measure_overload(options: Options, case: OverloadCase, model: TrainedModel) -> list[Figure]:
    try:
        return overload_figures(case, measure_overload(case, model, cores=options.cores, advance=options.advance))
    except (BenchmarkError, OSError) as error:
        options.advance(f"{case.name}: {error}")
        return overload_figures(case, None)


def _versions(contender: Contender) -> dict[str, str]:
    try:
        return contender.versions()
    except BenchmarkError as error:
        return {"not known": str(error)}


def _details(measured: Measured) -> dict[str, Any]:
    return {
        "contender": measured.contender.name,
        "requests_per_s": [round(reading.requests_per_s, 1) for reading in measured.readings],
        "p50_ms": [reading.p50_ms for reading in measured.readings],
        "p99_ms": [reading.p99_ms for reading in measured.readings],
        **({"failure": measured.failure} if measured.failure else {}),
    }


def _summary(results: Results) -> str:
    """Say the key figure in one sentence."""
    linear = CASES[0]
    key = f"{linear.title}: {OURS.title} / {AZMLINFSRV.title}"
    figures = {figure.name: figure for figure in results.figures}
    ratio, rate = figures.get(key), figures.get(f"{linear.title}: {OURS.title}")
    bounds = sum(figure.is_bounded for figure in results.figures)
    missed = f"{bounds - len(results.missed)} of {bounds} bounds are met"
    if ratio is None or rate is None or ratio.value is None or rate.value is None:
        return f"The service: {missed}."
    return (
        f"The service answers {rate.value:.0f} requests/s on one core ({linear.title}), "
        f"{ratio.value:.1f} times as many as {AZMLINFSRV.title}; {missed}."
    )

"""The emulator's data plane: requests a second on one core, and what it adds to the latency of a constant answer."""

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.emulated_endpoint import EmulatedEndpoint, emulated_endpoint
from benchmarks.errors import BenchmarkError
from benchmarks.figures import Figure, Results, figure_of
from benchmarks.machine import Cores, pinned, wrk_version
from benchmarks.options import Options
from benchmarks.tables import show_figures
from benchmarks.wrk import END_TIMEOUT_S, Reading, parse

DATA_PLANE = "data-plane"
MIN_REQUESTS_PER_S = 1500.0
MAX_ADDED_MS = 1.5
CONNECTIONS = (1, 8, 32)
BOUNDED_CONNECTIONS = (8, 32)
WARM_UP_S = 1
BODY = '{"data": [[0.04, 0.05, 0.06, 0.02, -0.04, -0.03, -0.04, 0.0, 0.02, -0.02]]}'
# The key is read from this file, which is for its owner alone: a command line is not.
SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer {key}"
wrk.body = '{body}'

function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    'counted {{"requests": %d, "duration_us": %d, "not_200": %d, "broken": %d, "p50_us": %d, "p99_us": %d}}',
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)
  ))
end
"""


@dataclass(frozen=True)
class Round:
    """The constant server by itself and behind the data plane, one right after the other."""

    direct: Reading
    through: Reading

    @property
    def added_ms(self) -> float:
        """The data plane's share of the median."""
        return self.through.p50_ms - self.direct.p50_ms


def measure_data_plane(options: Options) -> Results:
    """Measure in interleaved rounds: the emulator has a core to itself, wrk and the constant server share the other."""
    results = Results(details={"versions": {"wrk": {"wrk": wrk_version()}}})
    try:
        with tempfile.TemporaryDirectory(prefix="bench-data-plane-") as folder:
            rounds = _measure(options, Path(folder))
    except (BenchmarkError, OSError, subprocess.SubprocessError) as error:
        options.advance(f"{DATA_PLANE}: {error}")
        rounds = {connections: [] for connections in CONNECTIONS}
    results.figures = figures_of(rounds)
    results.details["rounds"] = {
        str(connections): [{"direct": vars(each.direct), "through": vars(each.through)} for each in measured]
        for connections, measured in rounds.items()
    }
    show_figures(results.figures)
    bounds = sum(figure.is_bounded for figure in results.figures)
    results.summary = f"The emulator's data plane: {bounds - len(results.missed)} of {bounds} bounds are met."
    return results


def figures_of(rounds: dict[int, list[Round]]) -> list[Figure]:
    """Answer the figures of the rounds of each number of connections; not measured where there are none."""
    figures = [
        figure_of(
            f"data plane, {connections} connections: requests/s on one core",
            [each.through.requests_per_s for each in measured],
            "requests/s",
            at_least=MIN_REQUESTS_PER_S if connections in BOUNDED_CONNECTIONS else None,
        )
        for connections, measured in rounds.items()
    ]
    figures += [
        figure_of(
            f"constant server alone, {connections} connections",
            [each.direct.requests_per_s for each in measured],
            "requests/s",
        )
        for connections, measured in rounds.items()
    ]
    alone = [each.added_ms for each in rounds.get(1, [])]
    return [*figures, figure_of("data plane: added latency at the median", alone, "ms", at_most=MAX_ADDED_MS)]


def _measure(options: Options, folder: Path) -> dict[int, list[Round]]:
    rounds: dict[int, list[Round]] = {connections: [] for connections in CONNECTIONS}
    with emulated_endpoint(folder, options.cores) as endpoint:
        script = folder / "wrk.lua"
        script.touch(mode=0o600)
        script.write_text(SCRIPT.format(key=endpoint.key, body=BODY), encoding="utf-8")
        for connections in CONNECTIONS:
            _round(endpoint, script, connections, WARM_UP_S, options.cores)
        for number in range(options.rounds):
            for connections in CONNECTIONS:
                options.advance(f"{DATA_PLANE}: round {number + 1} of {options.rounds}, {connections} connections")
                rounds[connections].append(_round(endpoint, script, connections, options.seconds, options.cores))
    return rounds


def _round(endpoint: EmulatedEndpoint, script: Path, connections: int, seconds: int, cores: Cores) -> Round:
    def read(url: str) -> Reading:
        command = ["wrk", "--threads=1", f"--connections={connections}", f"--duration={seconds}s", f"--script={script}"]
        ended = subprocess.run(
            pinned(cores.client, [*command, url]),
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds + END_TIMEOUT_S,
        )
        return parse(ended.stdout, ended.stderr)

    return Round(direct=read(endpoint.direct_url), through=read(endpoint.url))

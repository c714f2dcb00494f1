"""Servers of known slowness: the gate shown on real connections, measured as a release is.

`python -m load.real_servers FACTOR SLOW_SHARE SLOW_FACTOR SIGMA` is an endpoint in a process of its own: it prints its
port and ends with its standard input. The deployment `live` takes MEDIAN_MS in the median, spread as a lognormal whose
logarithm has the standard deviation SIGMA; `candidate` takes FACTOR times as long, and SLOW_SHARE of its requests
SLOW_FACTOR times that. Nothing is computed: what is measured beside is this machine's own noise.
"""

import asyncio
import json
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from load.answer import DEPLOYMENT_HEADER
from load.gate import judge
from load.measure import LoadPlan, measure
from load.rows_file import read_rows
from load.settings import GatePolicy, LoadSettings
from load.simulation import TRUTHS, Truth
from load.verdict import Outcome, Verdict

LIVE, CANDIDATE = "live", "candidate"
MEDIAN_MS = 40.0
SIGMA = 0.35
PROMISED_OF_REAL = {
    "identical": Outcome.PASS,
    "+30 %": Outcome.FAIL,
    "+50 %": Outcome.FAIL,
    "10 % of requests x3": Outcome.FAIL,
}
KNOWN = tuple(truth for truth in TRUTHS if truth.name in PROMISED_OF_REAL)
SETTINGS = LoadSettings(rate_pairs_per_s=40, warmup_s=2, duration_s=25, timeout_s=5)
# The shipped limits of the comparison; less time, so shorter blocks and fewer requests.
POLICY = GatePolicy(looks_s=(), block_s=2.5, min_samples=500, ignore_below_ms=5, max_lag_p99_ms=100)


@dataclass(frozen=True)
class Measured:
    """What the gate says of a server whose truth is known."""

    truth: Truth
    verdict: Verdict

    @property
    def right(self) -> bool:
        """Whether it says what it should."""
        return self.verdict.outcome is PROMISED_OF_REAL[self.truth.name]


def measure_known(
    truths: Sequence[Truth] = KNOWN,
    settings: LoadSettings = SETTINGS,
    policy: GatePolicy = POLICY,
    sigma: float = SIGMA,
) -> Iterator[Measured]:
    """Measure a server of each truth and yield what the gate says; raises LoadError."""
    for truth in truths:
        with TemporaryDirectory(prefix="real-servers-") as folder, serving(truth, sigma) as uri:
            payloads, rows = Path(folder) / "payloads.jsonl", Path(folder) / "rows.csv.gz"
            payloads.write_text(json.dumps({"data": [[1.5, 2.0]]}) + "\n", encoding="utf-8")
            measure(LoadPlan(uri, LIVE, CANDIDATE, payloads, settings), key="none is asked for", rows_path=rows)
            yield Measured(truth, judge(read_rows(rows), policy))


@contextmanager
def serving(truth: Truth, sigma: float) -> Iterator[str]:
    """Run the endpoint of a truth, and yield its scoring URI."""
    command = [sys.executable, "-m", "load.real_servers"]
    command += [str(each) for each in (truth.factor, truth.slow_share, truth.slow_factor, sigma)]
    above = Path(__file__).resolve().parent.parent
    with subprocess.Popen(command, cwd=above, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None  # noqa: S101 - for the type checker
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}/score"


@dataclass(frozen=True)
class Slowness:
    """How long the candidate takes beside live."""

    truth: Truth
    sigma: float
    chance: random.Random

    def delay_s(self, deployment: str) -> float:
        """Return how long one answer takes."""
        delay_ms = MEDIAN_MS * self.chance.lognormvariate(0.0, self.sigma)
        if deployment == CANDIDATE:
            delay_ms *= self.truth.factor
            delay_ms *= self.truth.slow_factor if self.chance.random() < self.truth.slow_share else 1.0
        return delay_ms / 1000

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's requests, each after its delay."""
        while head := await head_of(reader):
            headers = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:] if ": " in line)
            await reader.readexactly(int(headers.get("content-length", "0")))
            deployment = headers.get(DEPLOYMENT_HEADER, "")
            await asyncio.sleep(self.delay_s(deployment))
            writer.write(
                f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n"
                f"{DEPLOYMENT_HEADER}: {deployment}\r\nx-model-version: 1\r\n\r\n[0.5]".encode()
            )
            await writer.drain()
        writer.close()


async def head_of(reader: asyncio.StreamReader) -> str:
    """Return the next request's line and headers; nothing where the connection has ended."""
    try:
        return (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, ConnectionError):
        return ""


async def serve_until_input_ends(slowness: Slowness) -> None:
    server = await asyncio.start_server(slowness.serve, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    factor, slow_share, slow_factor, sigma_given = map(float, sys.argv[1:])
    known = Truth("as given", factor=factor, slow_share=slow_share, slow_factor=slow_factor)
    asyncio.run(serve_until_input_ends(Slowness(known, sigma_given, random.Random(1))))  # noqa: S311 - delays

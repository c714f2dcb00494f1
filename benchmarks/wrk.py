"""One run of wrk: a fixed number of connections, each sending its next request when the last was answered."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.machine import pinned

SCRIPT = Path(__file__).with_name("wrk.lua")
COUNTED = "counted "
END_TIMEOUT_S = 30


@dataclass(frozen=True)
class Reading:
    """What one run counted; a run with an answer other than 200, or with a broken connection, is none."""

    requests_per_s: float
    p50_ms: float
    p99_ms: float


def run_wrk(url: str, bodies: Path, *, connections: int, seconds: float, core: int) -> Reading:
    """Raise BenchmarkError where an answer was not 200 or a connection broke."""
    options = ["--threads=1", f"--connections={connections}", f"--duration={max(1, round(seconds))}s", "--timeout=30s"]
    command = ["wrk", *options, f"--script={SCRIPT}", url, "--", str(bodies)]
    ended = subprocess.run(
        pinned(core, command), capture_output=True, text=True, check=False, timeout=seconds + END_TIMEOUT_S
    )
    return parse(ended.stdout, ended.stderr)


def parse(output: str, errors: str) -> Reading:
    """Return what the script's line says."""
    counted = [line.removeprefix(COUNTED) for line in output.splitlines() if line.startswith(COUNTED)]
    if not counted:
        raise BenchmarkError(f"wrk: it counted nothing ({(errors or output).strip()[-300:]!r})")
    numbers = json.loads(counted[0])
    if numbers["not_200"] or numbers["broken"] or not numbers["requests"]:
        raise BenchmarkError(
            f"wrk: {numbers['not_200']} answers were not 200 and {numbers['broken']} connections broke "
            f"({numbers['requests']} requests)"
        )
    return Reading(
        numbers["requests"] / numbers["duration_us"] * 1e6, numbers["p50_us"] / 1000, numbers["p99_us"] / 1000
    )

"""Measure live and candidate: a plan in, a rows file out, with Locust in a process of its own."""

import json
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from load.rows import RowsError, read_rows
from load.settings import LoadSettings

KEY_VARIABLE = "ENDPOINT_KEY"
POLL_S = 0.25
START_S = 60.0
STOP_S = 10.0
TAIL_LINES = 15


class LoadError(Exception):
    """A load test broke off; the message says why, with the last lines of Locust's output."""


@dataclass(frozen=True)
class LoadPlan:
    """What to measure: the endpoint, the two deployments (live None: the candidate alone), the requests, and how."""

    scoring_uri: str
    live: str | None
    candidate: str
    payloads_path: Path
    settings: LoadSettings


@dataclass(frozen=True)
class Progress:
    """How far a run is: pairs sent, and requests failed or dropped; total_s leaves out the wait for last answers."""

    elapsed_s: float
    total_s: float
    pairs: int
    errors: int


@dataclass(frozen=True)
class Measurement:
    """A run that came to its end, warm-up included; cpu_ratio is the generator's share of one core."""

    rows_path: Path
    pairs: int
    requests: int
    errors: int
    elapsed_s: float
    cpu_ratio: float


def measure(
    plan: LoadPlan,
    *,
    key: str,
    rows_path: Path,
    on_progress: Callable[[Progress], None] | None = None,
) -> Measurement:
    """Run the plan with Locust and write the rows; raises LoadError if that breaks off.

    The key goes to Locust in its environment only. However this function is left, Locust has ended; where this process
    is killed, Locust ends by itself. The rows are written elsewhere and take their place at the end.
    """
    with TemporaryDirectory(prefix="load-") as folder:
        written_path = Path(folder, rows_path.name)
        progress_path, output_path = Path(folder, "progress.jsonl"), Path(folder, "locust.log")
        progress_path.touch()
        with output_path.open("wb") as output:
            process = subprocess.Popen(
                locust_command(plan, written_path, progress_path),
                env=os.environ | {KEY_VARIABLE: key, "PYTHONPATH": python_path()},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:
                follow(process, progress_path, plan.settings, on_progress)
            finally:
                stop(process)
                if written_path.exists():
                    rows_path.parent.mkdir(parents=True, exist_ok=True)
                    shutil.move(written_path, rows_path)
        tail = "\n".join(output_path.read_text(errors="replace").splitlines()[-TAIL_LINES:]).replace(key, "***")
        if process.returncode != 0:
            raise LoadError(f"load: Locust ended with code {process.returncode}; its last lines:\n{tail}")
        return summarise(rows_path, tail)


def locust_command(plan: LoadPlan, rows_path: Path, progress_path: Path) -> list[str]:
    settings = plan.settings
    options = {
        "scoring-uri": plan.scoring_uri,
        "live": plan.live or "",
        "candidate": plan.candidate,
        "payloads": plan.payloads_path,
        "rows": rows_path,
        "progress": progress_path,
        "rate-pairs-per-s": settings.rate_pairs_per_s,
        "warmup-s": settings.warmup_s,
        "duration-s": settings.duration_s,
        "timeout-s": settings.timeout_s,
        "max-in-flight": settings.max_in_flight,
        "seed": settings.seed,
        # Failed requests are rows, not a failed run; and the last ones are awaited, not cut off.
        "exit-code-on-error": 0,
        "stop-timeout": f"{math.ceil(settings.timeout_s + STOP_S)}s",
        "users": 1,
    }
    locustfile = str(Path(__file__).with_name("locustfile.py"))
    command = [sys.executable, "-m", "locust", "-f", locustfile, "--headless", "--only-summary"]
    return command + [f"--{name}={value}" for name, value in options.items()]


def python_path() -> str:
    above = str(Path(__file__).resolve().parent.parent)
    return os.pathsep.join(filter(None, (above, os.environ.get("PYTHONPATH", ""))))


def follow(
    process: subprocess.Popen[bytes],
    progress_path: Path,
    settings: LoadSettings,
    on_progress: Callable[[Progress], None] | None,
) -> None:
    """Pass progress on until Locust ends; raises LoadError if it does not end when it should have."""
    allowed_s = START_S + settings.warmup_s + settings.duration_s + settings.timeout_s + STOP_S
    deadline_s = time.monotonic() + allowed_s
    with progress_path.open(encoding="utf-8") as file:
        ended = False
        while not ended:
            try:
                process.wait(timeout=POLL_S)
                ended = True
            except subprocess.TimeoutExpired:
                if time.monotonic() > deadline_s:
                    raise LoadError(
                        f"load: Locust has not ended after {allowed_s:.0f} s; look at the machine"
                    ) from None
            for line in file.read().splitlines():
                if on_progress is not None:
                    on_progress(Progress(**json.loads(line)))


def stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def summarise(rows_path: Path, tail: str) -> Measurement:
    try:
        rows = read_rows(rows_path)
    except RowsError as error:
        raise LoadError(f"{error}; Locust's last lines:\n{tail}") from error
    if rows.end is None:
        raise LoadError(f"load: the run was cut off ({len(rows)} requests stored); Locust's last lines:\n{tail}")
    return Measurement(
        rows_path=rows_path,
        pairs=rows.end.pairs,
        requests=len(rows),
        errors=int((rows.error != "").sum()),
        elapsed_s=rows.end.elapsed_s,
        cpu_ratio=rows.end.cpu_ratio,
    )

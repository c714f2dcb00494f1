"""Measure live and candidate: a plan in, a rows file out, with Locust in a process of its own."""

import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from load.looking import LiveGuard, Looker
from load.rows_file import RowsError, append_observed, read_rows
from load.run_files import KEY_VARIABLE, Progress, ProgressReader
from load.settings import GatePolicy, LoadSettings

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
class Measurement:
    """A run that came to its end, warm-up included; cpu_ratio is the generator's share of one core.

    `broken_off` says why it was ended for the sake of live's users, empty where it was not.
    """

    rows_path: Path
    pairs: int
    requests: int
    errors: int
    elapsed_s: float
    cpu_ratio: float
    broken_off: str = ""


def measure(
    plan: LoadPlan,
    *,
    key: str,
    rows_path: Path,
    on_progress: Callable[[Progress], None] | None = None,
    policy: GatePolicy | None = None,
    observe: Callable[[], str] | None = None,
) -> Measurement:
    """Run the plan with Locust and write the rows; raises LoadError if that breaks off.

    With a `policy` the load ends at the first of its looks that decides; where live fails, it ends at once. `observe`
    says what the endpoint's traffic is; it is asked before, at each look and after, and what it says is stored with
    the rows.

    The key goes to Locust in its environment only. However this function is left, Locust has ended; where this process
    is killed, Locust ends by itself. The rows are written elsewhere and take their place at the end.
    """
    with TemporaryDirectory(prefix="load-") as folder:
        files = Files(Path(folder), rows_path.name)
        looker = Looker(files.rows, files.stop, plan.settings, policy, observe)
        guard = LiveGuard(files.stop, plan.settings)
        looker.look_at_traffic()
        with files.output.open("wb") as output:
            process = subprocess.Popen(
                locust_command(plan, files),
                env=environment_of(key),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:
                listeners = [guard.take, looker.take, *([on_progress] if on_progress else [])]
                follow(process, files.progress, plan.settings, listeners)
                looker.look_at_traffic()
            finally:
                stop(process)
                if files.rows.exists():
                    append_observed(files.rows, looker.observed)
                    take_place(files.rows, rows_path)
        tail = "\n".join(files.output.read_text(errors="replace").splitlines()[-TAIL_LINES:]).replace(key, "***")
        # What lies in the rows' place where this run has written none are the rows of another run.
        if process.returncode != 0 or not files.rows.exists():
            raise LoadError(f"load: Locust ended with code {process.returncode}; its last lines:\n{tail}")
        return summarise(rows_path, tail)


@dataclass(frozen=True)
class Files:
    """What a run writes, and is told, in a folder of its own."""

    folder: Path
    rows_name: str

    def __post_init__(self) -> None:
        self.progress.touch()

    @property
    def rows(self) -> Path:
        return self.folder / self.rows_name

    @property
    def progress(self) -> Path:
        return self.folder / "progress.jsonl"

    @property
    def output(self) -> Path:
        return self.folder / "locust.log"

    @property
    def stop(self) -> Path:
        return self.folder / "stop"


def locust_command(plan: LoadPlan, files: Files) -> list[str]:
    settings = plan.settings
    options = {
        "scoring-uri": plan.scoring_uri,
        "live": plan.live or "",
        "candidate": plan.candidate,
        "payloads": plan.payloads_path,
        "rows": files.rows,
        "progress": files.progress,
        "stop-file": files.stop,
        "rate-pairs-per-s": settings.rate_pairs_per_s,
        "end-rate-pairs-per-s": settings.end_rate_pairs_per_s or 0,
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


def environment_of(key: str) -> dict[str, str]:
    """Return Locust's environment, without settings for other runs of Locust that somebody has exported."""
    above = str(Path(__file__).resolve().parent.parent)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
    python_path = os.pathsep.join(filter(None, (above, os.environ.get("PYTHONPATH", ""))))
    return {**kept, KEY_VARIABLE: key, "PYTHONPATH": python_path}


def follow(
    process: subprocess.Popen[bytes],
    progress_path: Path,
    settings: LoadSettings,
    listeners: Sequence[Callable[[Progress], None]],
) -> None:
    """Pass progress on until Locust ends; raises LoadError if it does not end when it should have."""
    allowed_s = START_S + settings.warmup_s + settings.duration_s + settings.timeout_s + STOP_S
    deadline_s = time.monotonic() + allowed_s
    with closing(ProgressReader(progress_path)) as lines:
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
            for progress in lines.read():
                for listener in listeners:
                    listener(progress)


def stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def take_place(written: Path, path: Path) -> None:
    """Put a file in its place in one step, though it comes from another disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    shutil.copyfile(written, beside)
    beside.replace(path)


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
        broken_off=rows.end.broken_off,
    )

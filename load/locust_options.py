"""The command line of load/locustfile.py, and what can be wrong with it. Import it there only: locust patches."""

import argparse
import os
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from locust import events
from pydantic import ValidationError

from load.payloads import PayloadsError, read_payloads
from load.rows import RunPlan
from load.run_files import KEY_VARIABLE
from load.settings import LoadSettings

SCHEMES = ("https://", "http://")


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]  # Locust leaves its hooks untyped
def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the plan from the command line, and the key from the environment, where no process list shows it."""
    group = parser.add_argument_group("paired load")
    group.add_argument("--scoring-uri", default="", help="The endpoint's scoring URI.")
    group.add_argument("--live", default="", help="Deployment that serves now; none measures the candidate alone.")
    group.add_argument("--candidate", default="", help="Deployment that is to serve.")
    group.add_argument("--payloads", default="", help="The model's golden_requests.json, or a .jsonl of your own.")
    group.add_argument("--rows", default="rows.csv.gz", help="Where the rows go.")
    group.add_argument("--progress", default="", help="Where a JSON line goes every half second.")
    group.add_argument("--stop-file", default="", help="Ends the load when it appears (load/run_files.py).")
    group.add_argument("--rate-pairs-per-s", type=float, default=10.0, help="Mean arrivals a second.")
    group.add_argument("--end-rate-pairs-per-s", type=float, default=0.0, help="What the rate changes to; 0: nothing.")
    group.add_argument("--warmup-s", type=float, default=5.0, help="Seconds not judged.")
    group.add_argument("--duration-s", type=float, default=60.0, help="Seconds judged.")
    group.add_argument("--timeout-s", type=float, default=30.0, help="Seconds a request may take.")
    group.add_argument("--max-in-flight", type=int, default=100, help="Unanswered requests allowed per deployment.")
    group.add_argument("--seed", type=int, default=1, help="Seed of arrivals, payloads and order.")


def what_is_wrong(options: Any, workers: int = 1) -> str | None:
    """Say what the command line or the environment of a process lacks, and what to do; None where it can begin."""
    if not (options.scoring_uri and options.candidate and options.payloads):
        return "load: --scoring-uri, --candidate and --payloads are needed; see load/locustfile.py"
    if not options.scoring_uri.startswith(SCHEMES):
        return f"load: --scoring-uri is {options.scoring_uri}; it has to begin with https://"
    try:
        settings_of(options, workers)
        read_payloads(Path(options.payloads))
    except ValidationError as error:
        return "load: " + "; ".join(told(each) for each in error.errors())
    except PayloadsError as error:
        return str(error)
    if not os.environ.get(KEY_VARIABLE):
        return f"load: {KEY_VARIABLE} is not set; export the endpoint's key"
    return None


def told(error: Any) -> str:
    option = "--" + "-".join(str(each) for each in error["loc"]).replace("_", "-")
    return f"{option} is {error['input']}: {error['msg']}"


def settings_of(options: Any, workers: int) -> LoadSettings:
    """Return what one of `workers` processes is to do; raises ValidationError."""
    return LoadSettings(
        rate_pairs_per_s=options.rate_pairs_per_s / workers,
        end_rate_pairs_per_s=options.end_rate_pairs_per_s / workers or None,
        warmup_s=options.warmup_s,
        duration_s=options.duration_s,
        timeout_s=options.timeout_s,
        max_in_flight=options.max_in_flight,
        seed=options.seed,
    )


def plan_of(options: Any, worker: int | None, workers: int) -> RunPlan:
    """Return the plan of a process, which is its share where it is one of several workers."""
    settings = settings_of(options, workers)
    return RunPlan(
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        live=options.live or None,
        candidate=options.candidate,
        rate_pairs_per_s=settings.rate_pairs_per_s,
        end_rate_pairs_per_s=settings.end_rate_pairs_per_s,
        warmup_s=settings.warmup_s,
        duration_s=settings.duration_s,
        timeout_s=settings.timeout_s,
        max_in_flight=settings.max_in_flight,
        seed=settings.seed + (worker or 0),
        generator=f"Locust {version('locust')}",
    )


def rows_path(path: Path, worker: int | None) -> Path:
    """Return the path of a process's own rows: those of a distributed run's workers are numbered."""
    if worker is None:
        return path
    name = path.name.removesuffix(".csv.gz")
    return path.with_name(f"{name}.worker-{worker}.csv.gz")

r"""The load test: Poisson arrivals, each asks live and candidate the same, whether or not earlier ones were answered.

    ENDPOINT_KEY=... locust -f load/locustfile.py --headless --scoring-uri https://.../score \
        --live blue --candidate green --payloads artifacts/model-1/golden_requests.json --rows rows.csv.gz

Without --headless it runs in Locust's web UI. Locust's own statistics are rounded, and serve to look on only; what is
judged are the rows (load/rows.py). Importing locust patches the process (gevent): never import this module elsewhere.
"""

import argparse
import json
import logging
import os
import random
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import gevent  # type: ignore[import-untyped]  # it ships no types
import gevent.ssl  # type: ignore[import-untyped]  # it ships no types
from gevent.pool import Pool  # type: ignore[import-untyped]  # it ships no types
from locust import FastHttpUser, events, task
from locust.env import Environment
from locust.exception import StopTest, StopUser

from load.rows import DROPPED, TIMEOUT, Row, RowsWriter, RunEnd, RunPlan

KEY_VARIABLE = "ENDPOINT_KEY"
CA_VARIABLE = "REQUESTS_CA_BUNDLE"
DEPLOYMENT_HEADER = "azureml-model-deployment"
PROGRESS_EVERY_S = 0.5
OK = 200
ROLES = ("live", "candidate")

log = logging.getLogger(__name__)


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]  # Locust leaves its hooks untyped
def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the plan from the command line, and the key from the environment, where no process list shows it."""
    group = parser.add_argument_group("paired load")
    group.add_argument("--scoring-uri", default="", help="The endpoint's scoring URI.")
    group.add_argument("--live", default="", help="Deployment that serves now; none measures the candidate alone.")
    group.add_argument("--candidate", default="", help="Deployment that is to serve.")
    group.add_argument("--payloads", default="", help="The model's golden_requests.json.")
    group.add_argument("--rows", default="rows.csv.gz", help="Where the rows go.")
    group.add_argument("--progress", default="", help="Where a JSON line goes every half second.")
    group.add_argument("--rate-pairs-per-s", type=float, default=10.0, help="Mean arrivals a second.")
    group.add_argument("--warmup-s", type=float, default=5.0, help="Seconds not judged.")
    group.add_argument("--duration-s", type=float, default=60.0, help="Seconds judged.")
    group.add_argument("--timeout-s", type=float, default=30.0, help="Seconds a request may take.")
    group.add_argument("--max-in-flight", type=int, default=100, help="Unanswered requests allowed per deployment.")
    group.add_argument("--seed", type=int, default=1, help="Seed of arrivals, payloads and order.")


@dataclass(frozen=True)
class Payload:
    """One request body, as it is sent."""

    id: str
    body: str


def read_payloads(path: Path) -> list[Payload]:
    """Read the bodies of a model's golden requests."""
    requests = json.loads(path.read_text(encoding="utf-8"))["requests"]
    return [Payload(request["id"], json.dumps(request["body"])) for request in requests]


def verified_tls(cafile: str | None = None) -> gevent.ssl.SSLContext:
    """Return a context that verifies; REQUESTS_CA_BUNDLE adds authorities, as it does for the SDK."""
    context = gevent.ssl.create_default_context(cafile=cafile)
    if os.environ.get(CA_VARIABLE):
        context.load_verify_locations(cafile=os.environ[CA_VARIABLE])
    return context


def classify(status: int, exception: BaseException | None, *, timed_out: bool) -> tuple[int, str]:
    """Return the status (0 without a whole answer) and the error class of a request that ended so."""
    if exception is None and status == OK:
        return status, ""
    if status not in {0, OK}:
        return status, f"http_{status}"
    return 0, TIMEOUT if timed_out else "connection"


def what_is_missing(options: Any) -> str | None:
    """Say what the command line or the environment lacks, and what to do."""
    if not (options.scoring_uri and options.candidate and options.payloads):
        return "load: --scoring-uri, --candidate and --payloads are needed; see load/locustfile.py"
    if not Path(options.payloads).is_file():
        return f"load: {options.payloads} does not exist; train a model first"
    if not os.environ.get(KEY_VARIABLE):
        return f"load: {KEY_VARIABLE} is not set; export the endpoint's key"
    return None


@events.init.add_listener  # type: ignore[untyped-decorator]  # Locust leaves its hooks untyped
def refuse_to_start(environment: Environment, **_: Any) -> None:
    """End at once where the run could not work; in the web UI the form can still supply what is missing."""
    options: Any = environment.parsed_options
    missing = what_is_missing(options)
    if missing and options.headless:
        raise SystemExit(missing)


class PairedUser(FastHttpUser):
    """The one user of the test: a dispatcher that keeps the plan's times and waits for no answer."""

    fixed_count = 1
    insecure = False
    ssl_context_factory = staticmethod(verified_tls)

    def __init__(self, environment: Environment) -> None:
        options: Any = environment.parsed_options
        missing = what_is_missing(options)
        if missing:
            raise StopTest(missing)
        self.host = options.scoring_uri
        self.network_timeout = self.connection_timeout = options.timeout_s
        self.concurrency = 2 * options.max_in_flight
        super().__init__(environment)
        self.options = options
        self.payloads = read_payloads(Path(options.payloads))
        self.plan = RunPlan(
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
            live=options.live or None,
            candidate=options.candidate,
            rate_pairs_per_s=options.rate_pairs_per_s,
            warmup_s=options.warmup_s,
            duration_s=options.duration_s,
            timeout_s=options.timeout_s,
            max_in_flight=options.max_in_flight,
            seed=options.seed,
        )
        self.deployments = {
            role: name for role, name in zip(ROLES, (self.plan.live, self.plan.candidate), strict=True) if name
        }
        self.in_flight = {role: Pool(options.max_in_flight) for role in self.deployments}
        self.pairs = self.errors = self.written = 0
        self.parent = os.getppid()

    @task
    def measure(self) -> None:
        """Run the plan once and end the test."""
        environment = self.environment
        try:
            self.run_plan()
        except Exception:
            log.exception("load: the run broke off")
            environment.process_exit_code = 1
        # Leaving the task would start it anew; quitting from inside the user would kill the user before it has quit.
        gevent.spawn(environment.runner.quit if self.options.headless else environment.runner.stop)
        raise StopUser

    def run_plan(self) -> None:
        with RowsWriter(Path(self.options.rows), self.plan) as self.rows:
            self.started_s, cpu_before_s = time.perf_counter(), time.process_time()
            progress = gevent.spawn(self.report_progress)
            try:
                self.dispatch()
                for pool in self.in_flight.values():
                    pool.join()
            finally:
                progress.kill()
                for pool in self.in_flight.values():
                    pool.kill()
            if self.written != self.pairs * len(self.deployments):
                raise RuntimeError(f"load: {self.written} rows of {self.pairs} arrivals; see the errors above")
            elapsed_s = self.elapsed_s()
            self.rows.end(RunEnd(self.pairs, elapsed_s, (time.process_time() - cpu_before_s) / elapsed_s))
        self.write_progress()

    def dispatch(self) -> None:
        """Send each pair when it is due."""
        chance = random.Random(self.plan.seed)  # noqa: S311 - load, not secrets
        end_s = self.plan.warmup_s + self.plan.duration_s
        due_s = chance.expovariate(self.plan.rate_pairs_per_s)
        while due_s < end_s:
            payload = chance.choice(self.payloads)
            roles = chance.sample(list(self.deployments), k=len(self.deployments))
            gevent.sleep(max(0.0, due_s - self.elapsed_s()))
            for role in roles:
                self.send(role, payload, due_s)
            self.pairs += 1
            due_s += chance.expovariate(self.plan.rate_pairs_per_s)

    def send(self, role: str, payload: Payload, due_s: float) -> None:
        pool = self.in_flight[role]
        row = Row(
            pair=self.pairs,
            role=role,
            intended_s=round(due_s, 6),
            lag_ms=0.0,
            service_ms=0.0,
            warmup=int(due_s < self.plan.warmup_s),
            status=0,
            error=DROPPED,
            answered_by="",
            payload=payload.id,
            request_id="",
        )
        if pool.free_count() == 0:
            self.write(row)
        else:
            pool.spawn(self.ask, row, payload)

    def ask(self, row: Row, payload: Payload) -> None:
        """Send one request and write its row."""
        headers = {
            "Authorization": f"Bearer {os.environ[KEY_VARIABLE]}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            DEPLOYMENT_HEADER: self.deployments[row.role],
        }
        sent_s = self.elapsed_s()
        ended: dict[str, Any] = {"exception": None, "response": None}
        try:
            # Locust's own time-out is one of each read; this one is of the whole answer.
            with gevent.Timeout(self.plan.timeout_s):
                self.client.request(
                    "POST",
                    self.options.scoring_uri,
                    name=row.role,
                    data=payload.body,
                    headers=headers,
                    context={"ended": ended},
                    allow_redirects=False,
                )
        except gevent.Timeout as timeout:
            ended["exception"] = timeout
        service_ms = (self.elapsed_s() - sent_s) * 1000
        response = ended["response"]
        answered = response.headers if response is not None and response.headers is not None else {}
        status, error = classify(
            response.status_code if response is not None else 0,
            ended["exception"],
            timed_out=service_ms >= self.plan.timeout_s * 1000,
        )
        self.write(
            replace(
                row,
                lag_ms=(sent_s - row.intended_s) * 1000,
                service_ms=service_ms,
                status=status,
                error=error,
                answered_by=answered.get(DEPLOYMENT_HEADER, ""),
                request_id=answered.get("x-request-id", "") if error else "",
            )
        )

    def write(self, row: Row) -> None:
        self.rows.write(row)
        self.written += 1
        self.errors += bool(row.error)

    def elapsed_s(self) -> float:
        return time.perf_counter() - self.started_s

    def report_progress(self) -> None:
        while True:
            if self.options.progress and os.getppid() != self.parent:
                # Whoever wanted the rows was killed: another run may have begun, which this load would disturb.
                log.error("load: the process that started this run is gone")
                os._exit(1)
            self.write_progress()
            gevent.sleep(PROGRESS_EVERY_S)

    def write_progress(self) -> None:
        if not self.options.progress:
            return
        line = {
            "elapsed_s": round(self.elapsed_s(), 2),
            "total_s": self.plan.warmup_s + self.plan.duration_s,
            "pairs": self.pairs,
            "errors": self.errors,
        }
        with Path(self.options.progress).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


@events.request.add_listener  # type: ignore[untyped-decorator]  # Locust leaves its hooks untyped
def note_end(context: dict[str, Any], response: Any, exception: BaseException | None, **_: Any) -> None:
    """Hand what Locust saw to the greenlet that asked: only here is a body that broke off told from a whole one."""
    if "ended" in context:
        context["ended"].update(response=response, exception=exception)

r"""The load test: Poisson arrivals, each asks live and candidate the same, whether or not earlier ones were answered.

    ENDPOINT_KEY=... locust -f load/locustfile.py --headless --scoring-uri https://.../score \
        --live blue --candidate green --payloads artifacts/model-1/golden_requests.json --rows rows.csv.gz

Without --headless it runs in Locust's web UI. With --master and --worker each worker sends its share, as docs/load.md
says. Locust's own statistics are rounded, and serve to look on only; what is judged are the rows (load/rows_file.py).
Importing locust patches the process (gevent): never import this module elsewhere.
"""

import argparse
import json
import logging
import os
import random
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import gevent  # type: ignore[import-untyped]  # it ships no types
import gevent.ssl  # type: ignore[import-untyped]  # it ships no types
from gevent.pool import Pool  # type: ignore[import-untyped]  # it ships no types
from locust import FastHttpUser, events, task
from locust.env import Environment
from locust.exception import StopTest, StopUser
from locust.runners import MasterRunner, WorkerRunner

from load.arrivals import arrivals_s
from load.payloads import Payload, PayloadsError, read_payloads
from load.rows import ROLES, TIMEOUT, Row, RunEnd, RunPlan
from load.rows_file import RowsWriter
from load.stopping import Stop, read_stop
from load.tally import Tally

KEY_VARIABLE = "ENDPOINT_KEY"
CA_VARIABLE = "REQUESTS_CA_BUNDLE"
DEPLOYMENT_HEADER = "azureml-model-deployment"
THROTTLED_HEADERS = ("ms-azureml-bandwidth-request-delay-ms", "ms-azureml-bandwidth-response-delay-ms")
PROGRESS_EVERY_S = 0.5
STEP_S = 0.25  # how often the end is looked for while the next arrival is far
OK = 200
WORKER_DONE = "paired_load_done"

log = logging.getLogger(__name__)


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
    group.add_argument("--stop-file", default="", help="Ends the load when it appears (load/stopping.py).")
    group.add_argument("--rate-pairs-per-s", type=float, default=10.0, help="Mean arrivals a second.")
    group.add_argument("--end-rate-pairs-per-s", type=float, default=0.0, help="What the rate changes to; 0: nothing.")
    group.add_argument("--warmup-s", type=float, default=5.0, help="Seconds not judged.")
    group.add_argument("--duration-s", type=float, default=60.0, help="Seconds judged.")
    group.add_argument("--timeout-s", type=float, default=30.0, help="Seconds a request may take.")
    group.add_argument("--max-in-flight", type=int, default=100, help="Unanswered requests allowed per deployment.")
    group.add_argument("--seed", type=int, default=1, help="Seed of arrivals, payloads and order.")


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
    try:
        read_payloads(Path(options.payloads))
    except PayloadsError as error:
        return str(error)
    if not os.environ.get(KEY_VARIABLE):
        return f"load: {KEY_VARIABLE} is not set; export the endpoint's key"
    return None


@events.init.add_listener  # type: ignore[untyped-decorator]  # Locust leaves its hooks untyped
def refuse_to_start(environment: Environment, **_: Any) -> None:
    """End at once where the run could not work; in the web UI the form can still supply what is missing."""
    options: Any = environment.parsed_options
    if isinstance(environment.runner, MasterRunner):
        end_with_the_last_worker(environment, environment.runner)
        return
    # A worker has its plan from the master, later.
    missing = None if isinstance(environment.runner, WorkerRunner) else what_is_missing(options)
    if missing and options.headless:
        raise SystemExit(missing)


def end_with_the_last_worker(environment: Environment, runner: MasterRunner) -> None:
    """Let a master end when all of its workers have sent their share."""
    done: set[str] = set()

    def note(msg: Any, **_: Any) -> None:
        done.add(msg.node_id)
        options: Any = environment.parsed_options
        if len(done) >= options.expect_workers:
            gevent.spawn(runner.quit if options.headless else runner.stop)

    runner.register_message(WORKER_DONE, note)


class PairedUser(FastHttpUser):
    """The one user of a process: a dispatcher that keeps the plan's times and waits for no answer."""

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
        runner = environment.runner
        self.worker = runner.worker_index if isinstance(runner, WorkerRunner) else None
        self.share = 1.0 if self.worker is None else 1.0 / max(1, options.expect_workers)
        self.plan = RunPlan(
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
            live=options.live or None,
            candidate=options.candidate,
            rate_pairs_per_s=options.rate_pairs_per_s * self.share,
            end_rate_pairs_per_s=options.end_rate_pairs_per_s * self.share or None,
            warmup_s=options.warmup_s,
            duration_s=options.duration_s,
            timeout_s=options.timeout_s,
            max_in_flight=options.max_in_flight,
            seed=options.seed + (self.worker or 0),
            generator=f"Locust {version('locust')}",
        )
        self.deployments = {
            role: name for role, name in zip(ROLES, (self.plan.live, self.plan.candidate), strict=True) if name
        }
        self.headers = {
            role: {
                "Authorization": f"Bearer {os.environ[KEY_VARIABLE]}",
                "Content-Type": "application/json",
                "Accept": "application/json",
                DEPLOYMENT_HEADER: name,
            }
            for role, name in self.deployments.items()
        }
        self.in_flight = {role: Pool(options.max_in_flight) for role in self.deployments}
        self.parent = os.getppid()
        self.stopped: Stop | None = None

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
        if self.worker is not None:
            environment.runner.send_message(WORKER_DONE)
        else:
            gevent.spawn(environment.runner.quit if self.options.headless else environment.runner.stop)
        raise StopUser

    def run_plan(self) -> None:
        with RowsWriter(rows_path(Path(self.options.rows), self.worker), self.plan) as rows:
            self.tally = Tally(rows, self.plan.warmup_s)
            self.started_s, cpu_before_s = time.perf_counter(), time.process_time()
            progress = gevent.spawn(self.report_progress)
            try:
                judged_s = self.dispatch()
                for pool in self.in_flight.values():
                    pool.join()
            finally:
                progress.kill()
                for pool in self.in_flight.values():
                    pool.kill()
            tally = self.tally
            if tally.ended.total() != tally.pairs * len(self.deployments):
                raise RuntimeError(f"load: {tally.ended.total()} rows of {tally.pairs} arrivals; see the errors above")
            elapsed_s = self.elapsed_s()
            cpu_ratio = (time.process_time() - cpu_before_s) / elapsed_s
            why = self.stopped.broken_off if self.stopped else ""
            rows.end(RunEnd(tally.pairs, elapsed_s, judged_s, cpu_ratio, why))
            self.write_progress()

    def dispatch(self) -> float:
        """Send each pair when it is due, to the end or until somebody has seen enough; return the judged seconds."""
        chance = random.Random(self.plan.seed)  # noqa: S311 - load, not secrets
        roles = list(self.deployments)
        for due_s in arrivals_s(self.plan, chance):
            payload = chance.choice(self.payloads)
            order = chance.sample(roles, k=len(roles))
            if (stopped := self.wait_until(due_s)) is not None:
                return stopped.judged_s
            for role in order:
                self.send(role, payload, due_s)
            self.tally.pairs += 1
            self.tally.sent_until_s = due_s
        return self.plan.duration_s

    def wait_until(self, due_s: float) -> Stop | None:
        """Wait until it is time; return what the stop file says where it has appeared meanwhile."""
        while (left_s := due_s - self.elapsed_s()) > STEP_S:
            if self.look_for_stop() is not None:
                return self.stopped
            gevent.sleep(STEP_S)
        gevent.sleep(max(0.0, left_s))
        return self.stopped

    def look_for_stop(self) -> Stop | None:
        if self.stopped is None and self.options.stop_file:
            self.stopped = read_stop(Path(self.options.stop_file))
        return self.stopped

    def send(self, role: str, payload: Payload, due_s: float) -> None:
        pool = self.in_flight[role]
        if pool.free_count() == 0:
            self.tally.drop(role, payload.id, due_s)
        else:
            ticket = self.tally.sent(due_s)
            pool.spawn(self.ask, ticket, self.tally.pairs, role, payload, due_s)

    def ask(self, ticket: int, pair: int, role: str, payload: Payload, due_s: float) -> None:
        """Send one request and write its row."""
        sent_s = self.elapsed_s()
        ended: dict[str, Any] = {"exception": None, "response": None}
        try:
            # Locust's own time-out is one of each read; this one is of the whole answer.
            with gevent.Timeout(self.plan.timeout_s):
                self.client.request(
                    "POST",
                    self.options.scoring_uri,
                    name=role,
                    data=payload.body,
                    headers=self.headers[role],
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
        self.tally.take(
            ticket,
            Row(
                pair=pair,
                role=role,
                intended_s=round(due_s, 6),
                lag_ms=(sent_s - due_s) * 1000,
                service_ms=service_ms,
                warmup=int(due_s < self.plan.warmup_s),
                status=status,
                error=error,
                answered_by=answered.get(DEPLOYMENT_HEADER, ""),
                model=answered.get("x-model-version", ""),
                payload=payload.id,
                answer="" if error else self.tally.name_of(response.content),
                throttled_ms=throttled_ms(answered),
                request_id=answered.get("x-request-id", "") if error else "",
            ),
        )

    def elapsed_s(self) -> float:
        return time.perf_counter() - self.started_s

    def report_progress(self) -> None:
        while True:
            if self.options.progress and os.getppid() != self.parent:
                # Whoever wanted the rows was killed: another run may have begun, which this load would disturb.
                log.error("load: the process that started this run is gone")
                os._exit(1)
            self.look_for_stop()
            self.write_progress()
            gevent.sleep(PROGRESS_EVERY_S)

    def write_progress(self) -> None:
        if not self.options.progress:
            return
        self.tally.rows.flush()
        line = {
            "elapsed_s": round(self.elapsed_s(), 2),
            "total_s": self.plan.warmup_s + self.plan.duration_s,
            "ended_s": round(self.tally.ended_s, 2),
            "pairs": self.tally.pairs,
            "errors": self.tally.errors.total(),
            "live_ended": self.tally.ended["live"],
            "live_errors": self.tally.errors["live"],
        }
        with Path(self.options.progress).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def rows_path(path: Path, worker: int | None) -> Path:
    """Return the path of a process's own rows: those of a distributed run's workers are numbered."""
    if worker is None:
        return path
    name = path.name.removesuffix(".csv.gz")
    return path.with_name(f"{name}.worker-{worker}.csv.gz")


def throttled_ms(headers: Any) -> float:
    """Return how long the endpoint says that it held a request or its answer back."""
    total_ms = 0.0
    for name in THROTTLED_HEADERS:
        try:
            total_ms += float(headers.get(name, 0))
        except ValueError:
            log.warning("load: %s is %r, which is no number", name, headers.get(name))
    return total_ms


@events.request.add_listener  # type: ignore[untyped-decorator]  # Locust leaves its hooks untyped
def note_end(context: dict[str, Any], response: Any, exception: BaseException | None, **_: Any) -> None:
    """Hand what Locust saw to the greenlet that asked: only here is a body that broke off told from a whole one."""
    if "ended" in context:
        context["ended"].update(response=response, exception=exception)

r"""The load test: Poisson arrivals, each asks live and candidate the same, whether or not earlier ones were answered.

    ENDPOINT_KEY=... locust -f load/locustfile.py --headless --scoring-uri https://.../score \
        --live blue --candidate green --payloads artifacts/model-1/golden_requests.json --rows rows.csv.gz

Without --headless it runs in Locust's web UI. With --master and --worker each worker sends its share, as docs/load.md
says. Locust's own statistics are rounded, and serve to look on only; what is judged are the rows (load/rows_file.py).
Importing locust patches the process (gevent): never import this module elsewhere.
"""

import logging
import os
import random
import time
from pathlib import Path
from typing import Any, ClassVar

import gevent  # type: ignore[import-untyped]  # it ships no types
import gevent.ssl  # type: ignore[import-untyped]  # it ships no types
from gevent.pool import Pool  # type: ignore[import-untyped]  # it ships no types
from locust import FastHttpUser, events, task
from locust.env import Environment
from locust.exception import StopTest, StopUser
from locust.runners import WorkerRunner

from load.answer import (
    DEPLOYMENT_HEADER,
    MODEL_HEADER,
    REQUEST_ID_HEADER,
    classify,
    finish_trailers,
    header,
    throttled_ms,
)
from load.arrivals import arrivals_s
from load.locust_options import plan_of, rows_path, what_is_wrong
from load.locust_workers import WORKER_ENDED, end_test
from load.payloads import Payload, read_payloads
from load.rows import ROLES, Row, RunEnd
from load.rows_file import RowsWriter
from load.run_files import KEY_VARIABLE, Stop, read_stop, write_progress
from load.tally import Tally

CA_VARIABLE = "REQUESTS_CA_BUNDLE"
PROGRESS_EVERY_S = 0.5
STEP_S = 0.25  # how often the end is looked for while the next arrival is far

log = logging.getLogger(__name__)


def verified_tls(cafile: str | None = None) -> gevent.ssl.SSLContext:
    """Return a context that verifies; REQUESTS_CA_BUNDLE adds authorities, as it does for the SDK."""
    context = gevent.ssl.create_default_context(cafile=cafile)
    if os.environ.get(CA_VARIABLE):
        context.load_verify_locations(cafile=os.environ[CA_VARIABLE])
    return context


class PairedUser(FastHttpUser):
    """The one user of a process: a dispatcher that keeps the plan's times and waits for no answer."""

    insecure = False
    ssl_context_factory = staticmethod(verified_tls)
    max_redirects = 0  # a redirected POST would become a GET, of another server perhaps
    begun: ClassVar[bool] = False

    def __init__(self, environment: Environment) -> None:
        options: Any = environment.parsed_options
        runner = environment.runner
        self.worker = runner.worker_index if isinstance(runner, WorkerRunner) else None
        workers = 1 if self.worker is None else max(1, options.expect_workers)
        if wrong := what_is_wrong(options, workers):
            environment.process_exit_code = 1
            self.tell_master(environment, wrong)
            raise StopTest(wrong)
        self.host = options.scoring_uri
        self.network_timeout = self.connection_timeout = options.timeout_s
        self.concurrency = 2 * options.max_in_flight
        super().__init__(environment)
        # A cookie that live sets would be sent to the candidate: both have one address.
        self.client.client.cookiejar = None
        self.options = options
        self.payloads = read_payloads(Path(options.payloads))
        self.plan = plan_of(options, self.worker, workers)
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
        if PairedUser.begun:
            # Another user was asked for in the web UI, or in place of a worker that is gone.
            log.warning("load: one user of a process sends all of its requests; another has nothing to do")
            raise StopUser
        PairedUser.begun, failed = True, ""
        try:
            self.run_plan()
        except Exception as error:
            log.exception("load: the run broke off")
            self.environment.process_exit_code = 1
            failed = f"load: the run broke off: {error!r}"
        # Leaving the task would start it anew; ending the test from inside the user would kill the user before.
        if self.worker is None:
            gevent.spawn(end_test, self.environment)
        else:
            self.tell_master(self.environment, failed)
        raise StopUser

    def tell_master(self, environment: Environment, failed: str) -> None:
        """Let a worker's master know that it has ended, and what kept it from its share, if anything did."""
        if self.worker is not None and environment.runner is not None:
            environment.runner.send_message(WORKER_ENDED, failed)

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
        response, exception = self.answer(role, payload)
        service_ms = (self.elapsed_s() - sent_s) * 1000
        timed_out = service_ms >= self.plan.timeout_s * 1000
        status, error = classify(response.status_code if response is not None else 0, exception, timed_out=timed_out)
        finish_trailers(response)
        headers = response.headers if response is not None and response.headers is not None else {}
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
                answered_by=header(headers, DEPLOYMENT_HEADER),
                model=header(headers, MODEL_HEADER),
                payload=payload.id,
                answer="" if error else self.tally.name_of(response.content),
                throttled_ms=throttled_ms(headers),
                request_id=header(headers, REQUEST_ID_HEADER) if error else "",
            ),
        )

    def answer(self, role: str, payload: Payload) -> tuple[Any, BaseException | None]:
        """Return what one request was answered, and what went wrong, be it only that the body broke off."""
        try:
            # Locust's own time-out is one of each read; this one is of the whole answer.
            with (
                gevent.Timeout(self.plan.timeout_s),
                self.client.request(
                    "POST",
                    self.options.scoring_uri,
                    name=role,
                    data=payload.body,  # type: ignore[arg-type]  # bytes will do, its docstring says
                    headers=self.headers[role],
                    catch_response=True,
                ) as response,
            ):
                return response, response.request_meta["exception"]
        except gevent.Timeout as timeout:
            return None, timeout
        except Exception as error:  # noqa: BLE001 - whatever cannot be read is no answer, and has its row
            log.warning("load: %s sent what cannot be read: %r", role, error)
            return None, error

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
        """Store what there is, so that a run that is killed leaves its rows, and say how far it is."""
        self.tally.rows.flush()
        if self.options.progress:
            total_s = self.plan.warmup_s + self.plan.duration_s
            write_progress(Path(self.options.progress), self.tally.progress(self.elapsed_s(), total_s))


@events.test_start.add_listener  # type: ignore[untyped-decorator]  # Locust leaves its hooks untyped
def begin_anew(**_: Any) -> None:
    """Let each test that is started send its plan once, and no user that joins it later."""
    PairedUser.begun = False

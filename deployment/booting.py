"""The image started as the platform would start it: what it does until it is ready, what it answers, how it ends."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from threading import Event
from time import monotonic

import httpx

from deployment.checks import Check, Finding, Standing, fail, ok
from deployment.container_log import reason_of_end
from deployment.engine import TIMEOUT_S, docker
from deployment.golden import ModelArtefacts
from deployment.outcomes import Outcome
from deployment.scoring import Answer, decode

PORT = 8003
READY = "score.init() finished"  # its last line
LOOK_S = 0.1
PROBE_TIMEOUT_S = 2.0  # deployment.yml: liveness_probe.timeout
REQUEST_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 30
LOG_LINES = 30


@dataclass(frozen=True)
class Container:
    """A container whose port 8003 is published on a free port of loopback."""

    container_id: str

    @cached_property
    def url(self) -> str:
        port = docker("port", self.container_id, f"{PORT}/tcp").splitlines()[0].rpartition(":")[2]
        return f"http://127.0.0.1:{port}"

    @property
    def exit_code(self) -> int | None:
        """Return None while it runs."""
        running, code = docker(
            "inspect", "--format", "{{.State.Running}} {{.State.ExitCode}}", self.container_id
        ).split()
        return None if running == "true" else int(code)

    def log(self, *, lines: int | None = None) -> str:
        """Return what it wrote to either stream; empty where that cannot be read."""
        tail = [] if lines is None else ["--tail", str(lines)]
        done = subprocess.run(
            ["docker", "logs", *tail, self.container_id],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
        )
        return done.stdout if done.returncode == 0 else ""

    def ask(self, method: str, path: str, *, timeout_s: float, body: object = None) -> Answer:
        """Send a request; status 0 where no answer came."""
        try:
            # Nothing of the environment: a proxy would not reach this machine's loopback.
            with httpx.Client(base_url=self.url, timeout=timeout_s, trust_env=False) as client:
                response = client.request(method, path, json=body)
        except httpx.HTTPError as error:
            return Answer(0, "", f"{type(error).__name__}: {error}", "")
        return Answer(response.status_code, "", decode(response), "")


@dataclass(frozen=True)
class Boot:
    """What was found of an image, in the order in which it was looked at; the first failure is the last check."""

    checks: tuple[Check, ...]
    log: str
    outcome: Outcome

    @property
    def failed(self) -> Check | None:
        """The check that did not hold; None where all did."""
        return next((each for each in self.checks if each.standing is Standing.FAIL), None)


Look = Callable[[Container], Finding]


def boot(image_id: str, model: ModelArtefacts, *, timeout_s: float, started: Callable[[str], None]) -> Boot:
    """Start the image, look at it until something does not hold, and remove the container.

    `started` is told what is being looked at. The outcome says which of a release's phases would refuse the image.
    """
    looks: tuple[tuple[str, Look, Outcome], ...] = (
        ("score.init() boots", lambda container: initialised(container, timeout_s), Outcome.NOT_PROVISIONED),
        (f"GET / on {PORT}", probed, Outcome.NOT_PROVISIONED),
        ("golden requests", lambda container: scored(container, model), Outcome.REFUSED_BY_SMOKE),
        ("SIGTERM", ended, Outcome.NOT_PROVISIONED),
    )
    checks = []
    with started_container(image_id) as container:
        for name, look, refused_as in looks:
            started(name)
            finding = look(container)
            checks.append(Check(name, finding.standing, finding.found, finding.fix))
            if finding.standing is Standing.FAIL:
                return Boot(tuple(checks), container.log(lines=LOG_LINES), refused_as)
        return Boot(tuple(checks), container.log(lines=LOG_LINES), Outcome.PASSED)


@contextmanager
def started_container(image_id: str) -> Iterator[Container]:
    """Run an image with port 8003 published on loopback, and remove the container whatever happens."""
    container_id = docker("create", "--publish", f"127.0.0.1::{PORT}", image_id)
    try:
        docker("start", container_id)
        yield Container(container_id)
    finally:
        docker("rm", "--force", "--volumes", container_id)


def initialised(container: Container, timeout_s: float) -> Finding:
    """Wait until score.init() says that it is ready, or the container has ended."""
    began_s = monotonic()
    while READY not in container.log():
        if (code := container.exit_code) is not None:
            reason = reason_of_end(container.log()) or "its log says no reason"
            return fail(f"the container ended with exit code {code}: {reason}", "read its last lines")
        if monotonic() - began_s > timeout_s:
            return fail(
                f"not ready within {timeout_s:g} s: no line of its log says {READY!r}",
                "read its last lines; --timeout-s gives a large model longer",
            )
        Event().wait(LOOK_S)
    return ok(f"finished {monotonic() - began_s:.1f} s after the start")


def probed(container: Container) -> Finding:
    """Ask the root route, as the platform's probes do."""
    answer = container.ask("GET", "/", timeout_s=PROBE_TIMEOUT_S)
    if answer.ok:
        return ok("200")
    return fail(f"status {answer.status} ({answer.body}) instead of 200", "the platform would not send it a request")


def scored(container: Container, model: ModelArtefacts) -> Finding:
    """Ask all golden requests of the model."""
    requests = model.golden.requests
    wrong = {}
    for each in requests:
        answer = container.ask("POST", "/score", timeout_s=REQUEST_TIMEOUT_S, body=each.body)
        if (mismatch := model.golden.mismatch(each, answer)) is not None:
            wrong[each.id] = mismatch
    if not wrong:
        return ok(f"{len(requests)} of {len(requests)} answered right, as model {model.name} {model.version}")
    first, mismatch = next(iter(wrong.items()))
    return fail(
        f"{len(wrong)} of {len(requests)} answered wrongly: {first} got {mismatch}",
        f"is the image's model that of {model.folder}?",
    )


def ended(container: Container) -> Finding:
    """Tell the container to end, as the platform does before it takes it away."""
    began_s = monotonic()
    docker("stop", "-t", str(STOP_TIMEOUT_S), container.container_id, timeout_s=STOP_TIMEOUT_S + TIMEOUT_S)
    took_s, code = monotonic() - began_s, container.exit_code
    if code == 0:
        return ok(f"ended in good order after {took_s:.1f} s")
    how = f"killed, as it was still there after {STOP_TIMEOUT_S} s" if took_s >= STOP_TIMEOUT_S else f"exit code {code}"
    return fail(f"{how} instead of exit code 0", "requests under way would be lost; read its last lines")

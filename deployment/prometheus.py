"""A Prometheus beside the emulator, where the program is installed, and what it has seen of a release."""

import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from time import monotonic, time

import httpx
from rich.console import Console
from rich.table import Table

from deployment.outcomes import BadInputError, PlatformError
from deployment.signals import undisturbed

MONITORING = Path(__file__).with_name("monitoring")
PLACEHOLDER = "EMULATOR"
PROGRAM = "prometheus"
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 30.0
ANSWER_TIMEOUT_S = 10.0
LOOK_S = 0.05
SLICES = 12
LEAST_STEP_S = 5
RATE = "sum by (deployment) (rate(emulator_requests_total[{step}s]))"
P95_MS = (
    "1000 * histogram_quantile(0.95, sum by (deployment, le) (rate(emulator_request_duration_seconds_bucket[{step}s])))"
)
SHARE = "max by (deployment) (emulator_traffic_percent)"


@dataclass(frozen=True)
class Prometheus:
    """One that runs since `started_s`, seconds since the epoch."""

    url: str
    started_s: float

    def series(self, query: str, end_s: float, step_s: int) -> dict[str, dict[int, float]]:
        """Return a query's values by deployment and seconds since the start, every `step_s` up to the end.

        Raises PlatformError.
        """
        first_s = end_s - max(0, int((end_s - self.started_s) / step_s) - 1) * step_s
        asked: dict[str, str | float] = {"query": query, "start": first_s, "end": end_s, "step": step_s}
        try:
            with httpx.Client(trust_env=False, timeout=ANSWER_TIMEOUT_S) as client:
                answer = client.get(f"{self.url}/api/v1/query_range", params=asked).raise_for_status().json()
        except httpx.HTTPError as error:
            raise PlatformError(f"prometheus: {query}: {error}") from error
        return {
            found["metric"].get("deployment", ""): {
                round(at_s - self.started_s): float(value) for at_s, value in found["values"] if value != "NaN"
            }
            for found in answer["data"]["result"]
        }

    def summary(self) -> Table:
        """Return requests a second, 95th percentile and share of the traffic of each deployment, over the time."""
        now_s = time()
        step_s = max(LEAST_STEP_S, round((now_s - self.started_s) / SLICES))
        kinds = [self.series(each.format(step=step_s), now_s, step_s) for each in (SHARE, RATE, P95_MS)]
        names = sorted({name for each in kinds for name in each})
        table = Table("seconds", *(f"{name}: share, requests/s, p95" for name in names))
        for at_s in sorted({at_s for each in kinds for values in each.values() for at_s in values}):
            cells = [told(*(each.get(name, {}).get(at_s) for each in kinds)) for name in names]
            table.add_row(str(at_s), *cells)
        return table


def told(share: float | None, rate: float | None, p95_ms: float | None) -> str:
    if share is None:
        return ""
    return f"{share:.0f} %, {rate or 0:.1f}/s" + (f", {p95_ms:.0f} ms" if p95_ms is not None else "")


def require_program() -> str:
    """Return where the program is; raises BadInputError where it is not on PATH."""
    found = shutil.which(PROGRAM)
    if found is None:
        raise BadInputError(
            "prometheus: no such program on PATH; install it (on Debian and Ubuntu: apt-get install "
            "--no-install-recommends prometheus), or leave --prometheus out"
        )
    return found


@contextmanager
def running_prometheus(environment: Mapping[str, str], folder: Path) -> Iterator[Prometheus]:
    """Run a Prometheus for the emulator that these variables lead to, its files in the folder; yields once it answers.

    Raises BadInputError where there is no such program, and PlatformError where it does not start.
    """
    program = require_program()
    folder.mkdir(parents=True, exist_ok=True)
    config = write_config(environment["IDENTITY_ENDPOINT"].split("/")[2], folder)
    url = f"127.0.0.1:{free_port()}"
    command = [program, f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
    log = folder / "prometheus.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, f"--web.listen-address={url}", "--log.level=warn"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # as the emulator: ^C in the terminal ends it through this process
        )
    try:
        wait_until_ready(f"http://{url}", process, log)
        yield Prometheus(f"http://{url}", time())
    finally:
        with undisturbed(lambda _: None):
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_TIMEOUT_S)


def write_config(emulator: str, folder: Path) -> Path:
    """Write the shipped configuration and rules for the emulator at this host and port; return where it is."""
    config = folder / "prometheus.yml"
    shipped = (MONITORING / "prometheus.yml").read_text(encoding="utf-8")
    config.write_text(shipped.replace(f"//{PLACEHOLDER}/", f"//{emulator}/"), encoding="utf-8")
    shutil.copyfile(MONITORING / "alerts.yml", folder / "alerts.yml")
    return config


def wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline_s = monotonic() + START_TIMEOUT_S
    with httpx.Client(trust_env=False, timeout=ANSWER_TIMEOUT_S) as client:
        while not is_ready(client, url):
            if process.poll() is not None or monotonic() > deadline_s:
                raise PlatformError(
                    f"prometheus: it did not start (exit code {process.poll()}); its log:\n"
                    f"{log.read_text(encoding='utf-8')}"
                )
            Event().wait(LOOK_S)


def is_ready(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(f"{url}/-/ready").is_success
    except httpx.TransportError:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def watching(environment: Mapping[str, str], folder: Path, console: Console) -> Iterator[None]:
    """Run a Prometheus around the block, say where, and show in the end what it has seen; raises as it does."""
    with running_prometheus(environment, folder) as prometheus:
        console.print(f"Prometheus, until the end of this: {prometheus.url}", markup=False)
        yield
        try:
            console.print(prometheus.summary())
        except PlatformError as error:  # the release has ended as it has
            console.print(str(error), markup=False)

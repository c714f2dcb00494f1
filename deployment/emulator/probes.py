"""Liveness and readiness probes as the kubelet sends them: an HTTP GET, thresholds, a schedule."""

from dataclasses import dataclass
from typing import Protocol

import aiohttp

from deployment.emulator.entities import ProbeSettings

PASSING_STATUSES = range(200, 400)
RESTART_DELAY_STEP_S = 10.0
RESTART_DELAY_LIMIT_S = 300.0
RESTARTS_FORGOTTEN_S = 600.0


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """How one probe ended; the reason is the kubelet's wording and empty when it passed."""

    passed: bool
    reason: str = ""


class Prober(Protocol):
    """Sends one probe."""

    async def check(self, host_port: int, path: str, timeout_s: float) -> ProbeResult:
        """Answer whether 127.0.0.1:host_port answered the path in time with 200 to 399; never raises."""
        ...


class HttpProber:
    """Sends probes over HTTP."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def check(self, host_port: int, path: str, timeout_s: float) -> ProbeResult:
        """Answer whether 127.0.0.1:host_port answered the path in time with 200 to 399; never raises."""
        url = f"http://127.0.0.1:{host_port}{path}"
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        try:
            # A connection of its own each time: a probe must not ride on one that the data plane holds open.
            async with self._session.get(
                url, timeout=timeout, headers={"connection": "close"}, allow_redirects=False
            ) as response:
                await response.read()
        except TimeoutError:
            return ProbeResult(passed=False, reason=f"no answer from {path} within {timeout_s:g} s")
        except aiohttp.ClientConnectorError:
            return ProbeResult(passed=False, reason=f"{path}: connection refused")
        except aiohttp.ClientError:
            return ProbeResult(passed=False, reason=f"{path}: connection broken off")
        if response.status in PASSING_STATUSES:
            return ProbeResult(passed=True)
        return ProbeResult(passed=False, reason=f"HTTP probe failed with statuscode: {response.status}")


class ProbeTally:
    """Counts probe results in a row and says when they suffice for a change."""

    def __init__(self, settings: ProbeSettings) -> None:
        self._settings = settings
        self._passed_in_a_row = 0
        self._failed_in_a_row = 0

    def record(self, result: ProbeResult) -> None:
        """Count one more result."""
        self._passed_in_a_row = self._passed_in_a_row + 1 if result.passed else 0
        self._failed_in_a_row = 0 if result.passed else self._failed_in_a_row + 1

    @property
    def has_succeeded(self) -> bool:
        """Whether success_threshold probes in a row have passed."""
        return self._passed_in_a_row >= self._settings.success_threshold

    @property
    def has_failed(self) -> bool:
        """Whether failure_threshold probes in a row have failed."""
        return self._failed_in_a_row >= self._settings.failure_threshold


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the emulator lives.

    With real_delays a deployment waits its readiness probe's initial delay and period, and may take initial_delay +
    failure_threshold x period until it is ready, as on the platform (310 s by default). Without, it is probed every
    first_period_s, and may take a tenth of that time, but never less than least_budget_s unless the platform gives
    less: what never answers fails soon, what starts slowly is not cut. Liveness always has the platform's own times.
    """

    real_delays: bool = False
    first_period_s: float = 0.1
    watch_period_s: float = 0.5
    grace_s: float = 10.0
    least_budget_s: float = 30.0

    def first_delay_s(self, probe: ProbeSettings) -> float:
        """Seconds before the first probe."""
        return probe.initial_delay_s if self.real_delays else 0.0

    def first_period(self, probe: ProbeSettings) -> float:
        """Seconds between probes until the first that passes."""
        return probe.period_s if self.real_delays else min(self.first_period_s, probe.period_s)

    def budget_s(self, probe: ProbeSettings) -> float:
        """Seconds a container may take until it is ready."""
        documented_s = probe.initial_delay_s + probe.failure_threshold * probe.period_s
        return documented_s if self.real_delays else min(documented_s, max(documented_s / 10, self.least_budget_s))

    def forgets(self, ran_s: float) -> bool:
        """Whether a container ran long enough for its next restart to be at once again, as the kubelet has it."""
        return ran_s >= RESTARTS_FORGOTTEN_S

    def restart_delay_s(self, restarts: int) -> float:
        """Seconds before a restart: the first at once, then 10, 20, 40 ... 300, as the kubelet backs off."""
        if restarts == 0:
            return 0.0
        return min(RESTART_DELAY_STEP_S * 2.0 ** (restarts - 1), RESTART_DELAY_LIMIT_S)

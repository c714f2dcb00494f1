"""Traffic in steps, each verified and watched, and back at the first breach."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from time import monotonic

from deployment.golden import GoldenRequests
from deployment.journal import Journal
from deployment.outcomes import Breach, Outcome, ReleaseError, TrafficConflictError
from deployment.phases import Phase
from deployment.platform import Platform, Traffic, describe_traffic
from deployment.rollback import NoSafeWayError, roll_back
from deployment.scoring import ScoringClient
from deployment.settings import ShiftSettings
from deployment.split import SplitCheck, probe, wait_until_routed

WATCH_INTERVAL_S = 0.2


@dataclass(frozen=True)
class Shift:
    """The way of one candidate from 0 to 100 %; `live` is None at a first release, which goes there at once."""

    platform: Platform
    client: ScoringClient
    journal: Journal
    settings: ShiftSettings
    golden: GoldenRequests
    live: str | None
    candidate: str
    traffic_before: Traffic

    def run(self) -> None:
        """Give the candidate all traffic, or raise Breach with the traffic back where it was (or frozen)."""
        with self.taking_it_back():
            for percent in self.settings.steps_percent if self.live else (100,):
                self.step(percent)
        self.journal.enter(Phase.PROMOTED, f"{self.candidate} has all traffic")

    def step(self, percent: int) -> None:
        """Give the candidate `percent` of the traffic, see it routed, and watch it."""
        before, wanted = self.journal.traffic, share(self.live, self.candidate, percent)
        self.journal.watcher.started(f"shift: {describe_traffic(wanted)}")
        self.journal.traffic = wanted
        self.journal.enter(Phase.SHIFTING, f"setting {describe_traffic(wanted)}")
        self.platform.set_traffic(wanted, expected=before)
        check = self.verify(wanted)
        self.journal.record(check.reason, verified=check.fits)
        if not check.fits:
            raise breach_at(percent, check.reason)
        self.watch(percent)

    def verify(self, wanted: Traffic) -> SplitCheck:
        """See the split in the control plane, then in who answers."""
        endpoint = self.platform.observe()
        if endpoint is None or endpoint.traffic != wanted:
            seen = describe_traffic(endpoint.traffic) if endpoint else "no endpoint"
            reason = f"the control plane shows {seen} where {describe_traffic(wanted)} was set"
            return SplitCheck(fits=False, reason=reason, answered={}, failures=())
        return wait_until_routed(
            lambda: probe(self.client, self.golden, self.settings.probes_per_step),
            wanted,
            timeout_s=self.settings.routing_timeout_s,
        )

    def watch(self, percent: int) -> None:
        """Look at the candidate's golden answers and at the endpoint's own route until the step's time is over."""
        if not self.settings.bake_s:
            return
        until_s = monotonic() + self.settings.bake_s
        looks = 0
        while monotonic() < until_s:
            request = self.golden.requests[looks % len(self.golden.requests)]
            if mismatch := self.golden.mismatch(request, self.client.score(request.body, deployment=self.candidate)):
                raise breach_at(percent, f"{self.candidate} answered {request.id} with {mismatch}")
            unnamed = self.client.score(request.body)
            if not unnamed.ok:
                raise breach_at(percent, f"the endpoint answered a client with status {unnamed.status}")
            looks += 1
            Event().wait(WATCH_INTERVAL_S)
        self.journal.record(f"watched for {self.settings.bake_s:g} s, {looks} looks: no breach")

    @contextmanager
    def taking_it_back(self) -> Iterator[None]:
        """Whatever ends the block early, a breach, an error or a signal: the traffic goes back to where it was."""
        try:
            yield
        except TrafficConflictError as error:
            raise self.freeze(str(error)) from error
        except BaseException as error:  # a fault of any kind, the SDK's and our own too, must not leave the split
            raise self.go_back(reason_of(error)) from error

    def go_back(self, why: str) -> Breach:
        self.journal.watcher.started("rolling back")
        try:
            check = roll_back(
                self.platform,
                self.client,
                self.golden,
                target=self.traffic_before,
                routing_timeout_s=self.settings.routing_timeout_s,
            )
        except NoSafeWayError as error:
            return self.freeze(f"{why} And there is no safe way back: {error}.")
        self.journal.traffic = self.traffic_before
        if not check.fits:
            return self.freeze(f"{why} The traffic was set back, but the answers do not show it: {check.reason}.")
        self.journal.enter(Phase.ROLLED_BACK, check.reason, verified=check.fits)
        return Breach(Outcome.ROLLED_BACK, why, "Live has all traffic again. Mend what broke, then release again.")

    def freeze(self, why: str) -> Breach:
        """Touch nothing more: whoever serves goes on serving, and a person has to look."""
        self.journal.enter(Phase.FROZEN, why)
        return Breach(Outcome.FROZEN, why, "Look at the endpoint now: `python -m deployment status`.")


def share(live: str | None, candidate: str, percent: int) -> Traffic:
    """Return the split that gives the candidate `percent` and live the rest."""
    rest = {live: 100 - percent} if live and percent < 100 else {}  # noqa: PLR2004 - percent
    return {**rest, candidate: percent}


def reason_of(error: BaseException) -> str:
    if isinstance(error, Breach | ReleaseError):
        return str(error)
    if isinstance(error, KeyboardInterrupt | SystemExit):
        return "The release was told to stop."
    return f"The release broke off: {type(error).__name__}: {error}."


def breach_at(percent: int, reason: str) -> Breach:
    return Breach(Outcome.ROLLED_BACK, f"Breach at {percent} % traffic: {reason}.", "")

"""Traffic in steps, each verified and watched, and back at the first breach."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from time import monotonic

from deployment.bake import watch
from deployment.candidate import look_until
from deployment.golden import GoldenRequests
from deployment.hold import Hold
from deployment.journal import Journal
from deployment.outcomes import Breach, ConflictError, Outcome, ReleaseError
from deployment.phases import Phase
from deployment.platform import Platform, Routing, require
from deployment.rollback import NoSafeWayError, WayBack
from deployment.scoring import ScoringClient, asking
from deployment.settings import ReleaseSettings
from deployment.signals import undisturbed
from deployment.split import SplitCheck, probe, wait_until_routed

SEEN_WITHIN_S = 3.0
LOOK_AT_IT = "Look at the endpoint now: `python -m deployment status`; then `resume` or `abort`."


@dataclass(frozen=True)
class Shift:
    """The way of one candidate from 0 to 100 %; `live` is None at a first release, which goes there at once."""

    platform: Platform
    client: ScoringClient
    hold: Hold
    journal: Journal
    settings: ReleaseSettings
    golden: GoldenRequests
    live: str | None
    candidate: str
    drill: bool = True

    @property
    def before(self) -> Routing:
        """What live had, and has again after the way back."""
        return Routing({self.live: 100} if self.live else {})

    def run(self) -> None:
        """Give the candidate all traffic, or raise Breach with the traffic back where it was (or frozen)."""
        if self.journal.phase is Phase.PASSED and self.drill:
            self.walk_the_way_back_once()
        with self.taking_it_back():
            if self.live and self.settings.shift.mirror_percent and not self.hold.routing.traffic.get(self.candidate):
                self.mirror(self.live)
            for percent in self.steps_ahead():
                self.step(percent)
            self.journal.enter(Phase.PROMOTED, f"{self.candidate} has all traffic")

    def steps_ahead(self) -> tuple[int, ...]:
        """Return the steps from the one that the endpoint is at, which is verified and watched again."""
        reached = self.hold.routing.traffic.get(self.candidate, 0)
        steps = self.settings.shift.steps_percent if self.live else (100,)
        return tuple(percent for percent in steps if percent >= reached)

    def walk_the_way_back_once(self) -> None:
        """Prove, before the candidate has any traffic, that the way back is open."""
        self.journal.started("drill: the way back")
        started_s = monotonic()
        try:
            check = self.way_back().walk(self.hold, self.before, Phase.PASSED)
        except NoSafeWayError as error:
            raise self.no_way_back(str(error)) from error
        if not check.fits:
            raise self.no_way_back(check.reason)
        took_s = monotonic() - started_s
        self.journal.record(f"drill: the way back took {took_s:.1f} s: {check.reason}", verified=self.seen(check))

    def no_way_back(self, why: str) -> Breach:
        return Breach(
            Outcome.PLATFORM_ERROR,
            f"The way back is not open, so the candidate gets no traffic: {why}.",
            "Mend that, or wait until it is over, then release again.",
        )

    def mirror(self, live: str) -> None:
        """Copy a share of live's requests to the candidate; nobody waits for what it answers to them."""
        percent, duration_s = self.settings.shift.mirror_percent, self.settings.shift.mirror_s
        self.journal.started(f"mirror: {percent} % of the requests to {live} are copied to {self.candidate}")
        self.route(Routing({live: 100}, {self.candidate: percent}))
        self.refuse_unless_seen()
        self.watch_it("while it was mirrored to", duration_s)

    def step(self, percent: int) -> None:
        """Give the candidate `percent` of the traffic, see it routed, and watch it."""
        wanted = share(self.live, self.candidate, percent)
        self.journal.started(f"shift: {wanted}")
        self.route(wanted)
        check = self.verify(wanted)
        self.journal.record(check.reason, verified=check.fits)
        if not check.fits:
            raise breach(f"at {percent} % traffic", check.reason)
        self.watch_it(f"at {percent} % traffic", self.settings.shift.bake_s)

    def route(self, wanted: Routing) -> None:
        self.journal.traffic = wanted.traffic
        self.journal.enter(Phase.SHIFTING, f"setting {wanted}")
        self.hold.write(Phase.SHIFTING, wanted)

    def verify(self, wanted: Routing) -> SplitCheck:
        """See the split in the control plane, then in who answers."""
        self.refuse_unless_seen()
        ask = asking(self.client, [request.body for request in self.golden.requests])
        return wait_until_routed(
            lambda: probe(ask, self.settings.shift.probes_per_step),
            wanted.traffic,
            timeout_s=self.settings.shift.routing_timeout_s,
        )

    def refuse_unless_seen(self) -> None:
        """Raise ConflictError unless the control plane shows what was set, by whom it was."""
        wanted, holder = self.hold.routing, self.hold.record.holder
        look_until(
            lambda: require(self.hold.platform.observe()),
            lambda found: (found.routing, found.holder) == (wanted, holder),
            timeout_s=SEEN_WITHIN_S,
            overdue=lambda found: ConflictError(
                f"endpoint {found.name}: the control plane shows {found.routing}, set by {found.holder or 'nobody'}, "
                f"where {holder} set {wanted}; somebody else has changed it, so nothing more is done: "
                "`python -m deployment status`"
            ),
        )

    def watch_it(self, when: str, duration_s: float) -> None:
        if not duration_s:
            return
        watched = watch(
            self.client,
            self.golden,
            live=self.live,
            candidate=self.candidate,
            duration_s=duration_s,
            settings=self.settings.shift,
            policy=self.settings.gate,
            look_on=self.refuse_unless_seen,
        )
        if not watched.fits:
            raise breach(when, watched.reason)
        self.refuse_unless_seen()
        self.journal.record(watched.reason)

    @contextmanager
    def taking_it_back(self) -> Iterator[None]:
        """Whatever ends the block early, a breach, an error or a signal: the traffic goes back to where it was."""
        try:
            yield
        except ConflictError as error:
            raise self.freeze(str(error)) from error
        except BaseException as error:  # a fault of any kind, the SDK's and our own too, must not leave the split
            raise self.go_back(reason_of(error)) from error

    def go_back(self, why: str) -> Breach:
        """Walk the way back and return how that ended."""
        with undisturbed(self.journal.started):
            self.journal.enter(Phase.ROLLING_BACK, why)
            self.journal.started("rolling back")
            try:
                check = self.way_back().walk(self.hold, self.before)
            except ConflictError as error:
                return self.freeze(f"{why} And somebody else has changed the endpoint: {error}")
            except NoSafeWayError as error:
                return self.freeze_and_say_so(f"{why} And there is no safe way back: {error}.")
            self.journal.traffic = self.before.traffic
            if not check.fits:
                return self.freeze_and_say_so(
                    f"{why} The traffic was set back, but the answers do not show it: {check.reason}."
                )
            self.journal.enter(Phase.ROLLED_BACK, check.reason, verified=self.seen(check))
        who = f"{self.live} has all traffic again" if self.live else "Nobody has traffic, as before"
        return Breach(Outcome.ROLLED_BACK, why, f"{who}. Mend what broke, then release again.")

    def seen(self, check: SplitCheck) -> bool | None:
        """Return what the answers showed; None where nobody has traffic, so that nobody could look."""
        return check.fits if self.before.traffic else None

    def way_back(self) -> WayBack:
        return WayBack(
            self.platform,
            asking(self.client, [request.body for request in self.golden.requests]),
            self.settings.platform.rollback_patience_s,
            self.settings.shift.routing_timeout_s,
        )

    def freeze_and_say_so(self, why: str) -> Breach:
        """Freeze, and leave the word on the endpoint, where it is ours and takes it."""
        with suppress(Exception):
            self.hold.mark(Phase.FROZEN)
        return self.freeze(why)

    def freeze(self, why: str) -> Breach:
        """Touch nothing more: whoever serves goes on serving, and a person has to look."""
        self.journal.enter(Phase.FROZEN, why)
        return Breach(Outcome.FROZEN, why, LOOK_AT_IT)


def share(live: str | None, candidate: str, percent: int) -> Routing:
    """Return the split that gives the candidate `percent` and live the rest."""
    rest = {live: 100 - percent} if live and percent < 100 else {}  # noqa: PLR2004 - percent
    return Routing({**rest, candidate: percent})


def reason_of(error: BaseException) -> str:
    if isinstance(error, Breach | ReleaseError):
        return str(error)
    if isinstance(error, KeyboardInterrupt | SystemExit):
        return "The release was told to stop."
    return f"The release broke off: {type(error).__name__}: {error}."


def breach(when: str, reason: str) -> Breach:
    return Breach(Outcome.ROLLED_BACK, f"Breach {when}: {reason}.", "")

"""Commands that give traffic back without a gate, over the head of whatever release is under way."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from deployment.golden import GoldenRequests
from deployment.hold import Hold
from deployment.journal import Journal
from deployment.outcomes import BadInputError, ConflictError, Outcome, PlatformError
from deployment.patience import PatientPlatform
from deployment.phases import BEGUN, Phase
from deployment.platform import Endpoint, Platform, Routing, require
from deployment.record import Record, new_holder, read_record, utc_now
from deployment.rollback import PROBES, NoSafeWayError, WayBack
from deployment.scoring import Ask, ScoringClient, asking_any_form
from deployment.settings import ReleaseSettings
from deployment.signals import undisturbed
from deployment.split import probe, wait_until_routed
from deployment.taking import observe_settled

WITHOUT_A_RELEASE = "none"


@dataclass(frozen=True)
class TakenBack:
    """Who has the traffic now, and whether that was seen; an outcome of None: nothing was to be done, or touched."""

    outcome: Outcome | None
    sentence: str
    routing: Routing


@dataclass(frozen=True)
class TakeBack:
    """What both commands need; without golden requests the containers' root route is asked instead.

    Only `over_all_heads` is the endpoint taken from a release that has changed it since it was read.
    """

    platform: Platform
    settings: ReleaseSettings
    golden: GoldenRequests | None
    journal: Journal
    run_url: str = ""
    over_all_heads: bool = True

    def abort(self) -> TakenBack:
        """End the release that is under way: the traffic goes where it was before; raises BadInputError without one."""
        endpoint = self.observe()
        record = read_record(endpoint.tags)
        if record is None or not record.in_flight:
            raise BadInputError(f"abort: no release is under way on endpoint {endpoint.name}; {last_of(record)}")
        return self.end(endpoint, record)

    def abort_only(self, release_id: str) -> TakenBack:
        """End this release; where it is not under way, or not any more, say so and touch nothing."""
        found = self.look()
        if found is None:
            return TakenBack(None, "the endpoint does not exist: nothing is under way", Routing({}))
        record = read_record(found.tags)
        if record is None or not record.in_flight:
            said = f"release {release_id} is not under way on endpoint {found.name}; {last_of(record)}"
            return TakenBack(None, said, found.routing)
        if record.release_id != release_id:
            said = f"release {release_id} is not under way on endpoint {found.name}, but {record.release_id} is"
            return TakenBack(None, f"{said} ({record.phase}, held by {record.holder})", found.routing)
        return self.end(found, record)

    def end(self, endpoint: Endpoint, record: Record) -> TakenBack:
        """End a release that is under way on this endpoint, as its record says."""
        target = Routing({record.live: 100} if record.live else {})
        if record.phase in BEGUN and endpoint.routing == target:
            return self.end_without_traffic(endpoint, record)
        return self.go(endpoint, self.hold_of(endpoint, record), target)

    def roll_back(self, to: str | None) -> TakenBack:
        """Give one deployment all traffic: `to`, or who served before; raises BadInputError where that is not known."""
        endpoint = self.observe()
        record = self.readable_record(endpoint)
        target = to or self.who_served_before(endpoint, record)
        if target not in endpoint.deployments:
            there = ", ".join(sorted(endpoint.deployments)) or "none"
            raise BadInputError(f"rollback: endpoint {endpoint.name} has no deployment {target!r}; it has: {there}")
        wanted = Routing({target: 100})
        if endpoint.routing == wanted and (record is None or not record.in_flight):
            return self.say_so(endpoint, wanted)
        hold = self.hold_of(endpoint, aimed_at(target, endpoint, record or self.new_record(endpoint, target)))
        self.scale_up(endpoint, target, hold)
        return self.go(endpoint, hold, wanted)

    def observe(self) -> Endpoint:
        return require(self.look())

    def look(self) -> Endpoint | None:
        patience_s = self.settings.platform.rollback_patience_s
        patient = PatientPlatform(self.platform, patience_s, repeated=(Exception,))
        return observe_settled(patient, self.settings.platform)

    def readable_record(self, endpoint: Endpoint) -> Record | None:
        """Return the record; None where there is none, or it was damaged, which must not stand in the way back."""
        try:
            return read_record(endpoint.tags)
        except BadInputError as error:
            self.journal.record(f"{error}; they are written anew")
            return None

    def who_served_before(self, endpoint: Endpoint, record: Record | None) -> str:
        before = (record.kept or record.live) if record is not None else ""
        # After a rollback that is where the traffic went already, and asking again changes nothing.
        goes_forward = (
            record is not None and record.phase in {Phase.PROMOTED, Phase.DONE} and before in endpoint.traffic
        )
        if before in endpoint.deployments and not goes_forward:
            return before
        raise BadInputError(
            f"rollback: nobody is kept warm on endpoint {endpoint.name}, so name who is to have all traffic: --to "
            f"NAME, one of {', '.join(sorted(endpoint.deployments)) or 'none'}"
        )

    def scale_up(self, endpoint: Endpoint, target: str, hold: Hold) -> None:
        """Give the target as many instances as who serves has: one that was scaled down would drown."""
        serving = endpoint.live
        if serving is not None and endpoint.deployments[target].instance_count < serving.instance_count:
            before, wanted = endpoint.deployments[target].instance_count, serving.instance_count
            self.journal.started(f"scaling {target} from {before} to {wanted} instances")
            # Taken first: a release that is under way must not go on meanwhile.
            hold.write(Phase.ROLLING_BACK, endpoint.routing)
            try:
                PatientPlatform(self.platform, self.settings.platform.patience_s).scale(target, wanted)
            except PlatformError as error:
                self.journal.record(f"{target} keeps {before} instances where {serving.name} has {wanted}: {error}")
            else:
                self.journal.record(f"{target} scaled from {before} to {wanted} instances")

    def hold_of(self, endpoint: Endpoint, found: Record) -> Hold:
        """Return the hold that takes the endpoint from whoever has it, however it is routed by then if over heads."""
        patient = PatientPlatform(self.platform, self.settings.platform.patience_s)
        record, lease_s = replace(found, holder=new_holder(self.run_url)), self.settings.platform.lease_s
        return Hold(
            patient, record, (endpoint.routing,), (endpoint.holder,), lease_s, over_all_heads=self.over_all_heads
        )

    def end_without_traffic(self, endpoint: Endpoint, record: Record) -> TakenBack:
        """End a release whose candidate has had no traffic: there is nothing to give back, and nobody to ask."""
        self.hold_of(endpoint, record).end(Phase.REFUSED, Outcome.STOPPED)
        return TakenBack(
            Outcome.STOPPED, f"{endpoint.routing}, as before: the candidate had no traffic", endpoint.routing
        )

    def go(self, endpoint: Endpoint, hold: Hold, target: Routing) -> TakenBack:
        """Walk the way back, over the head of whoever holds the endpoint."""
        self.journal.phase, self.journal.traffic = Phase.ROLLING_BACK, target.traffic
        self.journal.record(f"{endpoint.routing} before; all traffic to {target}")
        with undisturbed(self.journal.started), self.client(endpoint) as client:
            try:
                check = self.way(client).walk(hold, target)
            except (NoSafeWayError, ConflictError) as error:
                return self.frozen(f"there is no safe way back: {error}", endpoint.routing)
            if not check.fits:
                return self.frozen(f"{target} was set, but the answers do not show it: {check.reason}", target)
            self.let_go(hold)
        self.journal.enter(Phase.ROLLED_BACK, check.reason, verified=True if client else None)
        return TakenBack(Outcome.ROLLED_BACK, f"{target}: {check.reason}", target)

    def restore(self, endpoint: Endpoint, record: Record, routing: Routing) -> TakenBack:
        """Give the endpoint the traffic again that a release which has ended left; its record stays as it is."""
        with undisturbed(self.journal.started), self.client(endpoint) as client:
            try:
                check = self.way(client).walk(self.hold_of(endpoint, record), routing, record.phase)
            except (NoSafeWayError, ConflictError) as error:
                return TakenBack(Outcome.FROZEN, f"there is no safe way to {routing}: {error}", endpoint.routing)
        return TakenBack(Outcome.ROLLED_BACK if check.fits else Outcome.FROZEN, f"{routing}: {check.reason}", routing)

    def way(self, client: ScoringClient | None) -> WayBack:
        patience_s, timeout_s = self.settings.platform.rollback_patience_s, self.settings.shift.routing_timeout_s
        return WayBack(self.platform, self.question(client), patience_s, timeout_s)

    def say_so(self, endpoint: Endpoint, wanted: Routing) -> TakenBack:
        """Look whether who has all traffic already is seen to; nothing is changed."""
        with self.client(endpoint) as client:
            ask = self.question(client)
            if ask is None:
                return TakenBack(Outcome.ROLLED_BACK, f"{wanted} already; nobody could look who answers", wanted)
            timeout_s = self.settings.shift.routing_timeout_s
            check = wait_until_routed(lambda: probe(ask, PROBES), wanted.traffic, timeout_s=timeout_s)
        outcome = Outcome.ROLLED_BACK if check.fits else Outcome.FROZEN
        return TakenBack(outcome, f"{wanted} already: {check.reason}", wanted)

    @contextmanager
    def client(self, endpoint: Endpoint) -> Iterator[ScoringClient | None]:
        """Yield a client; None where there is no key to be had, which must not stand in the way back."""
        patient = PatientPlatform(self.platform, self.settings.platform.patience_s, repeated=(Exception,))
        try:
            key = patient.endpoint_key()
        except Exception as error:  # noqa: BLE001 - see above
            self.journal.record(f"no key, so nobody can look who answers: {error}")
            yield None
            return
        with ScoringClient(endpoint.scoring_uri, key, new_key=patient.endpoint_key) as client:
            yield client

    def question(self, client: ScoringClient | None) -> Ask | None:
        if client is None or self.golden is None:
            return client.ping if client else None
        return asking_any_form(client, [request.body for request in self.golden.requests])

    def let_go(self, hold: Hold) -> None:
        try:
            hold.end(Phase.ROLLED_BACK, Outcome.ROLLED_BACK)
        except PlatformError as error:
            self.journal.record(f"the endpoint's tags still say that a release is under way: {error}")

    def frozen(self, why: str, routing: Routing) -> TakenBack:
        self.journal.enter(Phase.FROZEN, why)
        return TakenBack(Outcome.FROZEN, why, routing)

    def new_record(self, endpoint: Endpoint, target: str) -> Record:
        """Return the record of an endpoint that no release has held, or whose tags were damaged."""
        now = utc_now()
        return Record(
            release_id=WITHOUT_A_RELEASE,
            phase=Phase.ROLLING_BACK,
            at=now,
            holder="",
            leased_until=now,
            live=target,
            candidate=next((name for name in endpoint.traffic if name != target), target),
            image="",
            model_version="",
            git_sha="",
            routing=endpoint.routing,
        )


def last_of(record: Record | None) -> str:
    return f"release {record.release_id} has ended as {record.phase}" if record else "there has been none"


def aimed_at(target: str, endpoint: Endpoint, record: Record) -> Record:
    """Return the record of a way back to `target`: whoever goes on with it goes there too."""
    if record.live == target:
        return record
    others = sorted(set(endpoint.deployments) - {target})
    return replace(record, live=target, candidate=others[0] if others else record.candidate)

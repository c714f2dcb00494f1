"""The endpoint, held by one release at a time: who may take it, and the only way to write to it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from deployment.fencing import refuse_if_changed
from deployment.outcomes import BadInputError
from deployment.phases import UNDER_TRAFFIC, Phase
from deployment.platform import Endpoint, Platform, Routing, require
from deployment.record import Record, utc_now


@dataclass
class Hold:
    """The endpoint in the hands of one process; each write bears its name, and goes through only if nobody else wrote.

    `possible` are the routings and `holders` the holders that the endpoint may show: more than one after a write whose
    answer was lost, and an earlier process's name until this one's first write.
    """

    platform: Platform
    record: Record
    possible: tuple[Routing, ...]
    holders: tuple[str, ...]
    lease_s: float
    now: Callable[[], datetime] = utc_now
    over_all_heads: bool = False  # the first write goes through whoever holds the endpoint and however it is routed

    @property
    def routing(self) -> Routing:
        return self.record.routing

    def write(self, phase: Phase, routing: Routing | None = None, *, platform: Platform | None = None) -> None:
        """Set the phase, and the routing if one is given, in one update of the endpoint.

        `platform` is a more patient one. Raises ConflictError where somebody else has changed the endpoint.
        """
        self.put(replace(self.record, phase=phase), routing or self.routing, platform or self.platform)

    def end(self, phase: Phase, outcome: str, *, keep_warm_s: float | None = None) -> None:
        """Write the release's end: from now on another one may take the endpoint."""
        ended = self.record.ended(phase, outcome, self.now(), keep_warm_s=keep_warm_s)
        self.put(ended, self.routing, self.platform)

    def refuse_unless_ours(self) -> None:
        """Raise ConflictError where somebody else has changed the endpoint since the last write."""
        found = require(self.platform.observe())
        refuse_if_changed(found.name, found.routing, found.tags, self.possible, self.holders)

    def mark(self, phase: Phase) -> None:
        """Set the phase and leave the routing as it is found, which is one of those that are possible."""
        found = require(self.platform.observe()).routing
        self.put(replace(self.record, phase=phase), found if found in self.possible else self.routing, self.platform)

    def put(self, record: Record, routing: Routing, platform: Platform) -> None:
        wanted = self.stamped(record, routing)
        tags = wanted.to_tags()
        self.possible = (*self.possible, routing)
        self.holders = (*self.holders, record.holder)
        expected, holders = (None, None) if self.over_all_heads else (self.possible, self.holders)
        platform.write(routing, tags, expected=expected, holders=holders)
        self.record, self.possible, self.holders, self.over_all_heads = wanted, (routing,), (record.holder,), False

    def stamped(self, record: Record, routing: Routing) -> Record:
        """Return the record as it is written now, with a new lease."""
        now = self.now()
        return replace(record, routing=routing, at=now, leased_until=now + timedelta(seconds=self.lease_s))


def refuse_if_held(found: Record | None, release_id: str, endpoint: Endpoint, now: datetime) -> None:
    """Raise BadInputError where another release has a right to the endpoint, or its traffic is split."""
    if found is not None and found.in_flight and found.release_id != release_id:
        refuse_if_in_flight(found, endpoint, now)
    if found is not None and not found.in_flight and found.release_id != release_id and found.keeps_warm(now):
        raise BadInputError(
            f"endpoint {endpoint.name}: {found.kept} is kept warm until {found.kept_until:%Y-%m-%d %H:%M} UTC, the way "
            f"back of release {found.release_id}; wait, or give it up with `python -m deployment finish --now`"
        )
    if is_split(endpoint.routing) and (found is None or not found.in_flight):
        raise BadInputError(
            f"endpoint {endpoint.name}: its traffic is split ({endpoint.routing}) and no release says that it did "
            "that; give one deployment all of it with `python -m deployment rollback --to NAME`"
        )


def refuse_if_in_flight(found: Record, endpoint: Endpoint, now: datetime) -> None:
    ways = "`python -m deployment resume` goes on with it, `abort` takes it back"
    if now < found.leased_until:
        raise BadInputError(
            f"endpoint {endpoint.name}: release {found.release_id} is under way ({found.phase} since "
            f"{found.at:%H:%M:%S} UTC, held by {found.holder} until {found.leased_until:%H:%M:%S} UTC); wait, or "
            f"{ways}"
        )
    if is_split(endpoint.routing) or found.phase in UNDER_TRAFFIC:
        raise BadInputError(
            f"endpoint {endpoint.name}: release {found.release_id} broke off as {found.phase} with {endpoint.routing}, "
            f"and nobody has come back for it since {found.leased_until:%Y-%m-%d %H:%M} UTC; {ways}"
        )


def is_split(routing: Routing) -> bool:
    return len(routing.traffic) > 1 or bool(routing.mirror)

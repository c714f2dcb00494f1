"""What nobody looks after on an endpoint, found and, if so wished, repaired."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from deployment.aftercare import Aftercare, left_over
from deployment.hold import is_split
from deployment.outcomes import BadInputError, Outcome, ReleaseError
from deployment.phases import Phase
from deployment.platform import RELEASE_ID_TAG, Endpoint, Routing
from deployment.record import Record, read_record, utc_now
from deployment.settings import ReleaseSettings
from deployment.takeback import TakeBack


class Kind(StrEnum):
    """What is not as it should be; also the order in which it is repaired, as the one may leave the other."""

    SILENT = "release gone silent"  # it is under way, and its lease is over
    SPLIT = "traffic without a release"  # several deployments share it, or it is mirrored, and no release does that
    LEFT_OVER = "deployment left over"  # releases have made it, no request reaches it, and nothing needs it
    DAMAGED = "damaged tags"  # what the endpoint says of its release cannot be read


@dataclass(frozen=True)
class Finding:
    """What was found, and what a person may do about it."""

    kind: Kind
    found: str
    remedy: str


@dataclass(frozen=True)
class Told:
    """A finding, and what came of its repair; `said` is empty where none was tried."""

    finding: Finding
    repaired: bool = False
    said: str = ""


def find(endpoint: Endpoint, settings: ReleaseSettings, now: datetime) -> tuple[Finding, ...]:
    """Return what nobody looks after; nothing while a release is under way that has not gone silent."""
    try:
        record = read_record(endpoint.tags)
    except BadInputError as error:
        remedy = "`python -m deployment rollback --to NAME` writes them anew"
        return (Finding(Kind.DAMAGED, str(error), remedy),)
    if record is not None and record.in_flight:
        return () if now < silent_from(record, settings) else (gone_silent(endpoint, record),)
    findings = [split(endpoint, record)] if is_split(endpoint.routing) else []
    if record is None or not record.keeps_warm(now):
        findings += idle(endpoint, left_over(endpoint, record, settings.soak))
    return tuple(findings)


def silent_from(record: Record, settings: ReleaseSettings) -> datetime:
    """Return when somebody should have come back: at the end of the lease, or of the time that a person has."""
    if record.phase is not Phase.PASSED:
        return record.leased_until
    return max(record.leased_until, record.at + timedelta(seconds=settings.platform.approval_s))


def gone_silent(endpoint: Endpoint, record: Record) -> Finding:
    return Finding(
        Kind.SILENT,
        f"release {record.release_id} is {record.phase} with {endpoint.routing}, and nobody has come back for it since "
        f"{record.leased_until:%Y-%m-%d %H:%M} UTC",
        "`python -m deployment resume` goes on with it, `abort` takes it back",
    )


def split(endpoint: Endpoint, record: Record | None) -> Finding:
    left = f", where release {record.release_id} left {record.routing}" if record is not None else ""
    return Finding(
        Kind.SPLIT,
        f"traffic is {endpoint.routing}{left}, and no release is under way",
        "`python -m deployment rollback --to NAME` gives one deployment all of it",
    )


def idle(endpoint: Endpoint, names: list[str]) -> list[Finding]:
    if not names:
        return []
    made = (f"{name} of release {endpoint.deployments[name].tags[RELEASE_ID_TAG]}" for name in names)
    return [
        Finding(
            Kind.LEFT_OVER,
            f"no request reaches {', '.join(made)}, and it need not be kept",
            "`python -m deployment finish` deletes or scales down what is left over",
        )
    ]


def meant_by(record: Record | None) -> Routing | None:
    """Return the traffic that the last release left to one deployment; None where none says so."""
    if record is None or len(record.routing.traffic) != 1 or record.routing.mirror:
        return None
    return record.routing


@dataclass(frozen=True)
class Guard:
    """Looks at an endpoint; `taking` gives traffic back, and must not go over the head of a release that came back."""

    taking: TakeBack
    aftercare: Aftercare
    now: Callable[[], datetime] = utc_now

    def look(self) -> tuple[Finding, ...]:
        """Return what nobody looks after."""
        endpoint = self.taking.look()
        return find(endpoint, self.taking.settings, self.now()) if endpoint is not None else ()

    def repair(self, kinds: Collection[Kind] = tuple(Kind)) -> tuple[Told, ...]:
        """Repair what the endpoint's record leaves no doubt about, one kind after the other, and tell of everything.

        Kinds other than these are told alone.
        """
        told: list[Told] = []
        for kind in Kind:
            found = [each for each in self.look() if each.kind is kind]
            told += [self.repaired(each) if kind in kinds else Told(each) for each in found]
        return tuple(told)

    def repaired(self, finding: Finding) -> Told:
        try:
            match finding.kind:
                case Kind.SILENT:
                    return self.end_silent_release(finding)
                case Kind.SPLIT:
                    return self.restore(finding)
                case Kind.LEFT_OVER:
                    self.aftercare.finish(at_once=False)
                    return Told(finding, repaired=True, said="finished")
                case Kind.DAMAGED:
                    return Told(finding, said="not repaired: who is to have the traffic would be a guess")
        except ReleaseError as error:
            return Told(finding, said=f"not repaired: {error}")

    def end_silent_release(self, finding: Finding) -> Told:
        endpoint = self.taking.observe()
        record = read_record(endpoint.tags)
        if record is None or not record.in_flight or self.now() < silent_from(record, self.taking.settings):
            return Told(finding, repaired=True, said="somebody has come back for it meanwhile")
        taken = self.taking.end(endpoint, record)
        return Told(finding, taken.outcome is not Outcome.FROZEN, f"aborted: {taken.sentence}")

    def restore(self, finding: Finding) -> Told:
        endpoint = self.taking.observe()
        record = read_record(endpoint.tags)
        if not is_split(endpoint.routing) or (record is not None and record.in_flight):
            return Told(finding, repaired=True, said="somebody has changed it meanwhile")
        routing = meant_by(record)
        if record is None or routing is None:
            return Told(finding, said="not repaired: no record says who is to have the traffic")
        taken = self.taking.restore(endpoint, record, routing)
        return Told(
            finding, taken.outcome is not Outcome.FROZEN, f"traffic as the last release left it: {taken.sentence}"
        )

"""What is left to do once a release has ended: close the way back, or take everything down."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from deployment.hold import Hold
from deployment.outcomes import BadInputError
from deployment.patience import PatientPlatform
from deployment.phases import Phase
from deployment.platform import RELEASE_ID_TAG, Deployment, Endpoint, require
from deployment.record import Record, new_holder, read_record, stamp, utc_now
from deployment.settings import Afterwards, ReleaseSettings, SoakSettings
from deployment.taking import observe_settled

Say = Callable[[str], None]


@dataclass(frozen=True)
class Aftercare:
    """What `finish` and `teardown` need; `say` is told of each thing done."""

    platform: PatientPlatform
    settings: ReleaseSettings
    say: Say
    now: Callable[[], datetime] = utc_now

    def finish(self, *, at_once: bool) -> None:
        """Delete, or scale down, every deployment that has no traffic and need not be kept; may be repeated.

        Raises BadInputError while a release is under way. Without `at_once` the time of a kept deployment is awaited
        by leaving it as it is.
        """
        endpoint = require(observe_settled(self.platform, self.settings.platform))
        record = read_record(endpoint.tags)
        self.refuse_if_under_way(endpoint, record)
        if record is not None and record.routing != endpoint.routing:
            raise BadInputError(
                f"endpoint {endpoint.name}: traffic is {endpoint.routing} where release {record.release_id} left "
                f"{record.routing}; somebody else has changed it, so nothing is deleted; do that by hand"
            )
        if record is not None and record.keeps_warm(self.now()) and not at_once:
            self.say(f"{record.kept} stays warm until {stamp_of(record)}, the way back of release {record.release_id}")
            return
        hold = self.take(endpoint, record) if record is not None else None
        for name in left_over(endpoint, record, self.settings.soak):
            if hold is not None:
                hold.refuse_unless_ours()
            self.retire(endpoint.deployments[name], record)
        if hold is not None and hold.record.phase is Phase.PROMOTED:
            hold.put(replace(hold.record, phase=Phase.DONE, kept="", kept_until=None), endpoint.routing, self.platform)
        self.say(f"endpoint {endpoint.name}: {endpoint.routing}")

    def retire(self, deployment: Deployment, record: Record | None) -> None:
        name, instances = deployment.name, self.settings.soak.instances
        if is_scaled_down(deployment, record, self.settings.soak):
            self.platform.scale(name, instances)
            self.say(f"{name} scaled from {deployment.instance_count} to {instances} instances")
            return
        self.platform.delete_deployment(name)
        self.say(f"{name} deleted: it had no traffic")

    def take(self, endpoint: Endpoint, record: Record) -> Hold:
        """Put this process's name on the endpoint, so that a release which begins meanwhile is noticed."""
        named = replace(record, holder=new_holder(record.run_url))
        hold = Hold(
            self.platform, named, (endpoint.routing,), (endpoint.holder,), self.settings.platform.lease_s, self.now
        )
        hold.write(record.phase, endpoint.routing)
        return hold

    def refuse_teardown(self, endpoint: Endpoint) -> None:
        """Raise BadInputError while a release is under way, or where the endpoint's tags are damaged."""
        self.refuse_if_under_way(endpoint, read_record(endpoint.tags))

    def teardown(self, *, force: bool) -> None:
        """Delete the endpoint with everything on it, whatever holds it if `force`d."""
        endpoint = require(self.platform.observe())
        if not force:
            self.refuse_teardown(endpoint)
        self.platform.delete_endpoint()
        self.say(
            f"endpoint {endpoint.name} deleted, with {', '.join(sorted(endpoint.deployments)) or 'no deployments'}"
        )

    def refuse_if_under_way(self, endpoint: Endpoint, record: Record | None) -> None:
        if record is not None and record.in_flight:
            raise BadInputError(
                f"endpoint {endpoint.name}: release {record.release_id} is under way ({record.phase}); "
                "`python -m deployment resume` goes on with it, `abort` takes it back"
            )


def left_over(endpoint: Endpoint, record: Record | None, soak: SoakSettings) -> list[str]:
    """Return what releases have made, no request reaches, and `finish` deletes or scales down once no soak goes on.

    What others have made is theirs.
    """
    made = {name for name, found in endpoint.deployments.items() if RELEASE_ID_TAG in found.tags}
    idle = (endpoint.deployments[name] for name in made - set(endpoint.traffic) - set(endpoint.mirror_traffic))
    return sorted(
        found.name for found in idle if not is_scaled_down(found, record, soak) or found.instance_count > soak.instances
    )


def is_scaled_down(found: Deployment, record: Record | None, soak: SoakSettings) -> bool:
    """Tell whether this is the healthy deployment that was live, and it is kept at fewer instances, not deleted."""
    was_live = record is not None and found.name == (record.kept or record.live)
    return soak.afterwards is Afterwards.SCALE and found.is_healthy and was_live


def stamp_of(record: Record) -> str:
    return stamp(record.kept_until) if record.kept_until else "now"

"""Taking the endpoint for a release: a new one begins, one that was cut off goes on where the endpoint says it is."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from deployment.candidate import look_until
from deployment.hold import Hold, refuse_if_held
from deployment.outcomes import BadInputError, ConflictError, PlatformError
from deployment.patience import PatientPlatform
from deployment.phases import UNDER_TRAFFIC, Phase
from deployment.platform import Endpoint, Routing, require
from deployment.record import PREFIX, Past, Record, new_holder, read_record, require_name, utc_now
from deployment.release import Release
from deployment.settings import PlatformSettings

COLOURS = ("blue", "green")
# A release that was cut off in one of these goes on from it; from any other its steps are observed and done again.
REMEMBERED = UNDER_TRAFFIC | {Phase.PASSED, Phase.PROMOTED, Phase.DONE}


@dataclass(frozen=True)
class Taken:
    """The endpoint as this process is about to take it, and the phase to go on from.

    `write` takes it: whatever becomes of that, the hold knows what may stand on the endpoint afterwards.
    """

    name: str
    routing: Routing
    hold: Hold
    phase: Phase
    event: str
    write: Callable[[], None]


def take(platform: PatientPlatform, settings: PlatformSettings, release: Release) -> Taken:
    """Take the endpoint for a release, creating it where there is none.

    Raises BadInputError where another release holds it, and ConflictError where somebody has changed what this one
    had left.
    """
    require_name("release id", release.release_id)
    endpoint = observe_settled(platform, settings)
    if endpoint is None:
        return take_new_endpoint(platform, settings, release)
    found = read_record(endpoint.tags)
    refuse_if_held(found, release.release_id, endpoint, utc_now())
    if never_came_to_be(endpoint):
        return take_new_endpoint(platform, settings, release)
    if found is not None and is_same(found, release):
        return go_on(platform, settings, release, endpoint, found)
    return begin(platform, settings, release, endpoint, past_of(found))


def is_same(found: Record, release: Release) -> bool:
    return found.release_id == release.release_id and (found.in_flight or found.phase in REMEMBERED)


def past_of(found: Record | None) -> tuple[Past, ...]:
    """Return the history, with a line for a release that nobody has come back for."""
    if found is None or not found.in_flight:
        return found.past if found else ()
    return found.ended(found.phase, "gone silent", utc_now()).past


def begin(
    platform: PatientPlatform,
    settings: PlatformSettings,
    release: Release,
    endpoint: Endpoint,
    past: tuple[Past, ...],
) -> Taken:
    live = endpoint.live.name if endpoint.live else ""
    record = first_record(release, live, endpoint.routing, past)
    hold = Hold(platform, record, (endpoint.routing,), (endpoint.holder,), settings.lease_s)
    who_serves = f"{live} serves" if live else "nobody serves yet: a first release"
    event = f"{who_serves}; the candidate will be {record.candidate}"
    write = partial(hold.write, Phase.OBSERVED)
    return Taken(endpoint.name, endpoint.routing, hold, Phase.OBSERVED, event, write)


def go_on(
    platform: PatientPlatform, settings: PlatformSettings, release: Release, endpoint: Endpoint, found: Record
) -> Taken:
    """Take over from an earlier process of the same release, which cannot write any more once this one has."""
    if found.image != release.image:
        raise BadInputError(
            f"release {found.release_id}: it is of {found.image}, not of {release.image}; name the same image, or "
            "another --release-id"
        )
    if endpoint.routing != found.routing:
        raise ConflictError(
            f"endpoint {endpoint.name}: traffic is {endpoint.routing} where release {found.release_id} left "
            f"{found.routing}; somebody else has changed it, so nothing more is done: `python -m deployment abort` "
            "gives it back to who served before"
        )
    record = replace(found, holder=new_holder(release.run_url), run_url=release.run_url)
    hold = Hold(platform, record, (endpoint.routing,), (endpoint.holder,), settings.lease_s)
    phase = found.phase if found.phase in REMEMBERED else Phase.OBSERVED
    event = f"goes on as {found.phase}, which it was at {found.at:%H:%M:%S} UTC"
    # Written at once: it keeps others out for another lease, and the earlier process from everything.
    write = partial(hold.write, found.phase) if found.in_flight else nothing
    return Taken(endpoint.name, endpoint.routing, hold, phase, event, write)


def nothing() -> None:
    """Leave a release that has ended as it is."""


def take_new_endpoint(platform: PatientPlatform, settings: PlatformSettings, release: Release) -> Taken:
    """Create the endpoint with the release's tags on it, so that it is held from its first moment."""
    record = first_record(release, "", Routing({}), ())
    hold = Hold(platform, record, (record.routing,), (record.holder,), settings.lease_s)

    def attempt() -> None:
        found = observe_settled(platform, settings)
        if found is not None and never_came_to_be(found):
            refuse_if_held(read_record(found.tags), release.release_id, found, utc_now())
            platform.delete_endpoint()
            found = None
        if found is None:
            platform.platform.create_endpoint(hold.stamped(record, record.routing).to_tags())

    def write() -> None:
        platform.call(attempt)
        endpoint = require(platform.observe())
        if endpoint.holder != record.holder:
            who = endpoint.holder or "somebody"
            raise ConflictError(f"endpoint {endpoint.name}: {who} created it at the same moment")

    event = f"no endpoint yet: a first release; the candidate will be {record.candidate}"
    return Taken("", record.routing, hold, Phase.OBSERVED, event, write)


def first_record(release: Release, live: str, routing: Routing, past: tuple[Past, ...]) -> Record:
    now = utc_now()
    return Record(
        release_id=release.release_id,
        phase=Phase.OBSERVED,
        at=now,
        holder=new_holder(release.run_url),
        leased_until=now,
        live=live,
        candidate=next(colour for colour in COLOURS if colour != live),
        image=release.image,
        model_version=release.model.version,
        git_sha=release.git_sha,
        routing=routing,
        run_url=release.run_url,
        past=past,
    )


def observe_settled(platform: PatientPlatform, settings: PlatformSettings) -> Endpoint | None:
    """Return the endpoint once no operation is under way on it.

    What a killed process has asked for may still be on its way: before that has ended there is no truth to read.
    """
    return look_until(
        platform.observe,
        lambda found: found is None or found.is_settled,
        timeout_s=settings.operation_timeout_s,
        overdue=lambda found: PlatformError(
            f"endpoint: it is {found.provisioning_state if found else 'gone'} after "
            f"{settings.operation_timeout_s:g} s; the platform is still at work on it, so run the same command again"
        ),
    )


def never_came_to_be(endpoint: Endpoint) -> bool:
    """Tell whether a release has created the endpoint in vain, which only deleting it helps; one of others' is left."""
    made_by_a_release = bool(endpoint.holder) and f"{PREFIX}past_0" not in endpoint.tags
    return made_by_a_release and endpoint.provisioning_state != "Succeeded" and not endpoint.deployments

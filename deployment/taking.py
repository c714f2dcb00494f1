"""Taking the endpoint for a release: a new one begins, one that was cut off goes on where the endpoint says it is."""

from dataclasses import dataclass, replace

from deployment.candidate import look_until
from deployment.hold import Hold, refuse_if_held
from deployment.outcomes import BadInputError, ConflictError, PlatformError
from deployment.patience import PatientPlatform
from deployment.phases import UNDER_TRAFFIC, Phase
from deployment.platform import Endpoint, Routing, require
from deployment.record import Past, Record, new_holder, read_record, utc_now
from deployment.release import Release
from deployment.settings import PlatformSettings

COLOURS = ("blue", "green")
# A release that was cut off in one of these goes on from it; from any other its steps are observed and done again.
REMEMBERED = UNDER_TRAFFIC | {Phase.PASSED, Phase.PROMOTED, Phase.DONE}


@dataclass(frozen=True)
class Taken:
    """The endpoint in the hands of this process, and the phase to go on from."""

    endpoint: Endpoint
    hold: Hold
    phase: Phase
    event: str


def take(platform: PatientPlatform, settings: PlatformSettings, release: Release) -> Taken:
    """Take the endpoint for a release, creating it where there is none.

    Raises BadInputError where another release holds it, and ConflictError where somebody has changed what this one
    had left.
    """
    endpoint = observe_settled(platform, settings)
    if endpoint is None:
        return take_new_endpoint(platform, settings, release)
    found = read_record(endpoint.tags)
    refuse_if_held(found, release.release_id, endpoint, utc_now())
    if found is not None and is_same(found, release):
        return go_on(platform, settings, release, endpoint, found)
    return begin(platform, settings, release, endpoint, found.past if found else ())


def is_same(found: Record, release: Release) -> bool:
    return found.release_id == release.release_id and (found.in_flight or found.phase in REMEMBERED)


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
    hold.write(Phase.OBSERVED)
    who_serves = f"{live} serves" if live else "nobody serves yet: a first release"
    return Taken(endpoint, hold, Phase.OBSERVED, f"{who_serves}; the candidate will be {record.candidate}")


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
    return Taken(endpoint, hold, phase, f"goes on as {found.phase}, which it was at {found.at:%H:%M:%S} UTC")


def take_new_endpoint(platform: PatientPlatform, settings: PlatformSettings, release: Release) -> Taken:
    """Create the endpoint with the release's tags on it, so that it is held from its first moment."""
    record = first_record(release, "", Routing({}), ())
    hold = Hold(platform, record, (record.routing,), (record.holder,), settings.lease_s)

    def attempt() -> None:
        if observe_settled(platform, settings) is None:
            platform.platform.create_endpoint(hold.stamped(record, record.routing).to_tags())

    platform.repeat(attempt)
    endpoint = require(platform.observe())
    if endpoint.holder != record.holder:
        raise ConflictError(f"endpoint {endpoint.name}: {endpoint.holder or 'somebody'} created it at the same moment")
    return Taken(endpoint, hold, Phase.OBSERVED, f"endpoint {endpoint.name} created; the candidate will be blue")


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
    """Return the endpoint once no operation is under way on it; one that never came to be is deleted.

    What a killed process has asked for may still be on its way: before that has ended there is no truth to read.
    """
    endpoint = look_until(
        platform.observe,
        lambda found: found is None or found.is_settled,
        timeout_s=settings.operation_timeout_s,
        overdue=lambda found: PlatformError(
            f"endpoint: it is {found.provisioning_state if found else 'gone'} after "
            f"{settings.operation_timeout_s:g} s; the platform is still at work on it, so run the same command again"
        ),
    )
    if endpoint is not None and endpoint.provisioning_state != "Succeeded" and not endpoint.deployments:
        platform.delete_endpoint()
        return None
    return endpoint

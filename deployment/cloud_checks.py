"""The checks of preflight that ask Azure: sizes, quota, the image and who may pull it, who serves."""

from deployment.checks import Facts, Finding, fail, ok, warn
from deployment.cloud import Identity, Registry, Size, Usage
from deployment.cores import cores_needed, quota_of_family, quota_of_region
from deployment.hold import refuse_if_held
from deployment.outcomes import BadInputError
from deployment.platform import Deployment, Endpoint, describe_traffic
from deployment.record import read_record, utc_now
from deployment.registry import read_reference

INSTANCES_PER_DEPLOYMENT = 50
TAKES_EFFECT = "a role takes about five minutes to take effect"
NO_REGISTRY = "names no registry: an emulator alone has such an image"
GIVE_A_REGISTRY = "for Azure, push it and release REGISTRY.azurecr.io/NAME@sha256:..."
PUSH_ELSEWHERE = (
    "push the image to the workspace's own registry, or to another Azure Container Registry of its subscription"
)


def check_instances(facts: Facts) -> Finding:
    deployment = facts.deployment_file()
    count, size = deployment.instance_count, facts.size(deployment.instance_type)
    if not 1 <= count <= INSTANCES_PER_DEPLOYMENT:
        return fail(
            f"instance_count is {count} where the platform takes 1 to {INSTANCES_PER_DEPLOYMENT}",
            "set instance_count in deployment.yml within that range",
        )
    if size is None:
        known = ", ".join(sorted(each.name for each in facts.sizes().values())) or "none"
        return fail(
            f"instance_type {deployment.instance_type!r} is no size of {facts.workspace().location} (it has {known})",
            "set instance_type in deployment.yml to one of those",
        )
    return ok(f"{count} x {size.name} ({size.cores} cores, {size.family}) exists in {facts.workspace().location}")


def check_quota(facts: Facts) -> Finding:
    deployment = facts.deployment_file()
    size = facts.size(deployment.instance_type)
    if size is None:
        return warn(
            f"the cores of {deployment.instance_type!r} are not known", "mend instance_type first: see the row above"
        )
    usages, count = facts.usages(), deployment.instance_count
    needed = cores_needed(count, size.cores)
    family, region = quota_of_family(size.family, usages), quota_of_region(usages)
    sums = [sum_of(each, facts, size, is_of_family=each is family) for each in (family, region) if each is not None]
    arithmetic = f"{count} x {size.name} takes ceil(1.2 x {count}) x {size.cores} = {needed} cores"
    if not sums:
        return warn(
            f"{arithmetic}; no quota of {size.family} or of the region is listed",
            "look at the workspace's quota page in Azure ML studio",
        )
    found = f"{arithmetic}; {'; '.join(told for told, _ in sums)}"
    if any(free is not None and free < needed for _, free in sums):
        return fail(
            found, f"ask for more quota of {size.family}, deploy fewer or smaller instances, or delete a deployment"
        )
    return ok(found)


def sum_of(usage: Usage, facts: Facts, size: Size, *, is_of_family: bool) -> tuple[str, int | None]:
    """Return a quota's arithmetic, and what it has left for the candidate; None where it has no limit."""
    name = f"{usage.localized_name or usage.name} in {facts.workspace().location}"
    if usage.limit is None:
        return f"{name}: {usage.taken} taken, no limit of its own", None
    candidate, given_back = given_back_by_candidate(facts, size.family if is_of_family else None)
    free = usage.limit - usage.taken + given_back
    back = f" + {given_back} that {candidate} gives back" if given_back else ""
    return f"{name}: {usage.limit} - {usage.taken} taken{back} = {free} left", free


def given_back_by_candidate(facts: Facts, family: str | None) -> tuple[str, int]:
    """Return what an earlier deployment of the candidate's name takes until the release deletes it."""
    endpoint, name = facts.endpoint(), facts.candidate()
    earlier = endpoint.deployments.get(name) if endpoint is not None else None
    size = facts.size(earlier.instance_type) if earlier is not None else None
    if earlier is None or size is None or family not in (None, size.family):
        return name, 0
    return name, cores_needed(earlier.instance_count, size.cores)


def check_image_exists(facts: Facts) -> Finding:
    reference = read_reference(facts.image)
    if reference is None:
        return warn("not checked: the image is not named by its digest", "see the row above")
    if not reference.host:
        return warn(f"not checked: {facts.image} {NO_REGISTRY}", GIVE_A_REGISTRY)
    if not facts.has_image(reference):
        return fail(
            f"{reference.host} has no {reference.repository}@{reference.digest}",
            "push the image first, and release the digest that the push prints",
        )
    return ok(f"{reference.host} has {reference.repository}@{reference.digest}")


def check_pull(facts: Facts) -> Finding:
    reference = read_reference(facts.image)
    if reference is None:
        return warn("not checked: the image is not named by its digest", "see the row above")
    if not reference.host:
        return warn(f"not checked: {facts.image} {NO_REGISTRY}", GIVE_A_REGISTRY)
    registry = facts.registry(reference.host)
    if registry is None:
        known = ", ".join(sorted(facts.registries())) or "none"
        return fail(
            f"{reference.host} is no Azure Container Registry of the subscription (there are {known}); the platform"
            " supports no other private registry",
            PUSH_ELSEWHERE,
        )
    identity = facts.identity()
    is_own = registry.id.lower() == facts.workspace().registry_id.lower()
    if is_own and (identity is None or identity.system):
        return ok(f"{reference.host} is the workspace's own registry: the endpoint's identity gets AcrPull by itself")
    if identity is None:
        return warn(
            f"{reference.host} is not the workspace's own registry, and the endpoint does not exist yet whose identity"
            " needs AcrPull there",
            f"create the endpoint (az ml online-endpoint create --name {facts.endpoint_file().name} --file"
            f" deployment/endpoint.yml), then run preflight again for the command that grants AcrPull; {TAKES_EFFECT}",
        )
    return judge_roles(facts, registry, identity)


def judge_roles(facts: Facts, registry: Registry, identity: Identity) -> Finding:
    if not identity.principals:
        return fail(
            f"the endpoint has no identity, so nobody can be let pull from {registry.login_server}",
            "make the endpoint anew with a system-assigned identity",
        )
    for principal in identity.principals:
        if facts.may_pull(principal, registry.id):
            return ok(f"the endpoint's identity {principal} may pull from {registry.login_server}")
    return fail(
        f"the endpoint's identity {' or '.join(identity.principals)} has no AcrPull on {registry.login_server}; the"
        " deployment would wait for its image and fail with 401 UNAUTHORIZED",
        f"az role assignment create --role AcrPull --assignee-object-id {identity.principals[0]}"
        f" --assignee-principal-type ServicePrincipal --scope {registry.id}  ({TAKES_EFFECT}, so wait before the"
        " release)",
    )


def check_live(facts: Facts) -> Finding:
    endpoint = facts.endpoint()
    if endpoint is None:
        return ok("the endpoint does not exist yet; the release creates it")
    try:
        record = read_record(endpoint.tags)
        refuse_if_held(record, facts.release_id, endpoint, utc_now())
    except BadInputError as error:
        found, _, what_to_do = str(error).rpartition("; ")
        return fail(found, what_to_do)
    if record is not None and record.in_flight and record.release_id == facts.release_id:
        return ok(f"release {record.release_id} is under way on {endpoint.name} and goes on ({record.phase})")
    live = endpoint.live
    if live is None:
        return ok(f"nobody serves {endpoint.name} yet: a first release")
    return judge_state(endpoint, live)


def judge_state(endpoint: Endpoint, live: Deployment) -> Finding:
    if not live.is_healthy and live.may_serve:
        return warn(
            f"{live.name} serves {endpoint.name} and is {live.provisioning_state!r}: autoscale, or somebody else, is"
            " changing it, and a release would compare with it meanwhile",
            "wait until it is 'Succeeded' (python -m deployment status)",
        )
    if not live.is_healthy:
        return fail(
            f"{live.name} serves {endpoint.name} and is {live.provisioning_state!r} (it must be 'Succeeded'); a"
            " release compares with it and goes back to it",
            f"read its log (az ml online-deployment get-logs --endpoint-name {endpoint.name} --name {live.name}) and"
            " roll back to a deployment that is healthy",
        )
    return ok(f"{live.name} serves {endpoint.name} ({describe_traffic(endpoint.traffic)}) and is 'Succeeded'")

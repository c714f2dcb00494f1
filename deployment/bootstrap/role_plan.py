"""The part of the plan that is roles: each as narrow as what it is for."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from deployment.autoscale import ARM_ROLE
from deployment.azure_names import ACR_PULL, ACR_PUSH, READER
from deployment.bootstrap.azure_plan import extension_step, subscription
from deployment.bootstrap.facts import AzureFacts, EndpointFacts
from deployment.bootstrap.reading_azure import region_role_name, same
from deployment.bootstrap.steps import PRINCIPAL_ID, STEP_TIMEOUT_S, Step, az
from deployment.endpoint_name import ENDPOINT_FILE

# https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
DATA_SCIENTIST = "f6c7c914-8db3-469d-8ca1-694a8f32e121"
MONITORING_CONTRIBUTOR = "749f88d5-cbae-40b8-bcfc-e573ddc772fa"
REGION_ACTIONS = ("Microsoft.MachineLearningServices/locations/*/read", "Microsoft.ContainerRegistry/registries/read")
# A principal or a role that was made a moment ago is not known everywhere yet.
NOT_AROUND_YET = ("PrincipalNotFound", "does not exist in the directory", "Role .* doesn't exist")


@dataclass(frozen=True)
class Role:
    """A role at a scope, and what it is for."""

    name: str
    guid: str
    scope: str
    at: str  # the scope for people
    why: str


def role_steps(facts: AzureFacts, *, region_role: bool, autoscale: bool) -> Iterator[Step]:
    """Yield the roles of the workflows' identity, and of the endpoints where their platform gives them none."""
    for role in roles_of(facts, autoscale=autoscale):
        yield role_step(facts, role, facts.principal.principal_id or PRINCIPAL_ID)
    if region_role:
        yield from region_steps(facts)
    for endpoint in facts.endpoints:
        yield from endpoint_steps(facts, endpoint)


def roles_of(facts: AzureFacts, *, autoscale: bool) -> Iterator[Role]:
    workspace, registry, group = facts.workspace, facts.registry, facts.group
    why = "endpoints, deployments, traffic, keys, logs; it may not change the workspace itself"
    yield Role("AzureML Data Scientist", DATA_SCIENTIST, workspace.id, f"workspace {workspace.name}", why)
    why = "build-image pushes there, the others pull the image that they release"
    yield Role("AcrPush", ACR_PUSH, registry.id, f"registry {registry.name}", why)
    why = "preflight reads the workspace, who may pull (role assignments), and the resources of both"
    yield Role("Reader", READER, group.id, f"resource group {group.name}", why)
    if not is_within(registry.id, group.id):
        why = "the registry is in another resource group; preflight reads there who may pull"
        yield Role("Reader", READER, registry.id, f"registry {registry.name}", why)
    if autoscale:
        why = "release.toml has autoscale on: each release moves the autoscale setting along with the traffic"
        yield Role(ARM_ROLE, MONITORING_CONTRIBUTOR, group.id, f"resource group {group.name}", why)


def role_step(
    facts: AzureFacts, role: Role, principal_id: str, *, whom: str = "", lost_without: str = "", needs: str = ""
) -> Step:
    what = f"role {role.name} on {role.at}{whom}"
    if any(
        (each.principal_id, each.role) == (principal_id, role.guid) and is_within(role.scope, each.scope)
        for each in facts.assignments
    ):
        return Step("roles", what)
    return Step(
        "roles",
        what,
        az(
            *("role", "assignment", "create", "--role", role.guid or role.name, "--assignee-object-id", principal_id),
            *("--assignee-principal-type", "ServicePrincipal", "--scope", role.scope, *subscription(facts)),
        ),
        role.why,
        repeated_on=NOT_AROUND_YET,
        lost_without=lost_without,
        needs=needs,
    )


def region_steps(facts: AzureFacts) -> Iterator[Step]:
    """Yield a role for what preflight asks of the whole region, which a role on the group does not reach."""
    name = region_role_name(facts.account.subscription_id)
    scope = f"/subscriptions/{facts.account.subscription_id}"
    lost = "preflight cannot look at the quota and the sizes of the region then, and says so in its rows"
    definition = json.dumps(
        {
            "Name": name,
            "Description": "Reads sizes and quota of Azure ML and the list of registries. For preflight.",
            "Actions": list(REGION_ACTIONS),
            "AssignableScopes": [scope],
        }
    )
    create = az("role", "definition", "create", "--role-definition", definition, *subscription(facts))
    why = f"a custom role of {len(REGION_ACTIONS)} reading actions, where Reader on the subscription would show it all"
    what = f"custom role {name}"
    yield Step("roles", what, () if facts.region_role else create, why, lost_without=lost)
    why = "preflight reads the sizes and the quota of the region, which belong to the subscription"
    role = Role(name, facts.region_role, scope, "the subscription", why)
    yield role_step(facts, role, facts.principal.principal_id or PRINCIPAL_ID, lost_without=lost, needs=what)


def endpoint_steps(facts: AzureFacts, endpoint: EndpointFacts) -> Iterator[Step]:
    """Yield what lets an endpoint pull from a registry that is not the workspace's own.

    The platform lets an endpoint's own identity pull from the workspace's registry alone, and an endpoint has an
    identity once it exists: so it is made here, without deployments, and the first release finds it.
    """
    placeholder = f"<principal id of {endpoint.name}>"
    if not facts.has_ml_extension and not endpoint.exists:
        yield extension_step()
    where = ("--resource-group", facts.workspace.resource_group, "--workspace-name", facts.workspace.name)
    create = az(
        *("ml", "online-endpoint", "create", "--name", endpoint.name, "--file", str(ENDPOINT_FILE)),
        *(*where, *subscription(facts)),
    )
    yield Step(
        "roles",
        f"endpoint {endpoint.name}, without deployments",
        () if endpoint.exists else create,
        "its identity has to be there before it can be given a role",
        yields=((placeholder, "identity.principal_id"),),
        timeout_s=2 * STEP_TIMEOUT_S,
    )
    if endpoint.exists and not endpoint.principal_id:
        return
    why = f"{facts.registry.name} is not the workspace's own registry, so the platform gives no role there"
    role = Role("AcrPull", ACR_PULL, facts.registry.id, f"registry {facts.registry.name}", why)
    principal_id = endpoint.principal_id or placeholder
    yield role_step(facts, role, principal_id, whom=f" for endpoint {endpoint.name}")


def without_identity(facts: AzureFacts) -> Iterator[str]:
    """Yield what to do about endpoints that exist and have no identity of their own."""
    for endpoint in facts.endpoints:
        if endpoint.exists and not endpoint.principal_id:
            yield (
                f"endpoint {endpoint.name} has no identity of its own: give AcrPull on {facts.registry.name} to the "
                "identity that it has; `python -m deployment preflight` names it, and the command"
            )


def is_within(scope: str, outer: str) -> bool:
    """Tell whether what is assigned at `outer` holds at `scope`."""
    return same(scope, outer) or scope.lower().startswith(f"{outer.rstrip('/').lower()}/")

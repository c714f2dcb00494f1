"""What of Azure is there already, asked of `az`."""

from collections.abc import Iterator, Sequence
from typing import Any

from deployment.bootstrap.facts import (
    Account,
    Assignment,
    AzureFacts,
    Credential,
    EndpointFacts,
    Principal,
    Registry,
    Resource,
    Workspace,
)
from deployment.bootstrap.tools import Reader
from deployment.bootstrap.wishes import DEFAULT_LOCATION, Wishes, default_registry, short_name
from deployment.outcomes import BadInputError

WORKSPACES = "Microsoft.MachineLearningServices/workspaces"
REGISTRIES = "Microsoft.ContainerRegistry/registries"
# What a workspace, its endpoints and all that hangs on them are made of.
PROVIDERS = (
    "Microsoft.MachineLearningServices",
    "Microsoft.ContainerRegistry",
    "Microsoft.ManagedIdentity",
    "Microsoft.Storage",
    "Microsoft.KeyVault",
    "Microsoft.Insights",
    "Microsoft.OperationalInsights",
    "Microsoft.PolicyInsights",
    "Microsoft.Cdn",
)
ROLES_VERSION = "2022-04-01"
ENDPOINTS_VERSION = "2024-04-01"


def read_account(read: Reader, subscription: str) -> Account:
    found = read.az("account", "show", *(("--subscription", subscription) if subscription else ()))
    return Account(found["id"], found["name"], found["tenantId"], found["user"]["name"])


def region_role_name(subscription_id: str) -> str:
    """Return the name of the custom role, which has to be unique in the tenant."""
    return f"Azure ML region reader ({subscription_id[:8]})"


def read_azure(
    read: Reader, wishes: Wishes, account: Account, repository: str, endpoint_names: Sequence[str]
) -> AzureFacts:
    """Read all that the plan depends on; nothing is changed."""
    subscription = ("--subscription", account.subscription_id)
    workspace, group = read_places(read, wishes, account, repository)
    registry = read_registry(read, wishes, account, repository, workspace, group)
    principal = read_principal(read, wishes, account, repository, group)
    registered = read.az("provider", "list", *subscription, "--query", "[?registrationState=='Registered'].namespace")
    known = {str(each).lower() for each in registered}
    endpoints = read_endpoints(read, workspace, registry, endpoint_names)
    return AzureFacts(
        account=account,
        group=group,
        registry=registry,
        workspace=workspace,
        principal=principal,
        assignments=read_assignments(
            read, account, [principal.principal_id, *(each.principal_id for each in endpoints)]
        ),
        unregistered=tuple(each for each in PROVIDERS if each.lower() not in known),
        has_ml_extension=any(each["name"] == "ml" for each in read.az("extension", "list")),
        region_role=read_region_role(read, account) if wishes.region_role else "",
        endpoints=endpoints,
    )


def read_places(read: Reader, wishes: Wishes, account: Account, repository: str) -> tuple[Workspace, Resource]:
    """Return the workspace and its resource group, found by the workspace's name where only that was given."""
    subscription = ("--subscription", account.subscription_id)
    short = short_name(repository)
    name = wishes.workspace or f"mlw-{short}"
    listed = read.az("resource", "list", "--resource-type", WORKSPACES, *subscription)
    named = [each for each in listed if same(each["name"], name)]
    if wishes.resource_group:
        named = [each for each in named if same(each["resourceGroup"], wishes.resource_group)]
    if len(named) > 1:
        groups = ", ".join(sorted(each["resourceGroup"] for each in named))
        raise BadInputError(f"--workspace {name}: there are several, in {groups}; name one of them by --resource-group")
    group = read_group(read, wishes, account, named[0]["resourceGroup"] if named else f"rg-{short}")
    if not named:
        arm_id = f"{group.id}/providers/{WORKSPACES}/{name}"
        return Workspace(arm_id, name, group.name, wishes.location or group.location, exists=False), group
    found = read.az("resource", "show", "--ids", named[0]["id"])
    own = (found.get("properties") or {}).get("containerRegistry") or ""
    return Workspace(found["id"], found["name"], group.name, found["location"], exists=True, registry_id=own), group


def read_group(read: Reader, wishes: Wishes, account: Account, default: str) -> Resource:
    name = wishes.resource_group or default
    groups = read.az("group", "list", "--subscription", account.subscription_id)
    found = next((each for each in groups if same(each["name"], name)), None)
    if found is not None:
        return Resource(found["id"], found["name"], found["name"], found["location"], exists=True)
    arm_id = f"/subscriptions/{account.subscription_id}/resourceGroups/{name}"
    return Resource(arm_id, name, name, wishes.location or DEFAULT_LOCATION, exists=False)


def read_registry(
    read: Reader, wishes: Wishes, account: Account, repository: str, workspace: Workspace, group: Resource
) -> Registry:
    """Return the registry: the one asked for, else the workspace's own, else a new one."""
    listed = read.az("acr", "list", "--subscription", account.subscription_id)
    if not wishes.registry and workspace.registry_id:
        own = next((each for each in listed if same(each["id"], workspace.registry_id)), None)
        if own is None:
            raise BadInputError(
                f"workspace {workspace.name}: its registry {workspace.registry_id} is not among those that you may see"
                f" in subscription {account.subscription_id}; name another by --registry"
            )
        return registry_of(own)
    name = wishes.registry_name or default_registry(repository, account.subscription_id)
    found = next(
        (each for each in listed if same(each["name"], name) or same(each["loginServer"], wishes.registry)), None
    )
    if found is not None:
        return registry_of(found)
    free = read.az("acr", "check-name", "--name", name)
    if not free["nameAvailable"]:
        raise BadInputError(
            f"--registry {name}: subscription {account.subscription_id} has no such registry that you may see, and the"
            f" name is not free ({free.get('message') or free.get('reason')}); give another"
        )
    arm_id = f"{group.id}/providers/{REGISTRIES}/{name}"
    return Registry(arm_id, name, group.name, wishes.location or group.location, exists=False)


def registry_of(found: Any) -> Registry:
    return Registry(
        found["id"],
        found["name"],
        found["resourceGroup"],
        found["location"],
        exists=True,
        login_server=found["loginServer"],
        admin_user=bool(found.get("adminUserEnabled")),
    )


def read_principal(read: Reader, wishes: Wishes, account: Account, repository: str, group: Resource) -> Principal:
    name = wishes.identity or f"id-{short_name(repository)}-github"
    return read_app(read, name) if wishes.app else read_identity(read, name, account, group)


def read_identity(read: Reader, name: str, account: Account, group: Resource) -> Principal:
    subscription = ("--subscription", account.subscription_id)
    found = [each for each in read.az("identity", "list", *subscription) if same(each["name"], name)]
    here = [each for each in found if same(each["resourceGroup"], group.name)] or found
    if not here:
        return Principal(name, resource_group=group.name)
    if len(here) > 1:
        groups = ", ".join(sorted(each["resourceGroup"] for each in here))
        raise BadInputError(f"--identity {name}: there are several, in {groups}; take another name")
    (identity,) = here
    its_group = identity["resourceGroup"]
    where = ("--identity-name", name, "--resource-group", its_group, *subscription)
    credentials = read.az("identity", "federated-credential", "list", *where)
    return Principal(name, identity["clientId"], identity["principalId"], credentials_of(credentials), its_group)


def read_app(read: Reader, name: str) -> Principal:
    # --display-name takes the beginning of a name too.
    apps = [each for each in read.az("ad", "app", "list", "--display-name", name) if each["displayName"] == name]
    if len(apps) > 1:
        ids = ", ".join(sorted(each["appId"] for each in apps))
        raise BadInputError(
            f"--identity {name}: there are several app registrations of that name ({ids}); take another"
        )
    if not apps:
        return Principal(name)
    client_id = apps[0]["appId"]
    services = read.az("ad", "sp", "list", "--filter", f"appId eq '{client_id}'")
    credentials = credentials_of(read.az("ad", "app", "federated-credential", "list", "--id", client_id))
    return Principal(name, client_id, services[0]["id"] if services else "", credentials)


def credentials_of(found: Any) -> tuple[Credential, ...]:
    return tuple(
        Credential(each["name"], each["issuer"], each.get("subject") or "", tuple(each["audiences"])) for each in found
    )


def read_endpoints(
    read: Reader, workspace: Workspace, registry: Registry, names: Sequence[str]
) -> tuple[EndpointFacts, ...]:
    """Return the endpoints, where their identities have to be let pull: from a registry that is not the workspace's."""
    if not workspace.exists or not workspace.registry_id or same(workspace.registry_id, registry.id):
        return ()
    url = f"{workspace.id}/onlineEndpoints?api-version={ENDPOINTS_VERSION}"
    listed = {each["name"]: each for each in read_pages(read, url)}
    return tuple(
        EndpointFacts(name, name in listed, ((listed.get(name) or {}).get("identity") or {}).get("principalId") or "")
        for name in names
    )


def read_pages(read: Reader, url: str, *query: str) -> Iterator[Any]:
    """Yield all that a list of Azure Resource Manager holds, page by page."""
    page = read.az("rest", "--method", "get", "--url", url, *query)
    yield from page["value"]
    while following := page.get("nextLink"):
        page = read.az("rest", "--method", "get", "--url", following)
        yield from page["value"]


def read_assignments(read: Reader, account: Account, principal_ids: Sequence[str]) -> tuple[Assignment, ...]:
    """Return the roles of each principal in the subscription, those that it has by a group too.

    By `az rest`: `az role assignment list` looks names up in Microsoft Graph, which not everybody may.
    """
    url = f"/subscriptions/{account.subscription_id}/providers/Microsoft.Authorization/roleAssignments"
    found: list[Assignment] = []
    for principal_id in filter(None, principal_ids):
        query = ("--url-parameters", f"api-version={ROLES_VERSION}", f"$filter=assignedTo('{principal_id}')")
        found += [
            Assignment(principal_id, each["properties"]["roleDefinitionId"].rpartition("/")[2], scope)
            for each in read_pages(read, url, *query)
            if (scope := each["properties"]["scope"])
        ]
    return tuple(found)


def read_region_role(read: Reader, account: Account) -> str:
    name = region_role_name(account.subscription_id)
    where = ("--name", name, "--subscription", account.subscription_id)
    found = read.az("role", "definition", "list", "--custom-role-only", "true", *where)
    return str(found[0]["name"]) if found else ""


def same(one: str, other: str) -> bool:
    """Tell whether two names or ids of Azure, which heeds no case, are the same."""
    return one.lower() == other.lower()

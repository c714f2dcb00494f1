"""An `az` with a small Azure behind it: what bootstrap and doctor ask of it and make by it, and not one call more.

The arguments are those of azure-cli's own sources (command_modules identity, role, acr, resource, util) and of the
extension ml.
"""

import json
import re
import sys
import uuid
from collections.abc import Sequence
from typing import Any

from tests.lib.recorded import Call, Given, RefusedError, State, answered, run_as_program

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
TENANT = "99999999-8888-7777-6666-555555555555"
# What --output json and the like are to every command.
GLOBAL = ("--output", "--query", "--subscription")
QUIET = ("--only-show-errors",)
ARM = "https://management.azure.com"
BUILT_IN_ROLES = (
    "f6c7c914-8db3-469d-8ca1-694a8f32e121",
    "8311e382-0749-4cb8-b61a-304f252e45ec",
    "7f951dda-4ed3-4680-a7ca-43fe172d538d",
    "acdd72a7-3385-48ef-bd42-f606fba81ae7",
    "749f88d5-cbae-40b8-bcfc-e573ddc772fa",
)
WORKSPACES = "Microsoft.MachineLearningServices/workspaces"


def call(words: str, *required: str, optional: Sequence[str] = (), several: Sequence[str] = (), **rest: Any) -> Call:
    flags = (*QUIET, *rest.pop("flags", ()))
    return Call(tuple(words.split()), required, (*GLOBAL, *optional), flags, tuple(several), **rest)


FEDERATED = ("--name", "--identity-name", "--resource-group", "--issuer", "--subject", "--audiences")
PLACED = ("--name", "--resource-group", "--location")
CALLS = (
    call("account show"),
    call("group list"),
    call("group create", "--name", "--location", changes=True),
    call("provider list"),
    call("provider register", "--namespace", flags=("--wait",), changes=True),
    call("extension list"),
    call("extension add", "--name", flags=("--yes",), changes=True),
    call("acr list"),
    call("acr check-name", "--name"),
    call("acr create", *PLACED, "--sku", "--admin-enabled", changes=True),
    call("resource list", "--resource-type"),
    call("resource show", "--ids"),
    call("ml workspace create", *PLACED, "--container-registry", changes=True),
    call(
        "ml workspace update",
        *("--name", "--resource-group", "--container-registry"),
        flags=("--update-dependent-resources",),
        changes=True,
    ),
    call("ml online-endpoint create", "--name", "--file", "--resource-group", "--workspace-name", changes=True),
    call("identity list"),
    call("identity create", *PLACED, changes=True),
    call("identity federated-credential list", "--identity-name", "--resource-group"),
    call("identity federated-credential create", *FEDERATED, changes=True),
    call("identity federated-credential update", *FEDERATED, changes=True),
    call("ad app list", "--display-name"),
    call("ad app create", "--display-name", "--sign-in-audience", changes=True),
    call("ad app federated-credential list", "--id"),
    call("ad app federated-credential create", "--id", "--parameters", changes=True),
    call("ad app federated-credential update", "--id", "--federated-credential-id", "--parameters", changes=True),
    call("ad sp list", "--filter"),
    call("ad sp create", "--id", changes=True),
    call("rest", "--method", "--url", several=("--url-parameters",)),
    call("role definition list", "--custom-role-only", "--name"),
    call("role definition create", "--role-definition", changes=True),
    call(
        "role assignment create",
        *("--role", "--assignee-object-id", "--assignee-principal-type", "--scope"),
        changes=True,
    ),
)


def new_azure() -> State:
    """Return an Azure with a subscription and nothing in it."""
    return {
        "groups": [],
        "registries": [],
        "workspaces": [],
        "identities": [],
        "apps": [],
        "principals": [],
        "credentials": {},
        "assignments": [],
        "providers": ["Microsoft.Storage", "Microsoft.KeyVault"],
        "extensions": ["ml"],
        "roles": [],
        "endpoints": [],
        "taken": [],
    }


def answer(state: State, arguments: Sequence[str]) -> str:
    """Carry out one call, and return what az prints."""
    return answered("az", CALLS, carry_out, state, arguments)


def carry_out(state: State, given: Given) -> Any:
    name = "_".join(given.call.words).replace("-", "_")
    if given.get("--subscription") not in ("", SUBSCRIPTION):
        raise RefusedError(
            f"ERROR: The subscription of '{given['--subscription']}' doesn't exist in cloud 'AzureCloud'."
        )
    if given.call.words[0] == "ml" and "ml" not in state["extensions"]:
        raise RefusedError("ERROR: 'ml' is misspelled or not recognized by the system.", 2)
    return globals()[name](state, given)


def account_show(_state: State, _given: Given) -> Any:
    return {"id": SUBSCRIPTION, "name": "Models", "tenantId": TENANT, "user": {"name": "me@example.org"}}


def group_list(state: State, _given: Given) -> Any:
    return state["groups"]


def group_create(state: State, given: Given) -> Any:
    state["groups"].append(a_group(given["--name"], given["--location"]))
    return state["groups"][-1]


def a_group(name: str, location: str) -> Any:
    return {"id": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{name}", "name": name, "location": location}


def require_group(state: State, name: str) -> None:
    if name not in [each["name"] for each in state["groups"]]:
        raise RefusedError(f"ERROR: (ResourceGroupNotFound) Resource group '{name}' could not be found.", 3)


def provider_list(state: State, _given: Given) -> Any:
    return state["providers"]


def provider_register(state: State, given: Given) -> Any:
    state["providers"].append(given["--namespace"])


def extension_list(state: State, _given: Given) -> Any:
    return [{"name": each, "version": "2.39.0"} for each in state["extensions"]]


def extension_add(state: State, given: Given) -> Any:
    state["extensions"].append(given["--name"])


def acr_list(state: State, _given: Given) -> Any:
    return state["registries"]


def acr_check_name(state: State, given: Given) -> Any:
    taken = given["--name"] in (*state["taken"], *(each["name"] for each in state["registries"]))
    message = f"The registry {given['--name']}.azurecr.io is already in use." if taken else None
    return {"nameAvailable": not taken, "reason": "AlreadyExists" if taken else None, "message": message}


def acr_create(state: State, given: Given) -> Any:
    require_group(state, given["--resource-group"])
    state["registries"].append(a_registry(given["--name"], given["--resource-group"], given["--location"]))
    return state["registries"][-1]


def a_registry(name: str, group: str, location: str = "westeurope", *, admin: bool = False) -> Any:
    path = f"resourceGroups/{group}/providers/Microsoft.ContainerRegistry/registries/{name}"
    return {
        "id": f"/subscriptions/{SUBSCRIPTION}/{path}",
        "name": name,
        "resourceGroup": group,
        "location": location,
        "loginServer": f"{name}.azurecr.io",
        "adminUserEnabled": admin,
    }


def resource_list(state: State, given: Given) -> Any:
    assert given["--resource-type"] == WORKSPACES
    shown = ("id", "name", "resourceGroup", "location")
    return [{name: each[name] for name in shown} for each in state["workspaces"]]


def resource_show(state: State, given: Given) -> Any:
    return next(each for each in state["workspaces"] if each["id"] == given["--ids"])


def ml_workspace_create(state: State, given: Given) -> Any:
    require_group(state, given["--resource-group"])
    where = (given["--name"], given["--resource-group"])
    state["workspaces"].append(a_workspace(*where, given["--container-registry"], given["--location"]))
    return state["workspaces"][-1]


def a_workspace(name: str, group: str, registry_id: str, location: str = "westeurope") -> Any:
    arm_id = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/{WORKSPACES}/{name}"
    properties = {"containerRegistry": registry_id or None}
    return {"id": arm_id, "name": name, "resourceGroup": group, "location": location, "properties": properties}


def ml_workspace_update(state: State, given: Given) -> Any:
    workspace = next(each for each in state["workspaces"] if each["name"] == given["--name"])
    workspace["properties"]["containerRegistry"] = given["--container-registry"]
    return workspace


def ml_online_endpoint_create(state: State, given: Given) -> Any:
    principal_id = str(uuid.uuid4())
    state["endpoints"].append(an_endpoint(given["--name"], principal_id))
    return {"name": given["--name"], "identity": {"type": "system_assigned", "principal_id": principal_id}}


def an_endpoint(name: str, principal_id: str) -> Any:
    return {"name": name, "identity": {"type": "SystemAssigned", "principalId": principal_id} if principal_id else None}


def identity_list(state: State, _given: Given) -> Any:
    return state["identities"]


def identity_create(state: State, given: Given) -> Any:
    require_group(state, given["--resource-group"])
    state["identities"].append(an_identity(given["--name"], given["--resource-group"]))
    return state["identities"][-1]


def an_identity(name: str, group: str) -> Any:
    ids = {"clientId": str(uuid.uuid4()), "principalId": str(uuid.uuid4())}
    return {"name": name, "resourceGroup": group, **ids}


def identity_federated_credential_list(state: State, given: Given) -> Any:
    return state["credentials"].get(given["--identity-name"], [])


def identity_federated_credential_create(state: State, given: Given) -> Any:
    trust = (given["--issuer"], given["--subject"], given["--audiences"])
    return put_credential(state, given["--identity-name"], a_credential(given["--name"], *trust))


identity_federated_credential_update = identity_federated_credential_create


def a_credential(name: str, issuer: str, subject: str, audience: str) -> Any:
    return {"name": name, "issuer": issuer, "subject": subject, "audiences": [audience]}


def put_credential(state: State, owner: str, credential: Any) -> Any:
    there = state["credentials"].setdefault(owner, [])
    there[:] = [each for each in there if each["name"] != credential["name"]]
    if any((each["issuer"], each["subject"]) == (credential["issuer"], credential["subject"]) for each in there):
        raise RefusedError(
            "ERROR: (BadRequest) Issuer and subject combination already exists for this Managed Identity."
        )
    there.append(credential)
    return credential


def ad_app_list(state: State, given: Given) -> Any:
    return [each for each in state["apps"] if each["displayName"].startswith(given["--display-name"])]


def ad_app_create(state: State, given: Given) -> Any:
    state["apps"].append({"displayName": given["--display-name"], "appId": str(uuid.uuid4()), "id": str(uuid.uuid4())})
    return state["apps"][-1]


def ad_app_federated_credential_list(state: State, given: Given) -> Any:
    return state["credentials"].get(given["--id"], [])


def ad_app_federated_credential_create(state: State, given: Given) -> Any:
    return put_credential(state, given["--id"], json.loads(given["--parameters"]))


ad_app_federated_credential_update = ad_app_federated_credential_create


def ad_sp_list(state: State, given: Given) -> Any:
    return [each for each in state["principals"] if given["--filter"] == f"appId eq '{each['appId']}'"]


def ad_sp_create(state: State, given: Given) -> Any:
    state["principals"].append({"appId": given["--id"], "id": str(uuid.uuid4())})
    return state["principals"][-1]


def rest(state: State, given: Given) -> Any:
    assert given["--method"] == "get"
    if given["--url"].partition("?")[0].endswith("/onlineEndpoints"):
        return page_of(state["endpoints"], given["--url"])
    assert given["--url"] == f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleAssignments"
    (asked,) = [re.fullmatch(r"\$filter=assignedTo\('(.+)'\)", each) for each in given.lists["--url-parameters"][1:]]
    assert asked is not None
    return {"value": [each for each in state["assignments"] if each["properties"]["principalId"] == asked[1]]}


def page_of(listed: Sequence[Any], url: str) -> Any:
    """Return one entry, and where the next one is: a page of Azure Resource Manager is as short as it likes."""
    asked = re.search(r"&\$skip=(\d+)$", url)
    skipped = int(asked[1]) if asked else 0
    first = url.removeprefix(ARM).partition("&$skip=")[0]
    following = {"nextLink": f"{ARM}{first}&$skip={skipped + 1}"} if skipped + 1 < len(listed) else {}
    return {"value": listed[skipped : skipped + 1], **following}


def role_definition_list(state: State, given: Given) -> Any:
    return [each for each in state["roles"] if each["roleName"] == given["--name"]]


def role_definition_create(state: State, given: Given) -> Any:
    definition = json.loads(given["--role-definition"])
    assert set(definition) == {"Name", "Description", "Actions", "AssignableScopes"}
    state["roles"].append({"roleName": definition["Name"], "name": str(uuid.uuid4())})
    return state["roles"][-1]


def role_assignment_create(state: State, given: Given) -> Any:
    assert given["--assignee-principal-type"] == "ServicePrincipal"
    by_name = {each["roleName"]: each["name"] for each in state["roles"]}
    role = by_name.get(given["--role"], given["--role"])
    if role not in (*BUILT_IN_ROLES, *by_name.values()):
        raise RefusedError(f"ERROR: Role '{role}' doesn't exist.")
    state["assignments"].append(an_assignment(given["--assignee-object-id"], role, given["--scope"]))


def an_assignment(principal_id: str, role: str, scope: str) -> Any:
    definition = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{role}"
    return {"properties": {"principalId": principal_id, "roleDefinitionId": definition, "scope": scope}}


if __name__ == "__main__":
    sys.exit(run_as_program(answer, sys.argv[1:]))

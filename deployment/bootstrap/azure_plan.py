"""The part of the plan that is Azure's: resources, the identity and whom it trusts."""

import json
from collections.abc import Iterator

from deployment.azure_names import AUDIENCE
from deployment.bootstrap.facts import AzureFacts, Credential, Principal, Repository
from deployment.bootstrap.reading_azure import same
from deployment.bootstrap.steps import CLIENT_ID, LOGIN_SERVER, PRINCIPAL_ID, Step, az
from deployment.bootstrap.subjects import Subjects, is_of_another
from deployment.bootstrap.wishes import Wishes
from deployment.outcomes import BadInputError

ISSUER = "https://token.actions.githubusercontent.com"
MOST_CREDENTIALS = 20
WORKSPACE_TIMEOUT_S = 1200.0
REGISTERING_TIMEOUT_S = 900.0
# What Microsoft Entra says of an app that another of its servers does not know yet.
NOT_AROUND_YET = ("does not exist", "does not reference a valid application", "ResourceNotFound")
WRITTEN_AT_ONCE = ("ConcurrentFederatedIdentityCredentialsWrites",)


def resource_steps(facts: AzureFacts, wishes: Wishes) -> Iterator[Step]:
    """Yield the resource providers, the group, the registry and the workspace."""
    for namespace in facts.unregistered:
        register = az("provider", "register", "--namespace", namespace, "--wait", *subscription(facts))
        what = f"resource provider {namespace} of the subscription"
        lost = f"what needs {namespace} cannot be made until somebody with rights on the subscription registers it"
        yield Step("Azure", what, register, lost_without=lost, timeout_s=REGISTERING_TIMEOUT_S)
    group, registry, workspace = facts.group, facts.registry, facts.workspace
    what = f"resource group {group.name} in {group.location}"
    create = az("group", "create", "--name", group.name, "--location", group.location, *subscription(facts))
    yield Step("Azure", what, () if group.exists else create)
    yield registry_step(facts, wishes)
    what = f"workspace {workspace.name} in {workspace.location}"
    if workspace.exists:
        yield Step("Azure", what)
        if workspace.registry_id:
            return
    if not facts.has_ml_extension:
        yield extension_step()
    where = ("--name", workspace.name, "--resource-group", workspace.resource_group, *subscription(facts))
    if workspace.exists:
        attach = az("ml", "workspace", "update", *where, "--container-registry", registry.id)
        why = "the workspace has none of its own yet; an endpoint may pull from the workspace's own without a role"
        what = f"registry {registry.name} as the workspace's own"
        yield Step("Azure", what, (*attach, "--update-dependent-resources"), why, timeout_s=WORKSPACE_TIMEOUT_S)
        return
    create = az("ml", "workspace", "create", *where, "--location", workspace.location)
    why = "with a storage account, a key vault and Application Insights, which it needs"
    create = (*create, "--container-registry", registry.id)
    yield Step("Azure", what, create, why, timeout_s=WORKSPACE_TIMEOUT_S)


def registry_step(facts: AzureFacts, wishes: Wishes) -> Step:
    registry = facts.registry
    if registry.exists:
        return Step("Azure", f"registry {registry.login_server} in resource group {registry.resource_group}")
    where = ("--resource-group", registry.resource_group, "--location", registry.location, *subscription(facts))
    options = ("--sku", wishes.registry_sku.value, "--admin-enabled", "false")
    return Step(
        "Azure",
        f"registry {registry.name} ({wishes.registry_sku}) in {registry.location}",
        az("acr", "create", "--name", registry.name, *where, *options),
        why="without the admin user, whose password anybody could carry away",
        yields=((LOGIN_SERVER, "loginServer"),),
    )


def extension_step() -> Step:
    return Step("Azure", "extension ml of the Azure CLI", ("az", "extension", "add", "--name", "ml", "--yes"))


def identity_steps(facts: AzureFacts, wishes: Wishes) -> Iterator[Step]:
    """Yield the identity that the workflows log in as: a managed one, or an app with its service principal."""
    principal = facts.principal
    if not wishes.app:
        where = ("--resource-group", facts.group.name, "--location", facts.group.location, *subscription(facts))
        create = az("identity", "create", "--name", principal.name, *where)
        yields = ((CLIENT_ID, "clientId"), (PRINCIPAL_ID, "principalId"))
        what = f"user-assigned identity {principal.name}"
        yield Step("identity", what, () if principal.client_id else create, yields=yields)
        return
    create = az("ad", "app", "create", "--display-name", principal.name, "--sign-in-audience", "AzureADMyOrg")
    what = f"app registration {principal.name}"
    yield Step("identity", what, () if principal.client_id else create, yields=((CLIENT_ID, "appId"),))
    create = az("ad", "sp", "create", "--id", principal.client_id or CLIENT_ID)
    yield Step(
        "identity",
        f"service principal of {principal.name}",
        () if principal.principal_id else create,
        yields=((PRINCIPAL_ID, "id"),),
        repeated_on=NOT_AROUND_YET,
    )


def credential_steps(facts: AzureFacts, wishes: Wishes, subjects: Subjects, repository: Repository) -> Iterator[Step]:
    """Yield a federated credential for each environment, one after the other: Azure takes no two at once."""
    principal = facts.principal
    made = 0
    for environment in wishes.environments:
        step = credential_step(facts, wishes, environment, subjects.of(environment))
        made += not step.is_done and not step.replaces
        if not wishes.identity and is_of_another(repository, step.replaces):
            raise BadInputError(
                f"identity {principal.name}: it is trusted as {step.replaces}, another repository's, whose workflows "
                f"could log in no more; give {repository.full_name} an identity of its own by --identity NAME, or say "
                f"by --identity {principal.name} that it is to be replaced"
            )
        yield step
    if len(principal.credentials) + made > MOST_CREDENTIALS:
        raise BadInputError(
            f"identity {principal.name}: it has {len(principal.credentials)} federated credentials, and {made} more"
            f" would be above the {MOST_CREDENTIALS} that Azure takes; delete some, or name another by --identity"
        )


def credential_step(facts: AzureFacts, wishes: Wishes, environment: str, subject: str) -> Step:
    principal, name = facts.principal, f"github-{environment}"
    what = f"trust in {subject}"
    if any(is_ours(each, subject) for each in principal.credentials):
        return Step("identity", what)
    there = next((each for each in principal.credentials if same(each.name, name)), None)
    verb = "update" if there else "create"
    command = (
        app_credential(principal, verb, name, subject)
        if wishes.app
        else identity_credential(facts, verb, name, subject)
    )
    replaces = f"{there.subject} of {there.issuer} for {', '.join(there.audiences)}" if there else ""
    why = f"jobs of the environment {environment} may log in, and no others"
    repeated_on = NOT_AROUND_YET + WRITTEN_AT_ONCE
    return Step("identity", what, command, why, replaces=replaces, repeated_on=repeated_on)


def is_ours(credential: Credential, subject: str) -> bool:
    return (credential.subject, credential.issuer, credential.audiences) == (subject, ISSUER, (AUDIENCE,))


def identity_credential(facts: AzureFacts, verb: str, name: str, subject: str) -> tuple[str, ...]:
    principal = facts.principal
    where = ("--identity-name", principal.name, "--resource-group", principal.resource_group, *subscription(facts))
    trust = ("--issuer", ISSUER, "--subject", subject, "--audiences", AUDIENCE)
    return az("identity", "federated-credential", verb, "--name", name, *where, *trust)


def app_credential(principal: Principal, verb: str, name: str, subject: str) -> tuple[str, ...]:
    parameters = json.dumps({"name": name, "issuer": ISSUER, "subject": subject, "audiences": [AUDIENCE]})
    of_app = ("--id", principal.client_id or CLIENT_ID)
    which = ("--federated-credential-id", name) if verb == "update" else ()
    return az("ad", "app", "federated-credential", verb, *of_app, *which, "--parameters", parameters)


def subscription(facts: AzureFacts) -> tuple[str, str]:
    return ("--subscription", facts.account.subscription_id)

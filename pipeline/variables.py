"""The variables that connect a repository to Azure: which there are, and what each may look like."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from deployment.endpoint_name import VARIABLE
from deployment.github import set_output, set_variable
from pipeline.endpoint import ENVIRONMENTS, endpoint_of
from pipeline.environment import json_object, require
from pipeline.errors import PipelineError

UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
NAME = re.compile(r"[\w.()-]{1,90}")
HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:\d{1,5})?")


@dataclass(frozen=True)
class Variable:
    """One variable of the repository or of an environment: what it is, its form, and the form in words."""

    name: str
    meaning: str
    form: re.Pattern[str]
    form_told: str


NEEDED = (
    Variable("AZURE_CLIENT_ID", "the identity that the workflows log in as", UUID, "a UUID"),
    Variable("AZURE_TENANT_ID", "the tenant that the identity is in", UUID, "a UUID"),
    Variable("AZURE_SUBSCRIPTION_ID", "the subscription of the workspace", UUID, "a UUID"),
    Variable("AZURE_RESOURCE_GROUP", "the resource group of the workspace", NAME, "a name without spaces"),
    Variable("AZUREML_WORKSPACE_NAME", "the Azure ML workspace", NAME, "a name without spaces"),
    Variable("ACR_LOGIN_SERVER", "the registry, as myregistry.azurecr.io", HOST, "a host without https:// or a path"),
)
# The environment of what serves nothing, and the ending of those in which nobody is asked.
WITHOUT_ENDPOINT, UNATTENDED = "registry", "-unattended"
WHERE = "Settings > Secrets and variables > Actions > Variables, or `gh variable set NAME`"


def read_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return all variables that the workflow was given and that are not empty."""
    found = json_object(environ, "VARIABLES", "${{ toJSON(vars) }}")
    return {name: str(value) for name, value in found.items() if str(value).strip()}


def missing_of(found: Mapping[str, str]) -> list[Variable]:
    return [each for each in NEEDED if each.name not in found]


def refuse_unless_complete(found: Mapping[str, str]) -> None:
    """Raise PipelineError naming each variable that is missing, or has not the form that it must have."""
    faults = [f"{each.name} is not set: {each.meaning} ({WHERE})" for each in missing_of(found)]
    faults += [
        f"{each.name}: {found[each.name]!r} is not {each.form_told}; set it anew ({WHERE})"
        for each in NEEDED
        if each.name in found and not each.form.fullmatch(found[each.name])
    ]
    if faults:
        raise PipelineError(*faults)


def variables(environ: Mapping[str, str]) -> None:
    """Hand the six variables and the endpoint's name to the job's later steps, and the ids to the login as outputs."""
    endpoint = read_endpoint(environ)
    found = read_variables(environ)
    refuse_unless_complete(found)
    if endpoint is not None:
        set_variable(VARIABLE, endpoint)
    for each in NEEDED:
        set_variable(each.name, found[each.name])
    set_output("client-id", found["AZURE_CLIENT_ID"])
    set_output("tenant-id", found["AZURE_TENANT_ID"])
    set_output("subscription-id", found["AZURE_SUBSCRIPTION_ID"])
    set_output("registry", found["ACR_LOGIN_SERVER"])


def read_endpoint(environ: Mapping[str, str]) -> str | None:
    """Return the name of the endpoint of the job's environment; None where that has no endpoint."""
    (environment,) = require(environ, "ENVIRONMENT")
    if environment == WITHOUT_ENDPOINT:
        return None
    if (of_endpoint := environment.removesuffix(UNATTENDED)) not in ENVIRONMENTS:
        known = [*ENVIRONMENTS, *(f"{each}{UNATTENDED}" for each in ENVIRONMENTS), WITHOUT_ENDPOINT]
        raise PipelineError(f"ENVIRONMENT: {environment!r} is none; set it to one of {', '.join(known)}")
    return endpoint_of(of_endpoint)

"""Azure: the login, the workspace, and what a release would find there."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from deployment.azure_names import points_at_emulator
from deployment.bootstrap.tools import Run, ToolError
from deployment.checks import Facts
from deployment.checks import Standing as Judged
from deployment.cloud import Cloud
from deployment.cloud_checks import check_instances, check_live, check_pull, check_quota
from deployment.doctor.rows import Row, Standing, fail, ok, row_of, skipped, warn
from deployment.manifests import DeploymentFile, read_endpoint, read_manifest
from deployment.outcomes import PlatformError, ReleaseError
from deployment.platform import Endpoint
from deployment.preflight import carry_out
from deployment.registry import ImageReference
from deployment.releasing import Paths
from deployment.taking import COLOURS

GROUP = "Azure"
VARIABLES = ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AZUREML_WORKSPACE_NAME")
REGISTRY = "ACR_LOGIN_SERVER"
CONNECT = "make bootstrap, or make emulator to try without an account"
AZ_TIMEOUT_S = 15.0
NO_DIGEST = "sha256:" + "0" * 64


@dataclass(frozen=True)
class Connection:
    """The workspace that the environment names, as preflight asks it."""

    cloud: Cloud
    observe: Callable[[], Endpoint | None]


def connect(paths: Paths) -> Connection:
    """Return the connection; takes the two seconds that the SDK needs to be loaded."""
    from deployment.azure_checks import AzureCloud  # noqa: PLC0415 - only where there is something to ask
    from deployment.azureml import AzureML, workspace_from  # noqa: PLC0415 - beside it

    azure = AzureML(
        workspace_from(os.environ), endpoint_file=paths.endpoint_file, deployment_file=paths.deployment_file
    )
    return Connection(AzureCloud(azure), azure.observe)


def is_connected(environ: Mapping[str, str]) -> bool:
    """Tell whether the environment names all of a workspace."""
    return all(environ.get(name) for name in VARIABLES)


def settings_rows(environ: Mapping[str, str]) -> Iterator[Row]:
    """Yield whether the environment names a workspace; Azure is asked for nothing."""
    missing = [name for name in VARIABLES if not environ.get(name)]
    if len(missing) == len(VARIABLES):
        yield skipped(GROUP, "settings", "not connected", CONNECT)
    elif missing:
        fix = f"export {', '.join(missing)} too, or unset the others; `gh variable list` shows those of the workflows"
        yield fail(GROUP, "settings", f"set by half: {', '.join(missing)} not set", fix)
    else:
        told = f"workspace {environ[VARIABLES[2]]} in {environ[VARIABLES[1]]}, subscription {environ[VARIABLES[0]]}"
        yield ok(GROUP, "settings", told)


def login_row(run: Run, environ: Mapping[str, str]) -> Row:
    """Return who `az` is logged in as; where that is nobody, the SDK may still find somebody else."""
    if points_at_emulator(environ):
        return ok(GROUP, "login", "the emulator's own")
    command = ("az", "account", "show", "--query", "user.name", "--output", "tsv", "--only-show-errors")
    try:
        return ok(GROUP, "login", f"az is logged in as {run(command, AZ_TIMEOUT_S).strip()}")
    except (PlatformError, ToolError) as error:
        told = str(error).partition("; ")[0].splitlines()[0]
        fix = "`az login`; the row below tells whether somebody else was found (DefaultAzureCredential)"
        return warn(GROUP, "login", told, fix)


def workspace_rows(environ: Mapping[str, str], paths: Paths, connected: Callable[[], Connection]) -> Iterator[Row]:
    """Yield whether the workspace answers, and, where it does, what preflight would find."""
    try:
        connection = connected()
        workspace = connection.cloud.workspace()
    except ReleaseError as error:
        fix = "log in (`az login`), look at the three variables, and whether you have the role Reader there"
        yield fail(GROUP, "workspace", str(error), fix)
        return
    yield ok(GROUP, "workspace", f"reached, in {workspace.location}")
    facts = facts_of(connection, environ, paths)
    for name, check in (("instances", check_instances), ("core quota", check_quota), ("live deployment", check_live)):
        found = carry_out(name, check, facts, Judged.WARN)
        yield Row(GROUP, name, Standing(found.standing.value), found.found, found.fix)
    yield registry_row(facts, environ)


def registry_row(facts: Facts, environ: Mapping[str, str]) -> Row:
    if not environ.get(REGISTRY):
        fix = f"export {REGISTRY}=myregistry.azurecr.io to see whether the endpoint may pull from it"
        return skipped(GROUP, "registry, AcrPull", f"{REGISTRY} is not set", fix)
    try:
        return row_of(GROUP, "registry, AcrPull", check_pull(facts))
    except ReleaseError as error:
        return warn(GROUP, "registry, AcrPull", f"not checked: {error}", "read it as somebody with the role Reader")


def facts_of(connection: Connection, environ: Mapping[str, str], paths: Paths) -> Facts:
    def has_image(reference: ImageReference) -> bool:
        raise PlatformError(f"{reference.host}: no image is asked for here")

    return Facts(
        connection.cloud,
        # Any image of the registry: only whose registry that is matters to who may pull.
        image=f"{environ.get(REGISTRY) or 'none.azurecr.io'}/any@{NO_DIGEST}",
        release_id="",
        deployment_names=COLOURS,
        read_endpoint_file=partial(read_endpoint, paths.endpoint_file, environ),
        read_deployment_file=partial(read_manifest, DeploymentFile, paths.deployment_file),
        observe=connection.observe,
        has_image=has_image,
    )

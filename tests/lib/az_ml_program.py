"""The `az` of the tests of deployment/cli: each `az ml` call goes through the real azure-ai-ml SDK.

It does what the ml extension of the Azure CLI does with the same arguments (Azure/azure-cli-extensions,
src/machinelearningservices/azext_mlv2/manual/custom): the YAML is loaded by Azure's own schemas with --name,
--endpoint-name and --set as overrides, `create` refuses what exists, `show` ends with 3 where nothing is. It knows what
the script uses, in the spelling of the documentation, and refuses everything else with 2, as a call that nobody has
thought of must not pass for one that works.

Usage: az account show; az acr login; az ml workspace show; az ml online-endpoint show|create|update|invoke|delete;
az ml online-deployment show|create|get-logs|delete. Every call is written to $AZ_LOG.
"""

import argparse
import json
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from azure.ai.ml import MLClient, load_online_deployment, load_online_endpoint
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import DefaultAzureCredential

EXIT_NOT_FOUND = 3  # of az's show commands alone
NOT_FOUND_STATUS = 404


class RefusedError(Exception):
    """What az says on stderr before it ends with 1."""


def main(arguments: list[str]) -> int:
    """Carry out one call and return az's exit code."""
    with Path(os.environ["AZ_LOG"]).open("a", encoding="utf-8") as log:
        log.write(shlex.join(arguments) + "\n")
    call = parser().parse_args(arguments)
    try:
        result = call.carry_out(call)
    except RefusedError as error:
        return complain(error, 1)
    except ResourceNotFoundError as error:
        return complain(error, EXIT_NOT_FOUND if call.verb == "show" else 1)
    except HttpResponseError as error:
        return complain(error, 1)
    if result is not None and call.output == "json":
        sys.stdout.write(json.dumps(result, indent=2) + "\n")
    return 0


def complain(error: Exception, exit_code: int) -> int:
    sys.stderr.write(f"ERROR: {error}\n")
    return exit_code


def parser() -> argparse.ArgumentParser:
    az = argparse.ArgumentParser(prog="az", allow_abbrev=False)
    groups = az.add_subparsers(required=True)
    account = groups.add_parser("account").add_subparsers(dest="verb", required=True)
    command(account, "show", show_account)
    acr = groups.add_parser("acr").add_subparsers(dest="verb", required=True)
    command(acr, "login", log_in_to_registry).add_argument("--name", "-n", required=True)
    ml = groups.add_parser("ml").add_subparsers(required=True)
    workspace = ml.add_parser("workspace").add_subparsers(dest="verb", required=True)
    show = named(command(workspace, "show", show_workspace))
    show.add_argument("--resource-group", "-g", required=True)
    add_endpoint_commands(ml.add_parser("online-endpoint").add_subparsers(dest="verb", required=True))
    add_deployment_commands(ml.add_parser("online-deployment").add_subparsers(dest="verb", required=True))
    return az


def add_endpoint_commands(verbs: Any) -> None:
    named(ml_command(verbs, "show", show_endpoint))
    create = ml_command(verbs, "create", create_endpoint)
    create.add_argument("--file", "-f", required=True)
    create.add_argument("--name", "-n")
    update = named(ml_command(verbs, "update", update_endpoint))
    update.add_argument("--traffic", "-r", required=True)
    invoke = named(ml_command(verbs, "invoke", invoke_endpoint))
    invoke.add_argument("--request-file", "-r", required=True)
    invoke.add_argument("--deployment-name", "-d")
    named(ml_command(verbs, "delete", delete_endpoint)).add_argument("--yes", "-y", action="store_true")


def add_deployment_commands(verbs: Any) -> None:
    on_endpoint(ml_command(verbs, "show", show_deployment))
    create = ml_command(verbs, "create", create_deployment)
    create.add_argument("--file", "-f", required=True)
    create.add_argument("--name", "-n")
    create.add_argument("--endpoint-name", "-e")
    create.add_argument("--all-traffic", action="store_true")
    create.add_argument("--set", dest="overrides", action="append", nargs="+", default=[])
    logs = on_endpoint(ml_command(verbs, "get-logs", print_logs))
    logs.add_argument("--lines", "-l", type=int, default=50)
    on_endpoint(ml_command(verbs, "delete", delete_deployment)).add_argument("--yes", "-y", action="store_true")


def command(verbs: Any, name: str, carry_out: Callable[[argparse.Namespace], Any]) -> argparse.ArgumentParser:
    found: argparse.ArgumentParser = verbs.add_parser(name, allow_abbrev=False)
    found.add_argument("--subscription", default=os.environ.get("AZURE_SUBSCRIPTION_ID", ""))
    found.add_argument("--output", "-o", choices=("json", "none"), default="json")
    found.set_defaults(carry_out=carry_out)
    return found


def ml_command(verbs: Any, name: str, carry_out: Callable[[argparse.Namespace], Any]) -> argparse.ArgumentParser:
    found = command(verbs, name, carry_out)
    found.add_argument("--resource-group", "-g", required=True)
    found.add_argument("--workspace-name", "-w", required=True)
    return found


def named(found: argparse.ArgumentParser) -> argparse.ArgumentParser:
    found.add_argument("--name", "-n", required=True)
    return found


def on_endpoint(found: argparse.ArgumentParser) -> argparse.ArgumentParser:
    named(found).add_argument("--endpoint-name", "-e", required=True)
    return found


def show_account(call: argparse.Namespace) -> dict[str, str]:
    require_login()
    return {"id": call.subscription}


def log_in_to_registry(call: argparse.Namespace) -> None:
    """Say so: the registries of these tests are open."""
    require_login()
    sys.stdout.write(f"Login Succeeded\n{call.name}\n")


def require_login() -> None:
    # Whoever has the emulator's variables is logged in.
    if "IDENTITY_ENDPOINT" not in os.environ:
        raise RefusedError("Please run 'az login' to setup account.")


def client_of(call: argparse.Namespace) -> MLClient:
    require_login()
    where = (call.subscription, call.resource_group, getattr(call, "workspace_name", call.name))
    return MLClient(DefaultAzureCredential(), *where, enable_telemetry=False)


def show_workspace(call: argparse.Namespace) -> Any:
    return client_of(call).workspaces.get(call.name)._to_dict()  # noqa: SLF001 - what the ml extension prints


def show_endpoint(call: argparse.Namespace) -> Any:
    return client_of(call).online_endpoints.get(call.name).dump()


def create_endpoint(call: argparse.Namespace) -> Any:
    overrides = [{"name": call.name.lower()}] if call.name else []
    endpoint = load_online_endpoint(call.file, params_override=overrides)
    endpoints = client_of(call).online_endpoints
    refuse_if_there(lambda: endpoints.get(endpoint.name), "An endpoint")
    return endpoints.begin_create_or_update(endpoint).result().dump()


def update_endpoint(call: argparse.Namespace) -> Any:
    shares = dict(share.split("=") for share in call.traffic.split(" "))
    if not all(percent.isnumeric() for percent in shares.values()):
        raise RefusedError("Do not add a delimiter between traffic variables")
    endpoints = client_of(call).online_endpoints
    endpoint = endpoints.get(call.name)
    endpoint.traffic = shares
    return endpoints.begin_create_or_update(endpoint).result().dump()


def invoke_endpoint(call: argparse.Namespace) -> str:
    endpoints = client_of(call).online_endpoints
    return str(endpoints.invoke(call.name, request_file=call.request_file, deployment_name=call.deployment_name))


def delete_endpoint(call: argparse.Namespace) -> None:
    confirm(call)
    client_of(call).online_endpoints.begin_delete(call.name).result()


def show_deployment(call: argparse.Namespace) -> Any:
    return told(client_of(call).online_deployments.get(call.name, call.endpoint_name))


def create_deployment(call: argparse.Namespace) -> Any:
    overrides: list[dict[str, Any]] = [dict(pair.split("=", 1) for pair in pairs) for pairs in call.overrides]
    overrides += [{key: value} for key, value in (("name", call.name), ("endpoint_name", call.endpoint_name)) if value]
    deployment = load_online_deployment(call.file, params_override=overrides)
    client = client_of(call)
    refuse_if_there(lambda: client.online_deployments.get(deployment.name, deployment.endpoint_name), "A deployment")
    made = client.online_deployments.begin_create_or_update(deployment).result()
    if call.all_traffic:
        endpoint = client.online_endpoints.get(deployment.endpoint_name)
        endpoint.traffic = {deployment.name: 100}
        client.online_endpoints.begin_create_or_update(endpoint).result()
    return told(made)


def delete_deployment(call: argparse.Namespace) -> None:
    confirm(call)
    client_of(call).online_deployments.begin_delete(call.name, call.endpoint_name).result()


def print_logs(call: argparse.Namespace) -> None:
    logs = client_of(call).online_deployments.get_logs(call.name, call.endpoint_name, lines=call.lines)
    sys.stdout.write(logs.replace("\\n", "\n") + "\n")


def told(deployment: Any) -> dict[str, Any]:
    return dict(deployment._to_dict())  # noqa: SLF001 - what the ml extension prints


def refuse_if_there(look: Callable[[], Any], what: str) -> None:
    try:
        look()
    except ResourceNotFoundError as error:
        if error.status_code == NOT_FOUND_STATUS:
            return
        raise
    raise RefusedError(f"(UserError) {what} with this name already exists.")


def confirm(call: argparse.Namespace) -> None:
    if not call.yes:
        # There is no terminal in a test.
        sys.stderr.write("WARNING: Unable to prompt for confirmation as no tty available. Use --yes.\n")
        raise RefusedError("Operation cancelled.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

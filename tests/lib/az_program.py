"""The `az` of the workflow tests: logs in by federated token, and Docker in to the registry of the test, for real.

Usage: az login --service-principal --username ID --tenant ID --federated-token TOKEN; az account set --subscription ID;
az acr login --name NAME. Every call is written to $AZ_LOG, without its token. Anything else is refused, as a call that
nobody has thought of must not pass for one that works.
"""

import argparse
import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

AUDIENCE = "api://AzureADTokenExchange"
NO_RECORD = "No matching federated identity record found for presented assertion"
REGISTRIES = "Microsoft.ContainerRegistry/registries"


class RefusedError(Exception):
    """What az says on stderr before it ends with 1."""


def main(arguments: list[str]) -> int:
    """Carry out one call."""
    note(arguments)
    try:
        carry_out(parser().parse_args(arguments))
    except RefusedError as error:
        sys.stderr.write(f"ERROR: {error}\n")
        return 1
    return 0


def note(arguments: list[str]) -> None:
    kept = [
        "..." if index and arguments[index - 1] == "--federated-token" else each for index, each in enumerate(arguments)
    ]
    with Path(os.environ["AZ_LOG"]).open("a", encoding="utf-8") as log:
        log.write(" ".join(kept) + "\n")


def parser() -> argparse.ArgumentParser:
    az = argparse.ArgumentParser(prog="az", allow_abbrev=False)
    groups = az.add_subparsers(dest="group", required=True)
    login = groups.add_parser("login", allow_abbrev=False)
    login.add_argument("--service-principal", action="store_true", required=True)
    for name in ("--username", "--tenant", "--federated-token"):
        login.add_argument(name, required=True)
    account = groups.add_parser("account").add_subparsers(dest="command", required=True)
    account.add_parser("set", allow_abbrev=False).add_argument("--subscription", required=True)
    acr = groups.add_parser("acr").add_subparsers(dest="command", required=True)
    acr.add_parser("login", allow_abbrev=False).add_argument("--name", "-n", required=True)
    return az


def carry_out(call: argparse.Namespace) -> None:
    if call.group == "login":
        log_in(call)
    elif call.group == "account":
        require_session()
    else:
        log_docker_in(call.name)


def log_in(call: argparse.Namespace) -> None:
    claims = claims_of(call.federated_token)
    subjects = os.environ["AZ_SUBJECTS"].split(",")
    if claims.get("aud") != AUDIENCE:
        raise RefusedError(f"AADSTS700212: {NO_RECORD} audience '{claims.get('aud')}'.")
    if claims.get("sub") not in subjects:
        raise RefusedError(f"AADSTS700213: {NO_RECORD} subject '{claims.get('sub')}'.")
    session = {"username": call.username, "tenant": call.tenant, "subject": claims["sub"]}
    session_file().parent.mkdir(parents=True, exist_ok=True)
    session_file().write_text(json.dumps(session), encoding="utf-8")


def claims_of(token: str) -> dict[str, Any]:
    try:
        payload = token.split(".")[1]
        return dict(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))
    except (IndexError, ValueError) as error:
        raise RefusedError(f"AADSTS50027: JWT token is invalid or malformed ({error}).") from error


def session_file() -> Path:
    # A job has a folder of its own, as it has a machine of its own on GitHub: a login of another job is not its.
    return Path(os.environ["RUNNER_TEMP"], "azure", "session.json")


def require_session() -> None:
    if not session_file().exists():
        raise RefusedError("Please run 'az login' to setup account.")


def log_docker_in(name: str) -> None:
    require_session()
    host = os.environ["REGISTRY_HOST"]
    if name != host:
        raise RefusedError(
            f"The resource with name '{name}' and type '{REGISTRIES}' could not be found in subscription."
        )
    command = ["docker", "login", host, "--username", os.environ["REGISTRY_USERNAME"], "--password-stdin"]
    done = subprocess.run(command, input=os.environ["REGISTRY_PASSWORD"], text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise RefusedError(f"docker login: {done.stderr.strip()}")
    sys.stdout.write("Login Succeeded\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

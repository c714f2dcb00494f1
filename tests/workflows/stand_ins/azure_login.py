"""In place of azure/login: the same calls of az, with the job's ID token in place of a secret."""

import subprocess
import sys

from tests.workflows.stand_ins.id_token import fetch
from tests.workflows.stand_ins.inputs import Inputs, RefusedError, run, say

PERMISSION = "Please make sure to give write permissions to id-token in the workflow."


def log_in(inputs: Inputs) -> None:
    client, tenant, subscription = inputs["client-id"], inputs["tenant-id"], inputs["subscription-id"]
    if not client or not tenant:
        raise RefusedError("Login failed with Error: Using auth-type: SERVICE_PRINCIPAL. Not all values are present. "
                           "Ensure 'client-id' and 'tenant-id' are supplied.")  # fmt: skip
    if not subscription and not inputs.flag("allow-no-subscriptions"):
        raise RefusedError(
            "Login failed with Error: Ensure 'subscription-id' is supplied or 'allow-no-subscriptions' is 'true'."
        )
    try:
        token = fetch(inputs["audience"])
    except RefusedError as error:
        raise RefusedError(f"Failed to fetch federated token from GitHub. {PERMISSION} ({error})") from error
    az("login", "--service-principal", "--username", client, "--tenant", tenant, "--federated-token", token)
    if subscription:
        az("account", "set", "--subscription", subscription)
    say("Azure CLI login succeeds by using OIDC.")


def az(*arguments: str) -> None:
    done = subprocess.run(["az", *arguments], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        sys.stderr.write(done.stderr)
        raise RefusedError(f"Login failed with Error: The process 'az' failed with exit code {done.returncode}")


if __name__ == "__main__":
    run(log_in)

"""The environment variables with which an unmodified SDK finds the emulator."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from deployment.emulator.certificate import write_private
from deployment.emulator.entities import Workspace

CLOUD_NAME = "LocalAzureML"


def sdk_environment(
    *, workspace: Workspace, control_url: str, data_url: str, certificate: Path, identity_header: str
) -> dict[str, str]:
    """Answer the variables; without AZUREML_CURRENT_CLOUD the SDK would fall back to the real Azure."""
    return {
        "ARM_CLOUD_METADATA_URL": f"{control_url}/metadata/endpoints?api-version=2019-05-01",
        "AZUREML_CURRENT_CLOUD": CLOUD_NAME,
        "REQUESTS_CA_BUNDLE": str(certificate),
        "CURL_CA_BUNDLE": str(certificate),
        "IDENTITY_ENDPOINT": f"{data_url}/msi/token",
        "IDENTITY_HEADER": identity_header,
        "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
        # Who has a federated credential instead logs in here.
        "AZURE_AUTHORITY_HOST": control_url,
        # The lower-case one wins where a machine has both.
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "AZURE_SUBSCRIPTION_ID": workspace.subscription_id,
        "AZURE_RESOURCE_GROUP": workspace.resource_group,
        "AZUREML_WORKSPACE_NAME": workspace.name,
    }


def write_environment(path: Path, variables: Mapping[str, str]) -> None:
    """Write KEY=value lines into a file of mode 0600, complete or not at all."""
    write_private(path, "".join(f"{name}={value}\n" for name, value in variables.items()).encode())


def export_lines(variables: Mapping[str, str]) -> str:
    """Answer the variables as lines for a POSIX shell."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())

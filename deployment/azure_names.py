"""What Azure and its emulator call things, for modules that load no SDK of Azure's too."""

from collections.abc import Mapping

# What a federated credential for GitHub's tokens is for.
AUDIENCE = "api://AzureADTokenExchange"
# https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
ACR_PUSH = "8311e382-0749-4cb8-b61a-304f252e45ec"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
CLOUD, METADATA_ADDRESS = "AZUREML_CURRENT_CLOUD", "ARM_CLOUD_METADATA_URL"
EMULATED_CLOUD = "LocalAzureML"


def points_at_emulator(environ: Mapping[str, str]) -> bool:
    """Tell whether the environment leads the SDK to an emulator, or was meant to."""
    return bool(environ.get(METADATA_ADDRESS)) or environ.get(CLOUD) == EMULATED_CLOUD

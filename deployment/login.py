"""Docker's login to a registry of Azure, by the command that knows who is logged in to Azure."""

import re

from deployment.outcomes import BadInputError, PlatformError
from deployment.programs import MissingProgramError, ProgramError, run_program
from deployment.registry import LOOPBACK

AZURE_REGISTRY = re.compile(r"([a-z0-9-]+)\.azurecr\.(?:io|us|cn)", re.IGNORECASE)
TIMEOUT_S = 120.0


def log_in(registry: str) -> None:
    """Log Docker in to the registry.

    One on this machine, beside an emulated Azure, has no name but its host. Raises BadInputError where it is none of
    Azure's or there is no `az`, PlatformError with what that said where it refuses.
    """
    found = AZURE_REGISTRY.fullmatch(registry)
    is_here = registry.partition(":")[0] in LOOPBACK
    if found is None and not is_here:
        raise BadInputError(f"--registry {registry!r}: it is no registry of Azure's; write it as mine.azurecr.io")
    name = found[1] if found is not None else registry
    try:
        run_program(["az", "acr", "login", "--name", name], timeout_s=TIMEOUT_S)
    except MissingProgramError as error:
        raise BadInputError(f"{error}; install the Azure CLI, and log in by `az login`") from error
    except ProgramError as error:
        raise PlatformError(
            f"{error}\nWhoever is logged in to Azure needs the role AcrPull on {registry}, and AcrPush to publish there"
        ) from error

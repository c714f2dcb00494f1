"""A Docker Engine, by its own command: it has the logins to registries, and a person can repeat what it was told."""

import re
from pathlib import Path

from deployment.image import ImageError
from deployment.outcomes import BadInputError
from deployment.programs import MissingProgramError, ProgramError, run_program

TIMEOUT_S = 60.0
TRANSFER_TIMEOUT_S = 1800.0  # what moves a whole image
REVISION_LABEL = "org.opencontainers.image.revision"
PULLED_DIGEST = re.compile(r"^Digest: (sha256:[0-9a-f]{64})$", re.MULTILINE)


def docker(*arguments: str, timeout_s: float = TIMEOUT_S) -> str:
    """Run a docker command and return what it printed; raises ImageError with its last lines where it fails."""
    try:
        return run_program(["docker", *arguments], timeout_s=timeout_s).strip()
    except MissingProgramError as error:
        raise ImageError(f"{error}; install a Docker Engine and its command") from error
    except ProgramError as error:
        raise ImageError(str(error)) from error


def find_image(image: str) -> str | None:
    """Return the id of an image that the engine has; None where it has none.

    A reference is looked up as it stands, and then by its digest alone: of an image that was built here that is the id.
    """
    _, _, digest = image.partition("@")
    for reference in filter(None, (image, digest)):
        try:
            return docker("image", "inspect", "--format", "{{.Id}}", reference)
        except ImageError as error:
            if "no such image" not in str(error).lower():
                raise
    return None


def require_image(image: str) -> str:
    """Return the id of an image; raises BadInputError where the engine does not have it."""
    found = find_image(image)
    if found is None:
        raise BadInputError(
            f"image {image}: the Docker Engine has none of that name or id; `python -m deployment build` makes one"
        )
    return found


def revision_of(image_id: str) -> str:
    """Return the commit that an image says it was made from; empty where it says nothing."""
    return docker("image", "inspect", "--format", f'{{{{index .Config.Labels "{REVISION_LABEL}"}}}}', image_id)


def save_image(image: str, path: Path) -> None:
    """Write an image to a tar file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    docker("save", "--output", str(path), require_image(image), timeout_s=TRANSFER_TIMEOUT_S)


def pull_image(reference: str) -> str:
    """Pull an image and return the digest that its registry has it by."""
    told = docker("pull", reference, timeout_s=TRANSFER_TIMEOUT_S)
    digest = PULLED_DIGEST.search(told)
    if digest is None:
        raise ImageError(f"docker pull {reference}: it names no digest:\n{told}")
    return digest[1]

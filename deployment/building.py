"""From a model's folder to something that can be deployed: an image, or a bundle where there is no Docker Engine."""

import subprocess
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from deployment.image import ImageError, build_bundle, build_image, choose_base_image, choose_source, engine_answers
from deployment.manifests import read_image_name
from deployment.outcomes import BadInputError
from deployment.releasing import Paths, git_sha

BUNDLES_DIR = Path(".emulator/bundles")
DEPLOYMENT_FILE = Paths.deployment_file
MAKE_BASE_IMAGE = Path(__file__).resolve().parent.parent / "scripts" / "base-image.sh"


class Runtime(StrEnum):
    """What the colours are."""

    AUTO = "auto"
    CONTAINERS = "containers"
    PROCESSES = "processes"

    def chosen(self) -> "Runtime":
        """Return containers where a Docker Engine answers, processes elsewhere; raises BadInputError for neither."""
        answers = engine_answers()
        if self is Runtime.CONTAINERS and not answers:
            raise BadInputError("runtime: no Docker Engine answers; start one, or choose --runtime processes")
        if self is Runtime.AUTO:
            return Runtime.CONTAINERS if answers else Runtime.PROCESSES
        return self


def build(
    model_dir: Path,
    runtime: Runtime,
    bundles_dir: Path,
    on_line: Callable[[str], None],
    *,
    deployment_file: Path = DEPLOYMENT_FILE,
) -> str:
    """Return the reference, `name@sha256:...`, of an image (or a bundle) with this model; raises ImageError.

    The deployment file names it; raises BadInputError where no registry would take that name.
    """
    name = read_image_name(deployment_file)
    if runtime is Runtime.PROCESSES:
        return build_bundle(model_dir=model_dir, bundles_dir=bundles_dir, name=name)
    try:
        return build_image(
            model_dir=model_dir,
            name=name,
            base_image=choose_base_image(),
            revision=git_sha(),
            source=choose_source(),
            on_line=on_line,
        )
    except ImageError as error:
        if choose_base_image() is not None:
            raise
        make_base_image(on_line, error)
    return build(model_dir, runtime, bundles_dir, on_line, deployment_file=deployment_file)


def make_base_image(on_line: Callable[[str], None], reason: ImageError) -> None:
    """Make a base image here, because the public one could not be built on; raises `reason` where that fails too."""
    on_line("the image cannot be built; looking whether that is for want of a base image")
    made = subprocess.run([MAKE_BASE_IMAGE], check=False, capture_output=True, text=True)
    if made.returncode == 0 and choose_base_image() is None:
        raise reason  # the public one can be had: something else is wrong
    if made.returncode != 0:
        raise ImageError(f"{reason}\nAnd no base image could be made here: {made.stderr.strip()}") from reason

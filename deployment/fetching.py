"""The model out of an image: what a release needs of it beside the image itself."""

from dataclasses import dataclass
from pathlib import Path

from deployment.engine import docker, find_image, pull_image, revision_of
from deployment.golden import ModelArtefacts, read_artefacts
from deployment.image import ImageError
from deployment.manifests import read_image_name
from deployment.outcomes import BadInputError
from deployment.platform import IMAGE_TAG, Endpoint
from deployment.registry import read_reference

LATEST = "main"
MODEL_IN_IMAGE = "/app/model"  # where service/Dockerfile puts it
# Not the model itself: a workflow hands these on as artifacts, which everybody may read of a public repository.
FETCHED_FILES = ("metadata.json", "golden_requests.json")


@dataclass(frozen=True)
class Fetched:
    """An image by digest, the model in it, and the commit that it says it was made from."""

    image: str
    model: ModelArtefacts
    revision: str


def reference_of(text: str, registry: str, deployment_file: Path) -> str:
    """Return what to pull: the latest of main for nothing, a digest in the registry, or a reference as it is.

    The deployment file names the image where the reference does not.
    Raises BadInputError for anything else, and where there is no registry to complete it with.
    """
    if text and (read := read_reference(text)) is not None and read.host:
        return text
    wanted = f":{LATEST}" if not text else f"@{text}"
    if text and read_reference(f"image{wanted}") is None:
        raise BadInputError(
            f"--image {text!r}: it is neither sha256:<64 hex digits> nor HOST/name@sha256:<64 hex digits>; leave it "
            f"empty for the latest of {LATEST}"
        )
    if not registry:
        raise BadInputError(f"--image {text!r}: no registry to look in; name one by --registry or ACR_LOGIN_SERVER")
    return f"{registry}/{read_image_name(deployment_file)}{wanted}"


def image_running(endpoint: Endpoint | None, deployment: str) -> str:
    """Return the image that a deployment runs, by its tag; without a name, the one that serves.

    Raises BadInputError where there is no such deployment, or it names no image by digest.
    """
    if endpoint is None:
        raise BadInputError("endpoint: it does not exist; nothing has been released yet")
    found = endpoint.deployments.get(deployment) if deployment else endpoint.live
    if found is None:
        there = ", ".join(sorted(endpoint.deployments)) or "no deployment"
        raise BadInputError(f"endpoint {endpoint.name}: no deployment {deployment or 'serves'}; it has {there}")
    image = found.tags.get(IMAGE_TAG, "")
    if read_reference(image) is None:
        raise BadInputError(
            f"deployment {found.name}: its tag {IMAGE_TAG!r} is {image!r}, no image by digest; releases set it"
        )
    return image


def fetch(reference: str, folder: Path) -> Fetched:
    """Have the image of a reference here, and put what a release needs of its model into the folder.

    One by digest that the engine has already is not pulled again.
    """
    image_id, image = find_image(reference) if "@" in reference else None, reference
    if image_id is None:
        name = reference.partition("@")[0].removesuffix(f":{LATEST}")
        image = f"{name}@{pull_image(reference)}"
        image_id = docker("image", "inspect", "--format", "{{.Id}}", image)
    copy_model(image_id, folder)
    return Fetched(image, read_artefacts(folder), revision_of(image_id))


def copy_model(image_id: str, folder: Path) -> None:
    """Copy the model's metadata and golden requests out of an image, which need not run for that."""
    folder.mkdir(parents=True, exist_ok=True)
    container_id = docker("create", image_id)
    try:
        for file in FETCHED_FILES:
            docker("cp", f"{container_id}:{MODEL_IN_IMAGE}/{file}", str(folder / file))
    except ImageError as error:
        raise BadInputError(
            f"image {image_id}: it has no {MODEL_IN_IMAGE}/{file}; `python -m deployment build` makes images that have"
        ) from error
    finally:
        docker("rm", container_id)

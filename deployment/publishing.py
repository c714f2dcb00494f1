"""An image in a registry, under its commit's tag and its branch's; what is deployed from there is its digest."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from deployment.engine import TRANSFER_TIMEOUT_S, docker, find_image, pull_image, revision_of
from deployment.image import ImageError
from deployment.outcomes import BadInputError
from deployment.programs import ProgramError, run_program

LONGEST_TAG = 128
GIT_TIMEOUT_S = 60.0
ABSENT = ("manifest unknown", "not found", "does not exist")


@dataclass(frozen=True)
class Published:
    """An image as its registry has it; `pushed` says whether it had to be sent there."""

    name: str
    digest: str
    tags: tuple[str, ...]
    pushed: bool

    @property
    def image(self) -> str:
        return f"{self.name}@{self.digest}"


@dataclass(frozen=True)
class Tagged:
    """What a registry has under a tag: the manifest's digest, and the id of the image that it is of."""

    digest: str
    image_id: str


def publish(
    image: str, *, tar: Path | None, registry: str, tags: Sequence[str], said: Callable[[str], None]
) -> Published:
    """Put an image under all tags of `<registry>/<its name>`, unless it is there, and return what the registry has.

    The image is loaded from `tar` where the engine does not have it. Raises ImageError where the registry refuses, or
    has something else afterwards.
    """
    image_id = have(image, tar)
    name = name_of(image, registry)
    digests = digests_there(name, tags, image_id)
    pushed = len(digests) != 1
    if pushed:
        for tag in tags:
            said(f"pushing {name}:{tag}")
            push(image_id, f"{name}:{tag}")
        digests = {require_pushed(f"{name}:{tag}", image_id) for tag in tags}
    else:
        said(f"{name}: {' and '.join(tags)} are this image already; nothing is pushed")
    if len(digests) != 1:
        raise ImageError(f"registry: {name} has {' and '.join(sorted(digests))} for one image; publish it again")
    return Published(name, digests.pop(), tuple(tags), pushed)


def name_of(image: str, registry: str) -> str:
    return f"{registry}/{image.partition('@')[0].rpartition('/')[2]}"


def later_revision(name: str, tag: str, commit: str) -> str:
    """Return the commit whose image a tag is of where that comes after `commit`, and nothing elsewhere.

    Only a checkout with its history can tell; without it nothing is taken to be later.
    """
    found = look_up(f"{name}:{tag}")
    revision = revision_of(found.image_id) if found is not None else ""
    if not revision or revision == commit:
        return ""
    try:
        run_program(["git", "merge-base", "--is-ancestor", commit, revision], timeout_s=GIT_TIMEOUT_S)
    except ProgramError:
        return ""
    return revision


def digests_there(name: str, tags: Sequence[str], image_id: str) -> set[str]:
    """Return the digests by which the registry has the image under the tags; none where one of them is not of it.

    A tag is looked up by pulling it, which is cheap where it is of this image: so the first other one ends that.
    """
    digests = set()
    for tag in tags:
        found = look_up(f"{name}:{tag}")
        if found is None or not is_of(found, image_id):
            return set()
        digests.add(found.digest)
    return digests


def have(image: str, tar: Path | None) -> str:
    """Return the id of the image, loaded where the engine does not have it."""
    found = find_image(image)
    if found is None and tar is not None:
        if not tar.is_file():
            raise BadInputError(f"--tar {tar}: there is no such file; `python -m deployment build --tar` writes it")
        docker("load", "--input", str(tar), timeout_s=TRANSFER_TIMEOUT_S)
        found = find_image(image)
    if found is None:
        where = f"and {tar} is not of it" if tar else "and no --tar was given to load it from"
        raise BadInputError(f"--image {image}: the Docker Engine does not have it, {where}")
    return found


def look_up(reference: str) -> Tagged | None:
    """Return what the registry has under a tag; None where it has nothing."""
    try:
        digest = pull_image(reference)
    except ImageError as error:
        if any(each in str(error).lower() for each in ABSENT):
            return None
        raise ImageError(f"{error}\nWhere it wants a login: python -m deployment login --help") from error
    return Tagged(digest, docker("image", "inspect", "--format", "{{.Id}}", reference))


def push(image_id: str, reference: str) -> None:
    docker("tag", image_id, reference)
    docker("push", reference, timeout_s=TRANSFER_TIMEOUT_S)


def require_pushed(reference: str, image_id: str) -> str:
    """Return the digest that the registry has now; raises ImageError where that is not of the image that was tested."""
    found = look_up(reference)
    if found is None or not is_of(found, image_id):
        other = f"image {found.image_id}" if found else "nothing"
        raise ImageError(f"registry: {reference} is {other}, not {image_id}; somebody pushes there too, publish again")
    return found.digest


def is_of(found: Tagged, image_id: str) -> bool:
    """Tell whether a manifest is of an image, whose id is its configuration's digest or, to some engines, its own."""
    return image_id in {found.image_id, found.digest}


def tag_of(branch: str) -> str:
    """Return a branch's name as a tag; raises BadInputError where nothing of it can stand in one."""
    tag = re.sub(r"[^A-Za-z0-9_.-]+", "-", branch).lstrip(".-")[:LONGEST_TAG]
    if not tag:
        raise BadInputError(f"--also-tag {branch!r}: nothing of it can stand in a tag; name another")
    return tag

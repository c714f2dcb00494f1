"""Images by digest: what a reference says, and whether a registry that wants no login has what it names."""

import re
from dataclasses import dataclass

import httpx

from deployment.outcomes import BadInputError, PlatformError

PATH_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
HOST = r"(?:localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|[A-Za-z0-9-]+(?=:))"
REFERENCE = re.compile(
    rf"(?:(?P<host>{HOST})(?P<port>:[0-9]+)?/)?"
    rf"(?P<repository>{PATH_PART}(?:/{PATH_PART})*)(?::[A-Za-z0-9_.-]+)?@(?P<digest>sha256:[0-9a-f]{{64}})"
)
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json"
)
LOOPBACK = frozenset({"localhost", "127.0.0.1"})
TIMEOUT_S = 10.0


@dataclass(frozen=True)
class ImageReference:
    """`host/repository@digest`; host is empty where the reference names no registry."""

    host: str
    repository: str
    digest: str


def read_reference(image: str) -> ImageReference | None:
    """Read a reference; None where it is not by digest."""
    match = REFERENCE.fullmatch(image)
    if match is None:
        return None
    return ImageReference((match["host"] or "") + (match["port"] or ""), match["repository"], match["digest"])


def require_host(text: str) -> str:
    """Return a registry's host; raises BadInputError where it is none."""
    if re.fullmatch(rf"{HOST}(?::[0-9]+)?", text) is None:
        raise BadInputError(f"registry: {text!r} is no host; write it as mine.azurecr.io, without https:// and path")
    return text


def is_here(host: str) -> bool:
    """Tell whether a registry is on this machine."""
    return host.partition(":")[0] in LOOPBACK


def has_manifest(reference: ImageReference) -> bool:
    """Ask a registry, without a login, whether it has an image; raises PlatformError where it does not tell.

    A registry on this machine is asked by plain HTTP, as Docker does.
    """
    on_this_machine = is_here(reference.host)
    url = f"{'http' if on_this_machine else 'https'}://{reference.host}/v2/{reference.repository}/manifests/{reference.digest}"
    try:
        with httpx.Client(timeout=TIMEOUT_S, trust_env=not on_this_machine, follow_redirects=False) as client:
            status = client.head(url, headers={"accept": MANIFESTS}).status_code
    except httpx.HTTPError as error:
        raise PlatformError(f"registry {reference.host}: no answer ({error})") from error
    if status not in (httpx.codes.OK, httpx.codes.NOT_FOUND):
        raise PlatformError(f"registry {reference.host}: it answers {status} to whoever has no login")
    return status == httpx.codes.OK

"""endpoint.yml and deployment.yml, as far as a release depends on what they say; the SDK reads all of them."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import yaml  # type: ignore[import-untyped]  # it ships no type information
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from deployment.endpoint_name import endpoint_name
from deployment.outcomes import BadInputError

# A part of a repository's path, as registries take it.
IMAGE_NAME = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*")


class Manifest(BaseModel):
    """A file, or a part of one; what it does not name is the SDK's business. The defaults are the platform's."""

    model_config = ConfigDict(frozen=True)


class EndpointFile(Manifest):
    """endpoint.yml."""

    name: str
    auth_mode: str = "key"


class RequestSettings(Manifest):
    """How many requests the platform lets through, and for how long."""

    request_timeout_ms: int = 5000
    max_concurrent_requests_per_instance: int = 1


class ProbeSettings(Manifest):
    """When a probe is sent, in seconds, and how many answers decide."""

    initial_delay: int = 10
    period: int = 10
    timeout: int = 2
    success_threshold: int = 1
    failure_threshold: int = 30


class DeploymentFile(Manifest):
    """deployment.yml."""

    name: str
    instance_type: str
    instance_count: int = 1
    request_settings: RequestSettings = RequestSettings()
    liveness_probe: ProbeSettings = ProbeSettings()
    readiness_probe: ProbeSettings = ProbeSettings()


class NamedEnvironment(Manifest):
    """The environment of deployment.yml, after which the image is called."""

    name: str

    @field_validator("name")
    @classmethod
    def require_image_name(cls, name: str) -> str:
        if not IMAGE_NAME.fullmatch(name):
            raise ValueError(
                "the image is called so: take lower case letters and digits, with dots, dashes or underscores between"
            )
        return name


class NamingFile(Manifest):
    """deployment.yml, as far as it names the image."""

    environment: NamedEnvironment


ManifestT = TypeVar("ManifestT", bound=Manifest)


def read_manifest(kind: type[ManifestT], path: Path) -> ManifestT:
    """Read a file; raises BadInputError naming it, the key, its value and what is allowed."""
    try:
        return kind.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInputError(f"{path}: it cannot be read ({error})") from error
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'the file'}: {fault['msg']} (it is {fault['input']!r})"
            for fault in error.errors()
        )
        raise BadInputError(f"{path}: {faults}") from error


def read_endpoint(path: Path, environ: Mapping[str, str]) -> EndpointFile:
    """Read endpoint.yml, with the name that the endpoint has here."""
    found = read_manifest(EndpointFile, path)
    return found.model_copy(update={"name": endpoint_name(found.name, environ)})


def read_image_name(path: Path) -> str:
    """Return what the image is called, here and in a registry; raises BadInputError for what no registry takes."""
    return read_manifest(NamingFile, path).environment.name

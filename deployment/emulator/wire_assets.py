"""The bodies of assets: environments, models and code."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from deployment.emulator.entities import Environment, Files, InferenceRoutes, Route
from deployment.emulator.errors import BadRequestError, NotEmulatedError
from deployment.emulator.wire import Body, check_asset_name, parse, strings


class _Route(Body):
    path: str
    port: Annotated[int, Field(ge=1, le=65535)]


class _InferenceConfig(Body):
    liveness_route: _Route
    readiness_route: _Route
    scoring_route: _Route


class _EnvironmentProperties(Body):
    image: str | None = None
    is_anonymous: bool = False
    is_archived: bool = False
    inference_config: _InferenceConfig | None = None
    description: str | None = None
    tags: dict[str, str | None] | None = None
    build: Any = None
    conda_file: Any = None


class _EnvironmentBody(Body):
    properties: _EnvironmentProperties


class _ModelProperties(Body):
    model_config = ConfigDict(protected_namespaces=())

    model_uri: Annotated[str, Field(min_length=1)]
    model_type: str = "custom_model"
    is_anonymous: bool = False
    is_archived: bool = False
    description: str | None = None
    tags: dict[str, str | None] | None = None
    properties: dict[str, str | None] | None = None


class _ModelBody(Body):
    properties: _ModelProperties


class _CodeProperties(Body):
    code_uri: Annotated[str, Field(min_length=1)]
    is_anonymous: bool = False
    is_archived: bool = False
    description: str | None = None
    tags: dict[str, str | None] | None = None
    properties: dict[str, str | None] | None = None


class _CodeBody(Body):
    properties: _CodeProperties


class _ContainerProperties(Body):
    is_archived: bool


class _ContainerBody(Body):
    properties: _ContainerProperties


def read_environment(name: str, version: str, body: bytes, now: datetime) -> Environment:
    """Read the body of an environment version's PUT; raises BadRequestError or NotEmulatedError."""
    check_asset_name("environment", name, version)
    properties = parse(_EnvironmentBody, body).properties
    if properties.build is not None or properties.conda_file is not None:
        raise NotEmulatedError("building an environment's image (build, condaFile)")
    if not properties.image:
        raise BadRequestError(f"environment '{name}': image is missing")
    config = properties.inference_config
    return Environment(
        name=name,
        version=version,
        image=properties.image,
        is_anonymous=properties.is_anonymous,
        routes=None
        if config is None
        else InferenceRoutes(
            liveness=Route(config.liveness_route.path, config.liveness_route.port),
            readiness=Route(config.readiness_route.path, config.readiness_route.port),
            scoring=Route(config.scoring_route.path, config.scoring_route.port),
        ),
        tags=strings(properties.tags),
        description=properties.description,
        created_at=now,
        is_archived=properties.is_archived,
    )


def read_model(name: str, version: str, body: bytes, now: datetime) -> Files:
    """Read the body of a model version's PUT; raises BadRequestError."""
    properties = parse(_ModelBody, body).properties
    return _files("model", name, version, properties, properties.model_uri, properties.model_type, now)


def read_code(name: str, version: str, body: bytes, now: datetime) -> Files:
    """Read the body of a code version's PUT; raises BadRequestError."""
    properties = parse(_CodeBody, body).properties
    return _files("code", name, version, properties, properties.code_uri, "", now)


def read_archived(body: bytes) -> bool:
    """Read the body of a PUT of a whole asset: whether it is to be archived."""
    return parse(_ContainerBody, body).properties.is_archived


def _files(
    what: str, name: str, version: str, given: _ModelProperties | _CodeProperties, uri: str, kind: str, now: datetime
) -> Files:
    check_asset_name(what, name, version)
    return Files(
        name=name,
        version=version,
        uri=uri,
        kind=kind,
        is_anonymous=given.is_anonymous,
        is_archived=given.is_archived,
        tags=strings(given.tags),
        properties=strings(given.properties),
        description=given.description,
        created_at=now,
    )

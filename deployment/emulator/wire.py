"""What the control plane is sent: request bodies, checked, and turned into what the backend takes."""

import re
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from deployment.emulator.deployments import WantedDeployment
from deployment.emulator.endpoints import WantedEndpoint
from deployment.emulator.entities import Environment, InferenceRoutes, ProbeSettings, RequestSettings, Route
from deployment.emulator.errors import BadRequestError, NotEmulatedError

ENVIRONMENT_ID = re.compile(r".*/environments/(?P<name>[^/]+)/versions/(?P<version>[^/]+)")
MAX_REQUEST_TIMEOUT_S = 180


class _Body(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, frozen=True)


BodyT = TypeVar("BodyT", bound=_Body)


class _EndpointProperties(_Body):
    auth_mode: str
    description: str | None = None
    public_network_access: str = "Enabled"
    properties: dict[str, str] | None = None
    traffic: dict[str, int] | None = None
    mirror_traffic: dict[str, int] | None = None


class _Identity(_Body):
    type: str = "SystemAssigned"


class _EndpointBody(_Body):
    properties: _EndpointProperties
    identity: _Identity | None = None
    tags: dict[str, str] | None = None


class _RequestSettings(_Body):
    request_timeout: timedelta = timedelta(seconds=5)
    max_concurrent_requests_per_instance: Annotated[int, Field(ge=1)] = 1
    max_queue_wait: timedelta = timedelta()


class _Probe(_Body):
    initial_delay: timedelta = timedelta(seconds=10)
    period: Annotated[timedelta, Field(gt=timedelta())] = timedelta(seconds=10)
    timeout: Annotated[timedelta, Field(gt=timedelta())] = timedelta(seconds=2)
    success_threshold: Annotated[int, Field(ge=1)] = 1
    failure_threshold: Annotated[int, Field(ge=1)] = 30


class _DeploymentProperties(_Body):
    environment_id: str | None = None
    endpoint_compute_type: str = "Managed"
    instance_type: str
    environment_variables: dict[str, str] | None = None
    request_settings: _RequestSettings | None = None
    liveness_probe: _Probe | None = None
    readiness_probe: _Probe | None = None
    description: str | None = None
    properties: dict[str, str] | None = None
    egress_public_network_access: str = "Enabled"
    app_insights_enabled: bool | None = None
    scale_settings: dict[str, Any] | None = None
    # Asked for by name so that they are refused by name.
    model: Any = None
    code_configuration: Any = None
    model_mount_path: Any = None
    data_collector: Any = None


class _Sku(_Body):
    capacity: Annotated[int, Field(ge=1)] = 1


class _DeploymentBody(_Body):
    properties: _DeploymentProperties
    sku: _Sku = _Sku()
    tags: dict[str, str] | None = None


class _Route(_Body):
    path: str
    port: Annotated[int, Field(ge=1, le=65535)]


class _InferenceConfig(_Body):
    liveness_route: _Route
    readiness_route: _Route
    scoring_route: _Route


class _EnvironmentProperties(_Body):
    image: str | None = None
    is_anonymous: bool = False
    inference_config: _InferenceConfig | None = None
    description: str | None = None
    tags: dict[str, str] | None = None
    build: Any = None
    conda_file: Any = None


class _EnvironmentBody(_Body):
    properties: _EnvironmentProperties


class _KeyBody(_Body):
    key_type: Literal["Primary", "Secondary"]


class _LogsBody(_Body):
    container_type: Literal["StorageInitializer", "InferenceServer"] | None = None
    tail: Annotated[int, Field(ge=0)] = 500


def read_endpoint(name: str, body: bytes) -> WantedEndpoint:
    """Read the body of an endpoint's PUT; raises BadRequestError or NotEmulatedError."""
    wanted = _parse(_EndpointBody, body)
    properties = wanted.properties
    if properties.auth_mode.lower() != "key":
        raise NotEmulatedError(f"authMode {properties.auth_mode}")
    if any((properties.mirror_traffic or {}).values()):
        raise NotEmulatedError("mirrorTraffic")
    return WantedEndpoint(
        name=name,
        tags=wanted.tags or {},
        description=properties.description,
        identity_type=(wanted.identity or _Identity()).type,
        public_network_access=properties.public_network_access,
        properties=properties.properties or {},
        traffic=properties.traffic or {},
    )


def read_deployment(endpoint_name: str, name: str, body: bytes) -> WantedDeployment:
    """Read the body of a deployment's PUT; raises BadRequestError or NotEmulatedError."""
    wanted = _parse(_DeploymentBody, body)
    properties = wanted.properties
    _refuse_what_is_not_emulated(wanted)
    environment = ENVIRONMENT_ID.fullmatch(properties.environment_id or "")
    if environment is None:
        raise BadRequestError(f"deployment '{name}': environmentId is not the ARM id of an environment's version")
    settings = properties.request_settings or _RequestSettings()
    if settings.request_timeout.total_seconds() > MAX_REQUEST_TIMEOUT_S:
        raise BadRequestError(
            f"deployment '{name}': requestTimeout is too long ({settings.request_timeout.total_seconds():g} s"
            f" vs {MAX_REQUEST_TIMEOUT_S} s)"
        )
    return WantedDeployment(
        endpoint_name=endpoint_name,
        name=name,
        environment_name=environment["name"],
        environment_version=environment["version"],
        environment_variables=properties.environment_variables or {},
        request_settings=RequestSettings(
            request_timeout_s=settings.request_timeout.total_seconds(),
            max_concurrent_requests_per_instance=settings.max_concurrent_requests_per_instance,
            max_queue_wait_s=settings.max_queue_wait.total_seconds(),
        ),
        liveness_probe=_probe(properties.liveness_probe),
        readiness_probe=_probe(properties.readiness_probe),
        instance_type=properties.instance_type,
        instance_count=wanted.sku.capacity,
        tags=wanted.tags or {},
        description=properties.description,
        properties=properties.properties or {},
        egress_public_network_access=properties.egress_public_network_access,
    )


def read_environment(name: str, version: str, body: bytes, now: datetime) -> Environment:
    """Read the body of an environment version's PUT; raises BadRequestError or NotEmulatedError."""
    properties = _parse(_EnvironmentBody, body).properties
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
        tags=properties.tags or {},
        description=properties.description,
        created_at=now,
    )


def read_primary_key_wanted(body: bytes) -> bool:
    """Read the body of regenerateKeys: whether the primary key is meant."""
    return _parse(_KeyBody, body).key_type == "Primary"


def read_logs_wanted(body: bytes) -> tuple[bool, int]:
    """Read the body of getLogs: whether the inference server's log is meant, and how many lines of it."""
    wanted = _parse(_LogsBody, body)
    return wanted.container_type != "StorageInitializer", wanted.tail


def _parse(model: type[BodyT], body: bytes) -> BodyT:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        faults = [f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors()]
        raise BadRequestError("; ".join(faults), code="InvalidRequestContent") from error


def _refuse_what_is_not_emulated(wanted: _DeploymentBody) -> None:
    properties = wanted.properties
    refused = {
        "model": properties.model is not None,
        "codeConfiguration": properties.code_configuration is not None,
        "modelMountPath": properties.model_mount_path is not None,
        "dataCollector": properties.data_collector is not None,
        "appInsightsEnabled": bool(properties.app_insights_enabled),
        f"endpointComputeType {properties.endpoint_compute_type}": properties.endpoint_compute_type != "Managed",
        "autoscale (scaleSettings)": (properties.scale_settings or {}).get("scaleType", "Default") != "Default",
    }
    for feature, is_asked_for in refused.items():
        if is_asked_for:
            raise NotEmulatedError(f"{feature} of a deployment")


def _probe(probe: _Probe | None) -> ProbeSettings:
    wanted = probe or _Probe()
    return ProbeSettings(
        initial_delay_s=wanted.initial_delay.total_seconds(),
        period_s=wanted.period.total_seconds(),
        timeout_s=wanted.timeout.total_seconds(),
        success_threshold=wanted.success_threshold,
        failure_threshold=wanted.failure_threshold,
    )

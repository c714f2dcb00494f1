"""The bodies of endpoints and deployments."""

import re
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator

from deployment.emulator.deployments import WantedDeployment
from deployment.emulator.entities import AuthMode, EndpointSettings, ProbeSettings, RequestSettings
from deployment.emulator.errors import BadRequestError, NotEmulatedError
from deployment.emulator.wire import Body, parse, strings

ENVIRONMENT_ID = re.compile(r".*/environments/(?P<name>[^/]+)/versions/(?P<version>[^/]+)")
MAX_REQUEST_TIMEOUT_S = 180


def _inside(path: str) -> str:
    if not path or path.startswith("/") or ".." in PurePosixPath(path).parts or "\0" in path:
        raise ValueError("not a relative path within the folder")
    return path


def _absolute(path: str) -> str:
    if not path.startswith("/") or ".." in PurePosixPath(path).parts or "\0" in path or ":" in path:
        raise ValueError("not an absolute path")
    return path


class _EndpointProperties(Body):
    auth_mode: AuthMode
    description: str | None = None
    public_network_access: str = "Enabled"
    properties: dict[str, str | None] | None = None
    traffic: dict[str, int] | None = None
    mirror_traffic: dict[str, int] | None = None


class _Identity(Body):
    type: Literal["SystemAssigned", "UserAssigned", "SystemAssigned,UserAssigned", "None"] = "SystemAssigned"
    user_assigned_identities: dict[str, Any] | None = None

    @field_validator("type", mode="before")
    @classmethod
    def _without_spaces(cls, value: Any) -> Any:
        return value.replace(" ", "") if isinstance(value, str) else value


class _EndpointBody(Body):
    properties: _EndpointProperties
    identity: _Identity | None = None
    tags: dict[str, str | None] | None = None


class _RequestSettings(Body):
    request_timeout: Annotated[timedelta, Field(gt=timedelta())] = timedelta(seconds=5)
    max_concurrent_requests_per_instance: Annotated[int, Field(ge=1)] = 1
    max_queue_wait: Annotated[timedelta, Field(ge=timedelta())] = timedelta()


class _Probe(Body):
    initial_delay: Annotated[timedelta, Field(ge=timedelta(seconds=1))] = timedelta(seconds=10)
    period: Annotated[timedelta, Field(gt=timedelta())] = timedelta(seconds=10)
    timeout: Annotated[timedelta, Field(ge=timedelta(seconds=1))] = timedelta(seconds=2)
    success_threshold: Annotated[int, Field(ge=1)] = 1
    failure_threshold: Annotated[int, Field(ge=1)] = 30


class _LivenessProbe(_Probe):
    success_threshold: Literal[1] = 1


class _CodeConfiguration(Body):
    code_id: str | None = None
    scoring_script: Annotated[str, AfterValidator(_inside)]


class _DeploymentProperties(Body):
    environment_id: str | None = None
    endpoint_compute_type: str = "Managed"
    instance_type: str
    environment_variables: dict[str, str | None] | None = None
    request_settings: _RequestSettings | None = None
    liveness_probe: _LivenessProbe | None = None
    readiness_probe: _Probe | None = None
    description: str | None = None
    properties: dict[str, str | None] | None = None
    egress_public_network_access: str = "Enabled"
    app_insights_enabled: bool | None = None
    scale_settings: dict[str, Any] | None = None
    model: str | None = None
    model_mount_path: Annotated[str, AfterValidator(_absolute)] | None = None
    code_configuration: _CodeConfiguration | None = None
    # Asked for by name so that it is refused by name.
    data_collector: Any = None


class _Sku(Body):
    capacity: Annotated[int, Field(ge=1)] = 1


class _DeploymentBody(Body):
    properties: _DeploymentProperties
    sku: _Sku = _Sku()
    tags: dict[str, str | None] | None = None


class _KeyBody(Body):
    key_type: Literal["Primary", "Secondary"]


class _LogsBody(Body):
    container_type: Literal["StorageInitializer", "InferenceServer"] | None = None
    tail: Annotated[int, Field(ge=0, lt=2**31)] = 500


def read_endpoint(name: str, body: bytes) -> EndpointSettings:
    """Read the body of an endpoint's PUT; raises BadRequestError."""
    wanted = parse(_EndpointBody, body)
    properties = wanted.properties
    identity = wanted.identity or _Identity()
    return EndpointSettings(
        name=name,
        auth_mode=properties.auth_mode,
        tags=strings(wanted.tags),
        description=properties.description,
        identity_type=identity.type,
        identity_ids=tuple(sorted(identity.user_assigned_identities or {})),
        public_network_access=properties.public_network_access,
        properties=strings(properties.properties),
        traffic=properties.traffic or {},
        mirror_traffic=properties.mirror_traffic or {},
    )


def read_deployment(endpoint_name: str, name: str, body: bytes) -> WantedDeployment:
    """Read the body of a deployment's PUT; raises BadRequestError or NotEmulatedError."""
    wanted = parse(_DeploymentBody, body)
    properties = wanted.properties
    _refuse_what_is_not_emulated(wanted)
    environment = ENVIRONMENT_ID.fullmatch(properties.environment_id or "")
    if environment is None:
        raise BadRequestError(f"deployment '{name}': environmentId is not the ARM id of an environment's version")
    code = properties.code_configuration
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
        environment_variables=strings(properties.environment_variables),
        request_settings=RequestSettings(
            request_timeout_s=settings.request_timeout.total_seconds(),
            max_concurrent_requests_per_instance=settings.max_concurrent_requests_per_instance,
            max_queue_wait_s=settings.max_queue_wait.total_seconds(),
        ),
        liveness_probe=_probe(properties.liveness_probe),
        readiness_probe=_probe(properties.readiness_probe),
        instance_type=properties.instance_type,
        instance_count=wanted.sku.capacity,
        tags=strings(wanted.tags),
        description=properties.description,
        properties=strings(properties.properties),
        egress_public_network_access=properties.egress_public_network_access,
        model_id=properties.model,
        model_mount_path=properties.model_mount_path,
        code_id=None if code is None else code.code_id,
        entry_script=None if code is None else code.scoring_script,
    )


def read_primary_key_wanted(body: bytes) -> bool:
    """Read the body of regenerateKeys: whether the primary key is meant."""
    return parse(_KeyBody, body).key_type == "Primary"


def read_logs_wanted(body: bytes) -> tuple[bool, int]:
    """Read the body of getLogs: whether the inference server's log is meant, and how many lines of it."""
    wanted = parse(_LogsBody, body)
    return wanted.container_type != "StorageInitializer", wanted.tail


def _refuse_what_is_not_emulated(wanted: _DeploymentBody) -> None:
    properties = wanted.properties
    refused = {
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

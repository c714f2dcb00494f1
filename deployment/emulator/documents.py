"""What the control plane answers: resources as ARM documents."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deployment.emulator.entities import (
    Deployment,
    Endpoint,
    Environment,
    InferenceRoutes,
    Operation,
    OperationStatus,
    ProbeSettings,
    Route,
    Workspace,
)
from deployment.emulator.errors import AzureError
from deployment.emulator.provisioning import wire_state

Document = dict[str, Any]
PROVIDER = "Microsoft.MachineLearningServices/workspaces"


@dataclass(frozen=True, slots=True)
class Documents:
    """Writes resources as ARM documents; the two base URLs have no slash at their end."""

    workspace: Workspace
    control_url: str
    data_url: str

    def cloud(self) -> Document:
        """Describe this cloud, as `/metadata/endpoints` lists it."""
        url = self.control_url
        return {
            "name": "LocalAzureML",
            "portal": f"{url}/portal/",
            "authentication": {
                "loginEndpoint": f"{url}/",
                "audiences": [f"{url}/"],
                "tenant": "common",
                "identityProvider": "AAD",
            },
            "graphAudience": url,
            "graph": url,
            "resourceManager": f"{url}/",
            "suffixes": {
                "storage": "core.localazureml",
                "keyVaultDns": "vault.localazureml",
                "acrLoginServer": "acr.localazureml",
            },
        }

    def workspace_document(self) -> Document:
        """Describe the workspace."""
        workspace = self.workspace
        return {
            "id": workspace.arm_id,
            "name": workspace.name,
            "type": PROVIDER,
            "location": workspace.location,
            "tags": {},
            "kind": "Default",
            "identity": self._identity("SystemAssigned", workspace.arm_id),
            "sku": {"name": "Basic", "tier": "Basic"},
            "properties": {
                "friendlyName": workspace.name,
                "workspaceId": workspace.workspace_id,
                "provisioningState": "Succeeded",
                "discoveryUrl": f"{self.control_url}/discovery",
                "publicNetworkAccess": "Enabled",
                "hbiWorkspace": False,
            },
        }

    def endpoint(self, endpoint: Endpoint, scoring_path: str) -> Document:
        """Describe an endpoint; its keys are never in it."""
        arm_id = f"{self.workspace.arm_id}/onlineEndpoints/{endpoint.name}"
        url = f"{self.data_url}/endpoints/{endpoint.name}"
        return {
            "id": arm_id,
            "name": endpoint.name,
            "type": f"{PROVIDER}/onlineEndpoints",
            "location": self.workspace.location,
            "tags": dict(endpoint.tags),
            "kind": "Managed",
            "identity": self._identity(endpoint.identity_type, arm_id),
            "systemData": _system_data(endpoint.created_at, endpoint.modified_at),
            "properties": {
                "authMode": "Key",
                "description": endpoint.description,
                "publicNetworkAccess": endpoint.public_network_access,
                "properties": {
                    **endpoint.properties,
                    "AzureAsyncOperationUri": self.operation_url("mfeOperationsStatus", endpoint.operation_id),
                },
                "scoringUri": url + scoring_path,
                "swaggerUri": f"{url}/swagger.json",
                "traffic": dict(endpoint.traffic),
                "mirrorTraffic": {},
                "compute": None,
                "provisioningState": wire_state(endpoint.state),
            },
        }

    def deployment(self, deployment: Deployment) -> Document:
        """Describe a deployment."""
        settings = deployment.request_settings
        workspace_id = self.workspace.arm_id
        return {
            "id": f"{workspace_id}/onlineEndpoints/{deployment.endpoint_name}/deployments/{deployment.name}",
            "name": deployment.name,
            "type": f"{PROVIDER}/onlineEndpoints/deployments",
            "location": self.workspace.location,
            "tags": dict(deployment.tags),
            "sku": {"name": "Default", "capacity": deployment.instance_count},
            "kind": "Managed",
            "systemData": _system_data(deployment.created_at, deployment.modified_at),
            "properties": {
                "environmentId": self.environment_id(deployment.environment),
                "properties": {
                    **deployment.properties,
                    "AzureAsyncOperationUri": self.operation_url("mfeOperationsStatus", deployment.operation_id),
                },
                "environmentVariables": dict(deployment.environment_variables),
                "appInsightsEnabled": False,
                "description": deployment.description,
                "requestSettings": {
                    "maxConcurrentRequestsPerInstance": settings.max_concurrent_requests_per_instance,
                    "requestTimeout": _duration(settings.request_timeout_s),
                    "maxQueueWait": _duration(settings.max_queue_wait_s),
                },
                "livenessProbe": _probe(deployment.liveness_probe),
                "readinessProbe": _probe(deployment.readiness_probe),
                "instanceType": deployment.instance_type,
                "endpointComputeType": "Managed",
                "scaleSettings": {"scaleType": "Default"},
                "egressPublicNetworkAccess": deployment.egress_public_network_access,
                "provisioningState": wire_state(deployment.state),
            },
        }

    def environment_id(self, environment: Environment) -> str:
        """Answer the ARM id of an environment's version."""
        return f"{self.workspace.arm_id}/environments/{environment.name}/versions/{environment.version}"

    def environment(self, environment: Environment) -> Document:
        """Describe a version of an environment."""
        return {
            "id": self.environment_id(environment),
            "name": environment.version,
            "type": f"{PROVIDER}/environments/versions",
            "systemData": _system_data(environment.created_at, environment.created_at),
            "properties": {
                "description": environment.description,
                "tags": dict(environment.tags),
                "properties": {},
                "image": environment.image,
                "isAnonymous": environment.is_anonymous,
                "isArchived": False,
                "inferenceConfig": None if environment.routes is None else _routes(environment.routes),
                "osType": "Linux",
                "environmentType": "UserCreated",
            },
        }

    def environment_container(self, versions: list[Environment]) -> Document:
        """Describe an environment by its versions, the newest last."""
        newest = versions[-1]
        numbers = [int(each.version) for each in versions if each.version.isdigit()]
        return {
            "id": f"{self.workspace.arm_id}/environments/{newest.name}",
            "name": newest.name,
            "type": f"{PROVIDER}/environments",
            "systemData": _system_data(versions[0].created_at, newest.created_at),
            "properties": {
                "description": newest.description,
                "tags": dict(newest.tags),
                "properties": {},
                "isArchived": False,
                "latestVersion": newest.version,
                "nextVersion": str(max(numbers, default=0) + 1),
            },
        }

    def operation(self, operation: Operation) -> Document:
        """Describe a long-running operation; the SDK raises the error it finds here."""
        document: Document = {
            "id": f"{self.workspace.location_id}/mfeOperationsStatus/{operation.id}",
            "name": operation.id,
            "status": operation.status.value,
            "startTime": _time(operation.started_at),
        }
        if operation.ended_at is not None:
            document["endTime"] = _time(operation.ended_at)
        if operation.status in (OperationStatus.FAILED, OperationStatus.CANCELED):
            document["error"] = error_body(operation.error_code, operation.error_message)
        return document

    def operation_url(self, kind: str, operation_id: str) -> str:
        """Answer where an operation is asked for; kind is mfeOperationsStatus or mfeOperationResults."""
        return f"{self.control_url}{self.workspace.location_id}/{kind}/{operation_id}?api-version=2023-04-01-preview"

    def _identity(self, identity_type: str, arm_id: str) -> Document:
        principal = uuid.uuid5(uuid.NAMESPACE_URL, arm_id)
        return {"type": identity_type, "principalId": str(principal), "tenantId": str(uuid.UUID(int=0))}


def error_document(error: AzureError) -> Document:
    """Answer Azure's error document."""
    return {"error": error_body(error.code, error.message)}


def error_body(code: str, message: str) -> Document:
    """Answer what stands under `error`."""
    return {"code": code, "message": message, "details": [], "additionalInfo": []}


def _probe(probe: ProbeSettings) -> Document:
    return {
        "initialDelay": _duration(probe.initial_delay_s),
        "period": _duration(probe.period_s),
        "timeout": _duration(probe.timeout_s),
        "successThreshold": probe.success_threshold,
        "failureThreshold": probe.failure_threshold,
    }


def _routes(routes: InferenceRoutes) -> Document:
    def route(each: Route) -> Document:
        return {"path": each.path, "port": each.port}

    return {
        "livenessRoute": route(routes.liveness),
        "readinessRoute": route(routes.readiness),
        "scoringRoute": route(routes.scoring),
    }


def _duration(seconds: float) -> str:
    return f"PT{seconds:g}S"


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")


def _system_data(created_at: datetime, modified_at: datetime) -> Document:
    who = {"createdBy": "local", "createdByType": "Application"}
    return {**who, "createdAt": _time(created_at), "lastModifiedAt": _time(modified_at)}

"""What the control plane answers: resources as ARM documents."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deployment.emulator.entities import (
    Deployment,
    Endpoint,
    Environment,
    Files,
    Operation,
    OperationStatus,
    ProbeSettings,
    Workspace,
)
from deployment.emulator.errors import AzureError
from deployment.emulator.principals import endpoint_id, principal_id
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

    def workspace_document(self, registry_id: str) -> Document:
        """Describe the workspace; registry_id is its own registry's."""
        workspace = self.workspace
        return {
            "id": workspace.arm_id,
            "name": workspace.name,
            "type": PROVIDER,
            "location": workspace.location,
            "tags": {},
            "kind": "Default",
            "identity": identity("SystemAssigned", workspace.arm_id),
            "sku": {"name": "Basic", "tier": "Basic"},
            "properties": {
                "friendlyName": workspace.name,
                "workspaceId": workspace.workspace_id,
                "containerRegistry": registry_id,
                "provisioningState": "Succeeded",
                "discoveryUrl": f"{self.control_url}/discovery",
                "publicNetworkAccess": "Enabled",
                "hbiWorkspace": False,
            },
        }

    def endpoint(self, endpoint: Endpoint, scoring_path: str) -> Document:
        """Describe an endpoint; its keys are never in it."""
        arm_id = endpoint_id(self.workspace, endpoint.name)
        url = f"{self.data_url}/endpoints/{endpoint.name}"
        return {
            "id": arm_id,
            "name": endpoint.name,
            "type": f"{PROVIDER}/onlineEndpoints",
            "location": self.workspace.location,
            "tags": dict(endpoint.tags),
            "kind": "Managed",
            "identity": identity(endpoint.identity_type, arm_id, endpoint.identity_ids),
            "systemData": system_data(endpoint.created_at, endpoint.modified_at),
            "properties": {
                "authMode": endpoint.auth_mode.value,
                "description": endpoint.description,
                "publicNetworkAccess": endpoint.public_network_access,
                "properties": {
                    **endpoint.properties,
                    "AzureAsyncOperationUri": self.operation_url("mfeOperationsStatus", endpoint.operation_id),
                },
                "scoringUri": url + scoring_path,
                "swaggerUri": f"{url}/swagger.json",
                "traffic": dict(endpoint.traffic),
                "mirrorTraffic": dict(endpoint.mirror_traffic),
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
            "systemData": system_data(deployment.created_at, deployment.modified_at),
            "properties": {
                "environmentId": version_id(self.workspace, "environments", deployment.environment),
                "model": deployment.model_id,
                "modelMountPath": deployment.model_mount_path,
                "codeConfiguration": _code(deployment),
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


def identity(identity_type: str, arm_id: str, identity_ids: tuple[str, ...] = ()) -> Document:
    """Describe the identity of a resource; the ids of its principals follow from its own."""
    document: Document = {"type": identity_type}
    if "SystemAssigned" in identity_type:
        document |= {"principalId": principal_id(arm_id), "tenantId": str(uuid.UUID(int=0))}
    if identity_ids:
        document["userAssignedIdentities"] = {
            each: {"principalId": principal_id(each), "clientId": principal_id(f"{each}/client")}
            for each in identity_ids
        }
    return document


def version_id(workspace: Workspace, kind: str, asset: Environment | Files) -> str:
    """Answer the ARM id of a version of an asset; kind as in the path, e.g. `models`."""
    return f"{workspace.arm_id}/{kind}/{asset.name}/versions/{asset.version}"


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


def _code(deployment: Deployment) -> Document | None:
    if deployment.entry_script is None:
        return None
    return {"codeId": deployment.code_id, "scoringScript": deployment.entry_script}


def _duration(seconds: float) -> str:
    return f"PT{seconds:g}S"


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")


def system_data(created_at: datetime, modified_at: datetime) -> Document:
    """Describe when a resource was made and changed."""
    who = {"createdBy": "local", "createdByType": "Application"}
    return {**who, "createdAt": _time(created_at), "lastModifiedAt": _time(modified_at)}

"""Who an endpoint is to the rest of the cloud: the principals of its identity."""

import uuid

from deployment.emulator.entities import EndpointSettings, Workspace


def principal_id(resource_id: str) -> str:
    """Answer the id of a resource's principal, which follows from the resource's own."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, resource_id))


def system_principal(workspace: Workspace, endpoint: EndpointSettings) -> str | None:
    """Answer the principal that the platform made for the endpoint; None where it was not to make one."""
    if "SystemAssigned" not in endpoint.identity_type:
        return None
    return principal_id(endpoint_id(workspace, endpoint.name))


def user_principals(endpoint: EndpointSettings) -> frozenset[str]:
    """Answer the principals that somebody else made and gave to the endpoint."""
    return frozenset(principal_id(each) for each in endpoint.identity_ids)


def endpoint_id(workspace: Workspace, name: str) -> str:
    """Answer the ARM id of an endpoint."""
    return f"{workspace.arm_id}/onlineEndpoints/{name}"

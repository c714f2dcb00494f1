"""What the control plane answers about the subscription: quota, sizes of machine, registries, role assignments."""

from dataclasses import dataclass

from deployment.emulator.documents import Document
from deployment.emulator.entities import Workspace
from deployment.emulator.quota import NO_LIMIT, CoreQuota
from deployment.emulator.registries import Registry, RoleAssignment
from deployment.emulator.skus import FAMILIES, Sku

PROVIDER = "Microsoft.MachineLearningServices"
REGISTRIES = "Microsoft.ContainerRegistry/registries"
ROLES = "Microsoft.Authorization"


@dataclass(frozen=True, slots=True)
class SubscriptionDocuments:
    """Writes what belongs to the workspace's subscription as ARM documents."""

    workspace: Workspace

    def usages(self, quota: CoreQuota) -> list[Document]:
        """Describe the cores of the one pool: of the region, and again under each family of machines."""
        total = ("totalDedicatedCores", "TotalDedicatedCores", "Total Cluster Dedicated Regional vCPUs")
        families = [("vmFamily/dedicatedCores", each.name, each.localized_name) for each in FAMILIES]
        return [self._usage(quota, *each) for each in (total, *families)]

    def size(self, sku: Sku) -> Document:
        """Describe a size of machine."""
        return {
            "name": sku.name,
            "family": sku.family.name,
            "vCPUs": sku.cores,
            "gpus": 0,
            "memoryGB": sku.memory_gib,
            "lowPriorityCapable": True,
            "premiumIO": True,
            "supportedComputeTypes": ["AmlCompute", "ComputeInstance", "MIR"],
        }

    def registry(self, registry: Registry) -> Document:
        """Describe a registry."""
        return {
            "id": self.registry_id(registry.name),
            "name": registry.name,
            "type": REGISTRIES,
            "location": self.workspace.location,
            "tags": {},
            "sku": {"name": "Basic", "tier": "Basic"},
            "properties": {
                "loginServer": registry.login_server,
                "provisioningState": "Succeeded",
                "adminUserEnabled": False,
            },
        }

    def role_assignment(self, assignment: RoleAssignment) -> Document:
        """Describe a role assignment."""
        scope = self.registry_id(assignment.registry)
        definitions = f"/subscriptions/{self.workspace.subscription_id}/providers/{ROLES}/roleDefinitions"
        return {
            "id": f"{scope}/providers/{ROLES}/roleAssignments/{assignment.name}",
            "name": assignment.name,
            "type": f"{ROLES}/roleAssignments",
            "properties": {
                "roleDefinitionId": f"{definitions}/{assignment.role}",
                "principalId": assignment.principal_id,
                "principalType": "ServicePrincipal",
                "scope": scope,
            },
        }

    def registry_id(self, name: str) -> str:
        """Answer the ARM id of a registry."""
        return f"{self.workspace.group_id}/providers/{REGISTRIES}/{name}"

    def _usage(self, quota: CoreQuota, kind: str, name: str, localized_name: str) -> Document:
        return {
            "id": f"{self.workspace.location_id}/usages/{name}",
            "type": f"{PROVIDER}/{kind}/usages",
            "unit": "Count",
            "currentValue": quota.taken(),
            "limit": NO_LIMIT if quota.cores is None else quota.cores,
            "name": {"value": name, "localizedValue": localized_name},
        }

"""The workspace's quota of cores, of which the platform takes a fifth more than the instances have."""

from deployment.emulator.entities import DeploymentSettings
from deployment.emulator.errors import BadRequestError
from deployment.emulator.skus import sku_named
from deployment.emulator.store import Store

# How Azure writes that a quota has no limit of its own.
NO_LIMIT = -1


def cores_taken(instance_type: str, instance_count: int) -> int:
    """Answer ceil(1.2 x instances) x cores."""
    return -(-6 * instance_count // 5) * sku_named(instance_type).cores


class CoreQuota:
    """Counts the cores of every deployment that exists, a failed or leaving one too; None is no limit."""

    def __init__(self, store: Store, cores: int | None) -> None:
        self._store = store
        self.cores = cores

    def taken(self, *, without: str = "") -> int:
        """Answer the cores that all deployments take, but for the one that is named."""
        return sum(
            cores_taken(each.instance_type, each.instance_count)
            for endpoint in self._store.endpoints()
            for each in self._store.deployments(endpoint.name)
            if each.resource != without
        )

    def check(self, wanted: DeploymentSettings) -> None:
        """Raise BadRequestError when the deployment does not fit in what the others leave."""
        if self.cores is None:
            return
        requested, taken = cores_taken(wanted.instance_type, wanted.instance_count), self.taken(without=wanted.resource)
        if taken + requested > self.cores:
            raise BadRequestError(
                f"The amount of CPU quota requested is {requested} and your maximum amount of quota is"
                f" [{self.cores - taken}]; ask for fewer or smaller instances, or delete a deployment",
                code="OutOfQuota",
            )

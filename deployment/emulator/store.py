"""Everything the emulator remembers of the control plane, behind one object."""

from deployment.emulator.entities import Deployment, Endpoint, Environment, Operation


class Store:
    """Holds endpoints, deployments, environments and operations in memory.

    Values are immutable: reading never sees a change made later, saving replaces the whole value.
    """

    def __init__(self) -> None:
        self._endpoints: dict[str, Endpoint] = {}
        self._deployments: dict[tuple[str, str], Deployment] = {}
        self._environments: dict[tuple[str, str], Environment] = {}
        self._operations: dict[str, Operation] = {}

    def endpoint(self, name: str) -> Endpoint | None:
        """Answer the endpoint of that name."""
        return self._endpoints.get(name)

    def endpoints(self) -> list[Endpoint]:
        """Answer all endpoints by name."""
        return sorted(self._endpoints.values(), key=lambda endpoint: endpoint.name)

    def save_endpoint(self, endpoint: Endpoint) -> None:
        """Insert or replace an endpoint."""
        self._endpoints[endpoint.name] = endpoint

    def remove_endpoint(self, name: str) -> None:
        """Forget an endpoint; one that is absent stays absent."""
        self._endpoints.pop(name, None)

    def deployment(self, endpoint_name: str, name: str) -> Deployment | None:
        """Answer the deployment of that name."""
        return self._deployments.get((endpoint_name, name))

    def deployments(self, endpoint_name: str) -> list[Deployment]:
        """Answer an endpoint's deployments by name."""
        found = [value for (endpoint, _), value in self._deployments.items() if endpoint == endpoint_name]
        return sorted(found, key=lambda deployment: deployment.name)

    def save_deployment(self, deployment: Deployment) -> None:
        """Insert or replace a deployment."""
        self._deployments[(deployment.endpoint_name, deployment.name)] = deployment

    def remove_deployment(self, endpoint_name: str, name: str) -> None:
        """Forget a deployment; one that is absent stays absent."""
        self._deployments.pop((endpoint_name, name), None)

    def environment(self, name: str, version: str) -> Environment | None:
        """Answer that version of an environment."""
        return self._environments.get((name, version))

    def environments(self, name: str) -> list[Environment]:
        """Answer all versions of an environment, the newest last."""
        found = [value for (known, _), value in self._environments.items() if known == name]
        return sorted(found, key=lambda environment: environment.created_at)

    def save_environment(self, environment: Environment) -> None:
        """Insert or replace a version of an environment."""
        self._environments[(environment.name, environment.version)] = environment

    def operation(self, operation_id: str) -> Operation | None:
        """Answer the operation of that id."""
        return self._operations.get(operation_id)

    def save_operation(self, operation: Operation) -> None:
        """Insert or replace an operation."""
        self._operations[operation.id] = operation

"""The subscription's container registries, and who may pull from them: role assignments."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace

from deployment.emulator.containers import registry_of
from deployment.emulator.entities import Deployment, Workspace
from deployment.emulator.errors import ConflictError, ImagePullError, NotFoundError
from deployment.emulator.principals import system_principal, user_principals
from deployment.emulator.store import Store

ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
ACR_SUFFIX = ".azurecr.io"


class RegistryNameError(Exception):
    """Two registries would have one name."""


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry of the subscription, found by the host that image references begin with."""

    name: str
    login_server: str


@dataclass(frozen=True, slots=True)
class RoleAssignment:
    """What a principal may do on a registry; role is the GUID of the role's definition."""

    registry: str
    name: str
    role: str
    principal_id: str


class Registries:
    """The workspace's own registry first, then the others of the subscription.

    The platform lets the principal that it makes for an endpoint pull from the workspace's own registry; anything else
    has to be granted.
    """

    def __init__(self, store: Store, workspace: Workspace, own: str | None = None, foreign: Sequence[str] = ()) -> None:
        self._store = store
        self._workspace = workspace
        self.own = Registry(workspace.name, own or f"{workspace.name}{ACR_SUFFIX}")
        others = [Registry(_name(host), host) for host in dict.fromkeys(foreign) if host != self.own.login_server]
        self._all = {registry.name: registry for registry in (self.own, *others)}
        if len(self._all) <= len(others):
            hosts = ", ".join([self.own.login_server, *foreign])
            raise RegistryNameError(
                f"registries: two of {hosts} get the same name, which is made of letters and digits"
            )
        self._granted = store.collection("roleAssignments", RoleAssignment, lambda each: (each.registry, each.name))

    def all(self) -> list[Registry]:
        """Answer all registries."""
        return list(self._all.values())

    def get(self, name: str) -> Registry:
        """Answer the registry of that name, or raise NotFoundError."""
        registry = self._all.get(name)
        if registry is None:
            raise NotFoundError(f"Registry '{name}' not found.")
        return registry

    def assignments(self, registry_name: str) -> list[RoleAssignment]:
        """Answer who may do what on a registry, what the platform granted first; raises NotFoundError."""
        registry = self.get(registry_name)
        granted = self._granted.all(registry.name)
        if registry != self.own:
            return granted
        principals = [system_principal(self._workspace, each) for each in self._store.endpoints()]
        automatic = [RoleAssignment(registry.name, "", ACR_PULL, each) for each in principals if each is not None]
        return [*(replace(each, name=_automatic_name(each)) for each in automatic), *granted]

    def assign(self, wanted: RoleAssignment) -> bool:
        """Grant a role and say whether it is new; raises NotFoundError, and ConflictError as Azure does."""
        for each in self.assignments(wanted.registry):
            if each == wanted:
                return False
            if each.name == wanted.name:
                raise ConflictError(
                    f"Role assignment '{each.name}' cannot be changed; delete it and make another one.",
                    code="RoleAssignmentUpdateNotPermitted",
                )
            if (each.role, each.principal_id) == (wanted.role, wanted.principal_id):
                raise ConflictError(f"The role assignment already exists ('{each.name}').", code="RoleAssignmentExists")
        self._granted.save(wanted)
        return True

    def check_pull(self, deployment: Deployment) -> None:
        """Raise ImagePullError where the image is in a registry of which the endpoint's identity may not pull."""
        image, endpoint = deployment.environment.image, self._store.endpoint(deployment.endpoint_name)
        host = registry_of(image)
        registry = next((each for each in self._all.values() if each.login_server == host), None)
        if registry is None or endpoint is None:
            return
        principals = {system_principal(self._workspace, endpoint), *user_principals(endpoint)}
        if any(each.role == ACR_PULL and each.principal_id in principals for each in self.assignments(registry.name)):
            return
        raise ImagePullError(
            image,
            f"{registry.login_server} answers 401 UNAUTHORIZED; the identity of endpoint '{endpoint.name}' has no"
            f" AcrPull on registry '{registry.name}'",
        )


def _name(host: str) -> str:
    return "".join(each for each in host.removesuffix(ACR_SUFFIX) if each.isalnum())


def _automatic_name(assignment: RoleAssignment) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{assignment.registry}/{assignment.principal_id}"))

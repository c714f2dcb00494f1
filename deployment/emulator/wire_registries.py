"""The bodies and filters of role assignments."""

import re
import uuid

from deployment.emulator.errors import BadRequestError, NotEmulatedError
from deployment.emulator.registries import RoleAssignment
from deployment.emulator.wire import Body, parse

OF_PRINCIPAL = re.compile(r"(?:assignedTo\('(?P<assigned>[^']*)'\)|principalId eq '(?P<principal>[^']*)')")


class _RoleAssignmentProperties(Body):
    role_definition_id: str
    principal_id: str


class _RoleAssignmentBody(Body):
    properties: _RoleAssignmentProperties


def read_role_assignment(registry: str, name: str, body: bytes) -> RoleAssignment:
    """Read the body of a role assignment's PUT; raises BadRequestError."""
    wanted = parse(_RoleAssignmentBody, body).properties
    return RoleAssignment(
        registry,
        _guid("role assignment", name),
        _guid("role definition", wanted.role_definition_id.rpartition("/")[2]),
        _guid("principal", wanted.principal_id),
    )


def read_principal_filter(text: str) -> str | None:
    """Read the principal whose assignments are asked for; None asks for those of all.

    Every assignment is at the scope of a registry, so that `atScope()` leaves none out.
    """
    principal = None
    for term in (each.strip() for each in text.split(" and ") if each.strip()):
        match = OF_PRINCIPAL.fullmatch(term)
        if match is not None:
            principal = match["assigned"] or match["principal"] or ""
        elif term != "atScope()":
            raise NotEmulatedError(f"the filter '{term}' of role assignments")
    return principal


def _guid(what: str, text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError as error:
        raise BadRequestError(f"{what}: its id is not a GUID ('{text}')") from error

"""Autoscale settings of Azure Monitor: kept and returned; nothing is ever scaled by them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deployment.emulator.entities import Workspace
from deployment.emulator.errors import BadRequestError, ConflictError, NotFoundError
from deployment.emulator.store import Store


@dataclass(frozen=True, slots=True)
class AutoscaleSetting:
    """A setting as it was put; target is the ARM id of a deployment."""

    name: str
    location: str
    target: str
    tags: Mapping[str, str]
    properties: Mapping[str, Any]


class Autoscale:
    """The settings of the resource group, by name; one for a deployment."""

    def __init__(self, store: Store, workspace: Workspace) -> None:
        self._store = store
        self._endpoints = f"{workspace.arm_id}/onlineEndpoints/"
        self._settings = store.collection("autoscaleSettings", AutoscaleSetting, lambda each: (each.name,))

    def all(self) -> list[AutoscaleSetting]:
        """Answer all settings by name; those whose deployment is gone too, as on Azure."""
        return self._settings.all()

    def get(self, name: str) -> AutoscaleSetting:
        """Answer the setting of that name, or raise NotFoundError."""
        found = self._settings.get(name)
        if found is None:
            raise NotFoundError(f"Autoscale setting '{name}' not found.")
        return found

    def put(self, wanted: AutoscaleSetting) -> bool:
        """Create or replace a setting and say whether it is new; raises BadRequestError and ConflictError."""
        self._check_target(wanted.target)
        for each in self.all():
            if each.target.lower() == wanted.target.lower() and each.name != wanted.name:
                raise ConflictError(f"'{wanted.target}' has the autoscale setting '{each.name}' already.")
        is_new = self._settings.get(wanted.name) is None
        self._settings.save(wanted)
        return is_new

    def remove(self, name: str) -> bool:
        """Delete a setting and say whether there was one."""
        was_there = self._settings.get(name) is not None
        self._settings.remove(name)
        return was_there

    def _check_target(self, target: str) -> None:
        prefix, rest = target[: len(self._endpoints)], target[len(self._endpoints) :]
        endpoint, _, name = rest.partition("/deployments/")
        if prefix.lower() != self._endpoints.lower() or self._store.deployment(endpoint, name) is None:
            raise BadRequestError(f"targetResourceUri '{target}' is no deployment of this workspace.")

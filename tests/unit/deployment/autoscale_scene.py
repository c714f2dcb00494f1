"""Azure Monitor in memory, as the tests of autoscale need it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deployment.autoscale import setting_of
from deployment.outcomes import PlatformError
from deployment.settings import AutoscaleSettings

ON = AutoscaleSettings(enabled=True)
PREFIX = "/subscriptions/s/resourceGroups/r/providers/M/workspaces/w/onlineEndpoints/diabetes/deployments/"


@dataclass
class FakeScaling:
    """Azure Monitor in memory; `broken` refuses every call."""

    found: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    broken: bool = False
    asked: list[str] = field(default_factory=list)

    def location(self) -> str:
        return "westeurope"

    def deployment_id(self, deployment: str) -> str:
        return PREFIX + deployment

    def settings(self) -> Mapping[str, Mapping[str, Any]]:
        self.asked.append("settings")
        if self.broken:
            raise PlatformError("autoscale settings: no permission (AuthorizationFailed)")
        return dict(self.found)

    def put(self, name: str, document: Mapping[str, Any]) -> None:
        self.asked.append(f"put {name}")
        self.found[name] = document

    def remove(self, name: str) -> None:
        self.asked.append(f"remove {name}")
        del self.found[name]


def ours(deployment: str) -> dict[str, Any]:
    return setting_of(f"autoscale-diabetes-{deployment}", PREFIX + deployment, "westeurope", ON)

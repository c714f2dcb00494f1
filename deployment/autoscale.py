"""Autoscale settings of Azure Monitor: one for the deployment that has the traffic, none for any other of ours."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from deployment.outcomes import BadInputError
from deployment.platform import Deployment, Endpoint
from deployment.record import read_record
from deployment.settings import AutoscaleSettings

OWNER_TAG, OWNER = "managed_by", "python -m deployment autoscale"
METRIC = "CpuUtilizationPercentage"
ARM_ROLE = "Monitoring Contributor"

Say = Callable[[str], None]


class Scaling(Protocol):
    """Azure Monitor's autoscale settings of the workspace's resource group.

    Every method may be repeated and raises PlatformError with the platform's code and message where it is refused.
    """

    def location(self) -> str:
        """Return where the workspace is."""

    def deployment_id(self, deployment: str) -> str:
        """Return the ARM id that a deployment of the endpoint has, or would have."""

    def settings(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the resource group's autoscale settings, whoever made them: name -> document."""

    def put(self, name: str, document: Mapping[str, Any]) -> None:
        """Create the setting, or replace it."""

    def remove(self, name: str) -> None:
        """Delete the setting; one that does not exist is left as it is."""


@dataclass(frozen=True)
class Plan:
    """What is to be done: a setting to put, for which deployment, and those to remove."""

    deployment: str = ""
    name: str = ""
    document: Mapping[str, Any] | None = None
    removed: tuple[str, ...] = ()

    def lines(self, settings: AutoscaleSettings) -> list[str]:
        """Say it, an action a line."""
        removing = [f"remove autoscale setting {name}: its deployment has no traffic" for name in self.removed]
        if self.document is None:
            return removing or ["no autoscale setting to put or to remove"]
        bounds = f"{settings.minimum_instances} to {settings.maximum_instances} instances"
        cpu = f"one more above {settings.out_above_cpu_percent} % CPU, one fewer below {settings.in_below_cpu_percent}"
        return [f"put autoscale setting {self.name}: {self.deployment} has {bounds}, {cpu} %", *removing]


def make_plan(endpoint_name: str, endpoint: Endpoint | None, settings: AutoscaleSettings, scaling: Scaling) -> Plan:
    """Return what makes the settings right for the endpoint as it is; None is one that does not exist.

    The kept deployment's setting goes too: without requests it would be scaled in, and be too small for the way back.
    Raises BadInputError while a release is under way, and where somebody else has the setting's name.
    """
    record = read_record(endpoint.tags) if endpoint is not None else None
    if record is not None and record.in_flight:
        raise BadInputError(
            f"autoscale: release {record.release_id} is under way on {endpoint_name} ({record.phase}); "
            "run `python -m deployment autoscale` when it has ended"
        )
    there = scaling.settings()
    ours = {name for name, found in there.items() if is_ours(found, scaling)}
    live = endpoint.live.name if endpoint is not None and endpoint.live is not None else ""
    if not live or not settings.enabled:
        return Plan(removed=tuple(sorted(ours)))
    name = name_of(endpoint_name, live, there, scaling)
    document = setting_of(name, scaling.deployment_id(live), scaling.location(), settings)
    return Plan(live, name, document, tuple(sorted(ours - {name})))


def apply(plan: Plan, scaling: Scaling) -> None:
    """Do what is planned, the deployment that serves first; may be repeated."""
    if plan.document is not None:
        scaling.put(plan.name, plan.document)
    for name in plan.removed:
        scaling.remove(name)


def keep_size(endpoint_name: str, live: Deployment, settings: AutoscaleSettings, scaling: Scaling) -> str:
    """Have no instance taken from live while a release measures and moves the traffic; return what was done.

    More may be added as ever. follow() ends it. Raises BadInputError where somebody else has the setting's name.
    """
    name = name_of(endpoint_name, live.name, scaling.settings(), scaling)
    count = live.instance_count
    bounds = {"minimum_instances": count, "maximum_instances": max(settings.maximum_instances, count)}
    held = settings.model_copy(update=bounds)
    scaling.put(name, setting_of(name, scaling.deployment_id(live.name), scaling.location(), held))
    return f"autoscale: {live.name} has no fewer than {count} instances until the release has ended"


def name_of(endpoint_name: str, deployment: str, there: Mapping[str, Mapping[str, Any]], scaling: Scaling) -> str:
    """Return what a deployment's setting is called; raises BadInputError where that is somebody else's."""
    name = f"autoscale-{endpoint_name}-{deployment}"
    for taken, found in there.items():
        if taken.lower() == name.lower() and not is_ours(found, scaling):
            raise BadInputError(
                f"autoscale: the setting {taken} is there and was not made by this command for this endpoint (its tag "
                f"{OWNER_TAG!r} or its target is another); it is left as it is: delete it, or give it another name"
            )
    return name


def follow(look: Callable[[], tuple[Plan, Scaling]], settings: AutoscaleSettings, say: Say, warn: Say) -> None:
    """Bring the settings up to date after a release; whatever goes wrong is a warning and no more."""
    if not settings.enabled:
        return
    try:
        plan, scaling = look()
        apply(plan, scaling)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a signal too: the release has ended as it has
        what = "stopped by a signal" if isinstance(error, SystemExit) else error
        warn(
            f"autoscale: {what}. The release is as it ended, and so is the traffic; give the identity that releases "
            f"the role {ARM_ROLE!r} on the resource group if it is refused, and run `python -m deployment autoscale`"
        )
    else:
        for line in plan.lines(settings):
            say(line)


def is_ours(found: Mapping[str, Any], scaling: Scaling) -> bool:
    """Tell whether this command has made a setting, and for a deployment of this endpoint."""
    target = str(found.get("properties", {}).get("targetResourceUri", "")).lower()
    return (found.get("tags") or {}).get(OWNER_TAG) == OWNER and target.startswith(scaling.deployment_id("").lower())


def setting_of(name: str, deployment_id: str, location: str, settings: AutoscaleSettings) -> dict[str, Any]:
    """Return the setting as a document of Microsoft.Insights/autoscaleSettings."""
    bounds = (settings.minimum_instances, settings.maximum_instances)
    return {
        "location": location,
        "tags": {OWNER_TAG: OWNER},
        "properties": {
            "name": name,
            "enabled": True,
            "targetResourceUri": deployment_id,
            "profiles": [
                {
                    "name": "cpu",
                    # The default holds where there are no metrics.
                    "capacity": {"minimum": str(bounds[0]), "maximum": str(bounds[1]), "default": str(bounds[0])},
                    "rules": [
                        rule_of(deployment_id, "GreaterThan", settings.out_above_cpu_percent, settings.window_s)
                        | {"scaleAction": action_of("Increase", settings.out_cooldown_s)},
                        rule_of(deployment_id, "LessThan", settings.in_below_cpu_percent, settings.window_s)
                        | {"scaleAction": action_of("Decrease", settings.in_cooldown_s)},
                    ],
                }
            ],
        },
    }


def rule_of(deployment_id: str, operator: str, threshold: int, window_s: int) -> dict[str, Any]:
    return {
        "metricTrigger": {
            "metricName": METRIC,
            "metricResourceUri": deployment_id,
            "timeGrain": "PT1M",
            "statistic": "Average",
            "timeWindow": minutes(window_s),
            "timeAggregation": "Average",
            "operator": operator,
            "threshold": threshold,
        }
    }


def action_of(direction: str, cooldown_s: int) -> dict[str, str]:
    return {"direction": direction, "type": "ChangeCount", "value": "1", "cooldown": minutes(cooldown_s)}


def minutes(seconds: int) -> str:
    """Return a duration as ISO 8601 has it."""
    return f"PT{seconds // 60}M"

"""The platform's documented rules on names and traffic."""

import re
from collections.abc import Mapping, Sequence

from deployment.emulator.entities import Deployment
from deployment.emulator.errors import BadRequestError
from deployment.emulator.provisioning import State, wire_state

NAME = re.compile(r"[a-zA-Z](?:-?[a-zA-Z0-9])*")
NAME_LENGTHS = range(3, 33)
WHOLE_PERCENT = 100
MIRROR_PERCENT = 50
MAX_TAGS = 50
MAX_TAG_NAME = 512
MAX_TAG_VALUE = 256


def check_name(kind: str, name: str) -> None:
    """Raise BadRequestError unless the name has 3 to 32 letters, digits and single dashes, a letter first."""
    if len(name) not in NAME_LENGTHS or NAME.fullmatch(name) is None:
        raise BadRequestError(
            f"{kind} '{name}': the name is not allowed ({len(name)} characters vs 3 to 32); start with a letter,"
            " use letters, digits and single dashes, and end with a letter or a digit"
        )


def check_tags(resource: str, tags: Mapping[str, str]) -> None:
    """Raise BadRequestError unless ARM takes the tags: 50, with names of 512 and values of 256 characters."""
    if len(tags) > MAX_TAGS:
        raise BadRequestError(f"tags of '{resource}': too many ({len(tags)} vs {MAX_TAGS})")
    for name, value in tags.items():
        for what, text, limit in (("name", name, MAX_TAG_NAME), ("value", value, MAX_TAG_VALUE)):
            if len(text) > limit:
                raise BadRequestError(
                    f"tag '{name[:40]}' of '{resource}': its {what} is too long ({len(text)} characters vs {limit})"
                )


def check_traffic(wanted: Mapping[str, int], current: Mapping[str, int], deployments: Sequence[Deployment]) -> None:
    """Raise BadRequestError unless the split can be routed.

    Each share is 0 to 100 and all together are 0 or 100; each names an existing deployment; a deployment whose
    share grows has Succeeded. A share that shrinks or stays is always allowed: rolling back must be.
    """
    for name, percent in wanted.items():
        if not 0 <= percent <= WHOLE_PERCENT:
            raise BadRequestError(f"traffic of '{name}': out of range ({percent} vs 0 to 100); give a whole percent")
    total = sum(wanted.values())
    if total not in (0, WHOLE_PERCENT):
        raise BadRequestError(f"traffic: the shares do not add up ({total} vs 0 or 100); change them together")
    states = {deployment.name: deployment.state for deployment in deployments}
    for name, percent in wanted.items():
        if name not in states:
            known = ", ".join(sorted(states)) or "none"
            raise BadRequestError(f"traffic: deployment '{name}' does not exist (known: {known}); deploy it first")
        if percent > current.get(name, 0) and states[name] is not State.SUCCEEDED:
            raise BadRequestError(
                f"traffic of '{name}': the deployment is not ready (provisioningState {wire_state(states[name])}"
                " vs Succeeded); wait for it or re-create it"
            )


def check_mirror(wanted: Mapping[str, int], traffic: Mapping[str, int], deployments: Sequence[Deployment]) -> None:
    """Raise BadRequestError unless the traffic can be mirrored so.

    At most 50 % to one deployment that exists, has Succeeded and gets no live traffic.
    """
    mirrored = {name: percent for name, percent in wanted.items() if percent}
    if len(mirrored) > 1:
        raise BadRequestError(f"mirror traffic: too many deployments ({len(mirrored)} vs 1); name one")
    states = {deployment.name: deployment.state for deployment in deployments}
    for name, percent in mirrored.items():
        if not 0 < percent <= MIRROR_PERCENT:
            raise BadRequestError(f"mirror traffic of '{name}': out of range ({percent} vs 0 to {MIRROR_PERCENT})")
        if name not in states:
            known = ", ".join(sorted(states)) or "none"
            raise BadRequestError(f"mirror traffic: deployment '{name}' does not exist (known: {known})")
        if states[name] is not State.SUCCEEDED:
            raise BadRequestError(
                f"mirror traffic of '{name}': the deployment is not ready (provisioningState"
                f" {wire_state(states[name])} vs Succeeded)"
            )
        if traffic.get(name, 0):
            raise BadRequestError(
                f"mirror traffic of '{name}': the deployment gets live traffic ({traffic[name]}% vs 0%);"
                " a deployment gets live or mirrored traffic, not both"
            )

"""How many cores a deployment takes, and which of Azure's quotas it takes them from."""

import re
from collections.abc import Sequence

from deployment.cloud import Usage

# Azure has two ways to write each: that of its API's specification and that of its answers.
REGION_NAMES = frozenset({"totaldedicatedcores", "totalclusterdedicatedregional"})
UNITS = ("vcpus", "clusterdedicated")


def cores_needed(instance_count: int, cores: int) -> int:
    """Return ceil(1.2 x instances) x cores: the platform keeps a fifth more for its own upgrades."""
    return -(-6 * instance_count // 5) * cores


def quota_of_family(family: str, usages: Sequence[Usage]) -> Usage | None:
    """Return the quota of a family of sizes, as vmSizes names it; None where there is none."""
    return next((each for each in usages if is_of_dedicated_cores(each) and plain(family) in names_of(each)), None)


def quota_of_region(usages: Sequence[Usage]) -> Usage | None:
    """Return the quota of all families together; None where there is none."""
    return next((each for each in usages if is_of_dedicated_cores(each) and names_of(each) & REGION_NAMES), None)


def is_of_dedicated_cores(usage: Usage) -> bool:
    """Leave out low-priority cores, and the parts of a quota that single workspaces and clusters take."""
    kind = usage.kind.lower()
    is_low_priority = "lowpriority" in kind or "lowpriority" in plain(usage.name) + plain(usage.localized_name)
    return "/workspace" not in kind and not is_low_priority


def names_of(usage: Usage) -> frozenset[str]:
    return frozenset({plain(usage.name), plain(usage.localized_name)})


def plain(name: str) -> str:
    """Write `Standard DSv2 Family Cluster Dedicated vCPUs` and `standardDSv2Family` alike."""
    text = re.sub(r"[^a-z0-9]", "", name.lower())
    for unit in UNITS:
        text = text.removesuffix(unit)
    return text

import pytest

from deployment.cloud import Usage
from deployment.cores import cores_needed, quota_of_family, quota_of_region

pytestmark = pytest.mark.unit
PROVIDER = "Microsoft.MachineLearningServices"
TITLE = "Standard DSv2 Family Cluster Dedicated vCPUs"


def usage(kind: str, name: str, localized_name: str = "", *, limit: int | None = 24) -> Usage:
    return Usage(f"{PROVIDER}/{kind}/usages", name, localized_name or name, 2, limit)


# As the examples of Azure's API specification have it.
SPECIFIED = [
    usage("totalCores", "Clusters"),
    usage("lowPriorityCores", "Total Cluster LowPriority Regional vCPUs"),
    usage("dedicatedCores", "Total Cluster Dedicated Regional vCPUs", limit=50),
    usage("workspaces", TITLE),
    usage("workspaces/computes", TITLE),
    usage("vmFamily", "Standard DSv2 Family Cluster LowPriority vCPUs", limit=None),
    usage("vmFamily", "Standard Dv2 Family Cluster Dedicated vCPUs", limit=11),
    usage("vmFamily", TITLE, limit=12),
]
# As answers have it: a family's name stands for its low-priority cores too.
ANSWERED = [
    usage("totalLowPriorityCores", "TotalLowPriorityCores"),
    usage(
        "vmFamily/lowPriorityCores", "standardDSv2Family", "Standard DSv2 Family Cluster Low Priority vCPUs", limit=None
    ),
    usage("vmFamily/dedicatedCores", "standardDv2Family", "Standard Dv2 Family Cluster Dedicated vCPUs", limit=11),
    usage("vmFamily/dedicatedCores", "standardDSv2Family", TITLE, limit=12),
    usage("totalDedicatedCores", "TotalDedicatedCores", "Total Cluster Dedicated Regional vCPUs", limit=50),
]


@pytest.mark.parametrize(
    ("instances", "cores", "needed"), [(1, 4, 8), (2, 4, 12), (5, 4, 24), (6, 4, 32), (10, 16, 192)]
)
def test_the_platform_takes_a_fifth_more_instances_rounded_up(instances: int, cores: int, needed: int) -> None:
    assert cores_needed(instances, cores) == needed


@pytest.mark.parametrize("usages", [SPECIFIED, ANSWERED], ids=["as specified", "as answered"])
def test_the_quota_of_dedicated_cores_is_found_by_a_familys_name(usages: list[Usage]) -> None:
    family, region = quota_of_family("standardDSv2Family", usages), quota_of_region(usages)
    assert family is not None
    assert region is not None
    assert (family.limit, region.limit) == (12, 50)


def test_a_family_without_a_quota_has_none() -> None:
    assert quota_of_family("standardNCFamily", SPECIFIED + ANSWERED) is None
    assert quota_of_region([each for each in ANSWERED if each.limit != 50]) is None

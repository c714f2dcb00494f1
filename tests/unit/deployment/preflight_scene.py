"""A preflight over the shipped files and an Azure in memory."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # it ships no type information

from deployment.cloud import Identity, Registry, Size, Usage, WorkspaceFacts
from deployment.outcomes import PlatformError
from deployment.platform import Deployment, Endpoint
from deployment.preflight import Check, Standing, preflight
from deployment.registry import ImageReference
from tests.lib.shipped import DEPLOYMENT_FILE, ENDPOINT_FILE

DIGEST = "sha256:" + "0" * 64
IMAGE = f"own.azurecr.io/diabetes@{DIGEST}"
ELSEWHERE = f"other.azurecr.io/diabetes@{DIGEST}"
SIZES = [Size("Standard_DS3_v2", "standardDSv2Family", 4), Size("Standard_F2s_v2", "standardFSv2Family", 2)]
REGISTRY_IDS = {
    "own.azurecr.io": "/subscriptions/s/resourceGroups/r/providers/Microsoft.ContainerRegistry/registries/own",
    "other.azurecr.io": "/subscriptions/s/resourceGroups/r/providers/Microsoft.ContainerRegistry/registries/other",
}
ROWS = [
    "names",
    "auth mode",
    "probes",
    "request timeout",
    "concurrency",
    "instances",
    "core quota",
    "image digest",
    "image exists",
    "AcrPull",
    "live deployment",
]


def quota(name: str, taken: int, limit: int | None) -> Usage:
    kind = "totalDedicatedCores" if name == "TotalDedicatedCores" else "vmFamily/dedicatedCores"
    return Usage(f"Microsoft.MachineLearningServices/{kind}/usages", name, name, taken, limit)


def deployment(
    name: str, state: str = "Succeeded", instance_type: str = "Standard_DS3_v2", count: int = 1
) -> Deployment:
    return Deployment(name, state, instance_type, count, {})


def an_endpoint(traffic: Mapping[str, int], *deployments: Deployment) -> Endpoint:
    return Endpoint("diabetes", "http://127.0.0.1:9/score", traffic, {}, {each.name: each for each in deployments})


@dataclass
class FakeCloud:
    """A Cloud as it is told to be; each name in `broken` raises instead."""

    identified: Identity | None = field(default_factory=lambda: Identity("principal-1"))
    grants: Sequence[tuple[str, str]] = ()
    quotas: Sequence[Usage] = (quota("standardDSv2Family", 8, 100), quota("TotalDedicatedCores", 20, 200))
    endpoint: Endpoint | None = field(default_factory=lambda: an_endpoint({"blue": 100}, deployment("blue")))
    images: Sequence[str] = (IMAGE, ELSEWHERE)
    broken: Sequence[str] = ()
    calls: Counter[str] = field(default_factory=Counter)

    def called(self, name: str) -> None:
        self.calls[name] += 1
        if name in self.broken:
            raise PlatformError(f"{name}: the caller may not (AuthorizationFailed)")

    def workspace(self) -> WorkspaceFacts:
        self.called("workspace")
        return WorkspaceFacts("westeurope", REGISTRY_IDS["own.azurecr.io"].upper())

    def registries(self) -> Mapping[str, Registry]:
        self.called("registries")
        return {host: Registry(arm_id, host) for host, arm_id in REGISTRY_IDS.items()}

    def identity(self) -> Identity | None:
        self.called("identity")
        return self.identified

    def may_pull(self, principal_id: str, registry_id: str) -> bool:
        self.called("may_pull")
        return (principal_id, registry_id) in self.grants

    def usages(self) -> Sequence[Usage]:
        self.called("usages")
        return self.quotas

    def sizes(self) -> Mapping[str, Size]:
        self.called("sizes")
        return {each.name.lower(): each for each in SIZES}

    def observe(self) -> Endpoint | None:
        self.called("observe")
        return self.endpoint

    def has_image(self, reference: ImageReference) -> bool:
        self.called("has_image")
        return f"{reference.host}/{reference.repository}@{reference.digest}" in self.images


@dataclass
class Bench:
    """The two files, and a preflight over them."""

    folder: Path

    def __post_init__(self) -> None:
        self.endpoint: dict[str, Any] = yaml.safe_load(ENDPOINT_FILE.read_text(encoding="utf-8"))
        self.deployment: dict[str, Any] = yaml.safe_load(DEPLOYMENT_FILE.read_text(encoding="utf-8"))

    def all(
        self,
        cloud: FakeCloud | None = None,
        *,
        image: str = IMAGE,
        names: Sequence[str] = ("blue", "green"),
        release_id: str = "r-3",
    ) -> dict[str, Check]:
        cloud = cloud or FakeCloud()
        endpoint_file, deployment_file = self.folder / "endpoint.yml", self.folder / "deployment.yml"
        endpoint_file.write_text(yaml.safe_dump(self.endpoint))
        deployment_file.write_text(yaml.safe_dump(self.deployment))
        checks = preflight(
            cloud,
            image=image,
            endpoint_file=endpoint_file,
            deployment_file=deployment_file,
            deployment_names=names,
            observe=cloud.observe,
            has_image=cloud.has_image,
            release_id=release_id,
        )
        assert [each.name for each in checks] == ROWS
        for each in checks:
            assert each.found
            assert bool(each.fix) is (each.standing is not Standing.OK)
        return {each.name: each for each in checks}


def standing(check: Check, expected: Standing, *told: str) -> None:
    """Assert what a check says; each text stands in what it found or in its fix."""
    assert check.standing is expected, check
    for text in told:
        assert text in f"{check.found} | {check.fix}"

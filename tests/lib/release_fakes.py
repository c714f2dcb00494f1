"""An endpoint in memory: a Platform that keeps what it is told, and a client that is answered as its traffic says."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from deployment.golden import GoldenRequest, GoldenRequests
from deployment.journal import Journal
from deployment.outcomes import PlatformError, TrafficConflictError
from deployment.phases import Phase
from deployment.platform import Deployment, DeploymentRequest, Endpoint, Traffic
from deployment.scoring import Answer, ScoringClient
from load.measure import Progress
from load.report_data import JournalEntry

GOLDEN = GoldenRequests(
    absolute_tolerance=0,
    relative_tolerance=0,
    requests=(GoldenRequest(id="golden-00", body={"data": [[1.0]]}, predictions=(1.0,)),),
)


def colour(name: str, state: str = "Succeeded") -> Deployment:
    return Deployment(name, state, "Standard_DS3_v2", 1, {})


@dataclass
class FakePlatform:
    """A Platform in memory; `before_traffic` is called before each traffic write and may raise."""

    endpoint: Endpoint | None
    before_traffic: Callable[[Traffic], None] = lambda _: None
    writes: list[Traffic] = field(default_factory=list)
    deploys: list[DeploymentRequest] = field(default_factory=list)

    def there(self) -> Endpoint:
        assert self.endpoint is not None
        return self.endpoint

    def observe(self) -> Endpoint | None:
        return self.endpoint

    def create_endpoint(self) -> None:
        self.endpoint = Endpoint("fake", "http://127.0.0.1:9/score", {}, {}, {})

    def deploy(self, request: DeploymentRequest) -> None:
        self.deploys.append(request)
        deployments = {**self.there().deployments, request.name: colour(request.name)}
        self.endpoint = replace(self.there(), deployments=deployments)

    def delete_deployment(self, name: str) -> None:
        if self.there().traffic.get(name):
            raise PlatformError(f"deployment {name}: it has traffic")
        kept = {other: found for other, found in self.there().deployments.items() if other != name}
        self.endpoint = replace(self.there(), deployments=kept)

    def set_traffic(self, traffic: Traffic, *, expected: Traffic) -> None:
        self.before_traffic(traffic)
        if self.there().traffic not in (expected, traffic):
            raise TrafficConflictError(f"traffic is {dict(self.there().traffic)} where {dict(expected)} was expected")
        self.writes.append(traffic)
        self.endpoint = replace(self.there(), traffic=dict(traffic))

    def endpoint_key(self) -> str:
        return "a-key"

    def logs(self, deployment: str, *, lines: int) -> str:
        return f"last {lines} lines of {deployment}"


class FakeScoring(ScoringClient):
    """A client that the platform's traffic answers: exactly in proportion, and wrongly where it is told to."""

    def __init__(self, platform: FakePlatform, *, failing: tuple[str, ...] = (), wrong: tuple[str, ...] = ()) -> None:
        self.platform = platform
        self.failing = failing
        self.wrong = wrong
        self.sent = 0

    def score(self, body: Any, *, deployment: str | None = None) -> Answer:
        del body
        name = deployment or self.routed()
        if name in self.failing:
            return Answer(424, name, {"error": "model_error"}, "id")
        return Answer(200, name, [2.0 if name in self.wrong else 1.0], "id")

    def routed(self) -> str:
        self.sent += 1
        place = self.sent % 100
        for name, percent in sorted(self.platform.there().traffic.items()):
            if place < percent:
                return name
            place -= percent
        return ""


class RecordingWatcher:
    """A Watcher that remembers."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def started(self, what: str) -> None:
        self.seen.append(what)

    def recorded(self, entry: JournalEntry) -> None:
        self.seen.append(entry.event)

    def measured(self, progress: Progress) -> None:
        self.seen.append(f"{progress.pairs} pairs")


def make_journal(folder: Path, phase: Phase, traffic: Traffic) -> Journal:
    return Journal(folder / "journal.jsonl", RecordingWatcher(), phase, traffic)

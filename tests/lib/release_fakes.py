"""An endpoint in memory: a Platform that keeps what it is told, and a client that is answered as its traffic says."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from deployment.fencing import refuse_if_changed, without_record
from deployment.golden import GoldenRequest, GoldenRequests
from deployment.hold import Hold
from deployment.journal import Journal
from deployment.outcomes import PlatformError
from deployment.phases import Phase
from deployment.platform import Container, Deployment, DeploymentRequest, Endpoint, Platform, Routing, Traffic
from deployment.record import Record, utc_now
from deployment.scoring import Answer, ScoringClient
from load.report_data import JournalEntry
from load.run_files import Progress

GOLDEN = GoldenRequests(
    absolute_tolerance=0,
    relative_tolerance=0,
    requests=(GoldenRequest(id="golden-00", body={"data": [[1.0]]}, predictions=(1.0,)),),
)


def colour(name: str, state: str = "Succeeded") -> Deployment:
    return Deployment(name, state, "Standard_DS3_v2", 1, {})


@dataclass
class FakePlatform:
    """A Platform in memory; `before_write` is called before each update of the endpoint and may raise."""

    endpoint: Endpoint | None
    before_write: Callable[[Routing], None] = lambda _: None
    before_deploy: Callable[[], None] = lambda: None
    writes: list[Traffic] = field(default_factory=list)
    routings: list[Routing] = field(default_factory=list)
    deploys: list[DeploymentRequest] = field(default_factory=list)

    def there(self) -> Endpoint:
        assert self.endpoint is not None
        return self.endpoint

    def observe(self) -> Endpoint | None:
        return self.endpoint

    def create_endpoint(self, tags: Mapping[str, str]) -> None:
        self.endpoint = Endpoint("fake", "http://127.0.0.1:9/score", {}, {}, {}, dict(tags))

    def write(
        self,
        routing: Routing,
        tags: Mapping[str, str],
        *,
        expected: Sequence[Routing] | None,
        holders: Sequence[str] | None,
    ) -> None:
        self.before_write(routing)
        found = self.there()
        refuse_if_changed(found.name, found.routing, found.tags, expected, holders)
        if routing != found.routing:
            self.writes.append(routing.traffic)
            self.routings.append(routing)
        written = {**without_record(found.tags), **tags}
        self.endpoint = replace(found, traffic=dict(routing.traffic), mirror_traffic=dict(routing.mirror), tags=written)

    def deploy(self, request: DeploymentRequest) -> None:
        self.before_deploy()
        self.deploys.append(request)
        made = replace(colour(request.name), tags=request.tags)
        self.endpoint = replace(self.there(), deployments={**self.there().deployments, request.name: made})

    def scale(self, name: str, instance_count: int) -> None:
        scaled = replace(self.there().deployments[name], instance_count=instance_count)
        self.endpoint = replace(self.there(), deployments={**self.there().deployments, name: scaled})

    def delete_deployment(self, name: str) -> None:
        if self.there().traffic.get(name):
            raise PlatformError(f"deployment {name}: it has traffic")
        kept = {other: found for other, found in self.there().deployments.items() if other != name}
        self.endpoint = replace(self.there(), deployments=kept)

    def delete_endpoint(self) -> None:
        self.endpoint = None

    def endpoint_key(self) -> str:
        return "a-key"

    def logs(self, deployment: str, container: Container, *, lines: int) -> str:
        return f"last {lines} lines of {deployment}'s {container}"


class FakeScoring(ScoringClient):
    """A client that the platform's traffic answers: exactly in proportion, and wrongly where it is told to."""

    def __init__(
        self,
        platform: FakePlatform,
        *,
        failing: tuple[str, ...] = (),
        wrong: tuple[str, ...] = (),
        other_form: tuple[str, ...] = (),
    ) -> None:
        self.platform = platform
        self.failing = failing
        self.wrong = wrong
        self.other_form = other_form
        self.sent = 0
        self.pings = 0
        self.closed = False

    def __exit__(self, *_: object) -> None:
        self.closed = True

    def ping(self, deployment: str | None = None) -> Answer:
        self.pings += 1
        return self.score(None, deployment=deployment)

    def score(self, body: Any, *, deployment: str | None = None) -> Answer:
        name = deployment or self.routed()
        if name in self.other_form and body is not None:
            return Answer(424, name, {"error": {"code": "wrong_shape", "message": "", "location": "data[0]"}}, "id")
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


def make_record(
    phase: Phase, *, live: str = "blue", candidate: str = "green", routing: Routing | None = None
) -> Record:
    """Return the record of release `r-2`, held for an hour by `ci #1`."""
    now = utc_now()
    return Record(
        release_id="r-2",
        phase=phase,
        at=now,
        holder="ci #1",
        leased_until=now + timedelta(hours=1),
        live=live,
        candidate=candidate,
        image="registry.test/model@sha256:" + "a" * 64,
        model_version="2",
        git_sha="0123456789abcdef",
        routing=routing or Routing({live: 100} if live else {}),
    )


def make_hold(platform: Platform, endpoint: Endpoint, record: Record) -> Hold:
    """Return the hold of a process that has just taken the endpoint as it is."""
    return Hold(platform, record, (endpoint.routing,), (endpoint.holder,), lease_s=3600)

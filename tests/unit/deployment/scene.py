"""A release in memory: platform, images, measurements and clients, as most tests of this folder need them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from deployment.delegation import PlatformAround, Returned
from deployment.evidence import Evidence
from deployment.golden import ModelArtefacts
from deployment.phases import Phase
from deployment.platform import (
    IMAGE_TAG,
    RELEASE_ID_TAG,
    Deployment,
    Endpoint,
    Traffic,
)
from deployment.record import Record, read_record, utc_now
from deployment.release import Release
from deployment.rollout import Rollout
from deployment.scoring import ScoringClient
from deployment.settings import PlatformSettings, ReleaseSettings, ShiftSettings
from load.measure import LoadPlan, Measurement, summarise
from load.rows import Observed
from load.rows_file import append_observed
from load.run_files import Progress
from load.settings import GatePolicy, LoadSettings
from tests.lib.load_samples import POLICY, Answers, synthetic_rows
from tests.lib.release_fakes import GOLDEN, FakePlatform, FakeScoring, colour, make_journal
from tests.lib.stored_rows import store_rows

Connect = Callable[[FakePlatform], FakeScoring]
IMAGE = "registry.test/model@sha256:" + "b" * 64
OTHER_IMAGE = "registry.test/model@sha256:" + "c" * 64
BLUE_LIVE: Traffic = {"blue": 100}
GREEN_LIVE: Traffic = {"green": 100}
SETTINGS = ReleaseSettings(
    shift=ShiftSettings(
        steps_percent=(10, 50, 100), probes_per_step=132, routing_timeout_s=0.02, bake_s=0.01, drill=True
    ),
    load=LoadSettings(),
    gate=POLICY.model_copy(update={"bootstrap_resamples": 200, "min_samples": 100}),
    platform=PlatformSettings(patience_s=5, rollback_patience_s=5, operation_timeout_s=5),
)


def a_deployment(name: str, *, image: str = IMAGE, release_id: str = "r-2", state: str = "Succeeded") -> Deployment:
    return replace(colour(name, state), tags={IMAGE_TAG: image, RELEASE_ID_TAG: release_id})


def an_endpoint(
    traffic: Traffic = BLUE_LIVE, *deployments: Deployment, tags: Mapping[str, str] | None = None
) -> Endpoint:
    """Return an endpoint with blue of an earlier release on it, if no other deployments are named."""
    there = deployments or (a_deployment("blue", image=OTHER_IMAGE, release_id="r-1"),)
    return Endpoint("fake", "http://127.0.0.1:9/score", traffic, {}, {one.name: one for one in there}, dict(tags or {}))


def a_release(release_id: str = "r-2", image: str = IMAGE, *, model_version: str = "2", run_url: str = "") -> Release:
    model = ModelArtefacts(Path("model"), "diabetes", model_version, Path("model/golden_requests.json"), GOLDEN)
    return Release(release_id, image, model, "0123456789abcdef", run_url)


@dataclass(frozen=True)
class Measured:
    """A load test that has always just ended: its rows are written, and its plans are kept."""

    candidate: Answers = field(default_factory=Answers)
    plans: list[LoadPlan] = field(default_factory=list)

    def __call__(
        self,
        plan: LoadPlan,
        *,
        key: str,
        rows_path: Path,
        on_progress: Callable[[Progress], None] | None = None,
        policy: GatePolicy,
        observe: Callable[[], str],
    ) -> Measurement:
        assert (key, policy.min_samples) == ("a-key", 100)
        self.plans.append(plan)
        rows_path.parent.mkdir(parents=True, exist_ok=True)
        seen = [Observed(0.0, observe())]
        rows_path.write_bytes(rows_file(plan.live, plan.candidate, self.candidate))
        if on_progress is not None:
            on_progress(Progress(30.0, 30.0, 30.0, 600, 0))
        append_observed(rows_path, [*seen, Observed(30.0, observe())])
        return summarise(rows_path, "")


@cache
def rows_file(live: str | None, candidate: str, answers: Answers) -> bytes:
    """Return the content of a rows file in which the candidate answered so, and live as usual."""
    named = replace(answers, answered_by=candidate if answers.answered_by is None else answers.answered_by)
    rows = synthetic_rows(named, Answers(answered_by=live), alone=live is None, rate=12, warmup_s=1)
    with TemporaryDirectory() as folder:
        named_rows = replace(rows, plan=replace(rows.plan, live=live, candidate=candidate))
        return store_rows(Path(folder, "rows.csv.gz"), named_rows).read_bytes()


def a_rollout(
    platform: "FakePlatform | AroundEachCall",
    folder: Path,
    *,
    release: Release | None = None,
    measure: Callable[..., Measurement] | None = None,
    client: Connect = FakeScoring,
    settings: ReleaseSettings = SETTINGS,
    drill: bool | None = None,
) -> Rollout:
    """Return a release in a process of its own, which shares the platform and the folder with others."""
    memory = platform.platform if isinstance(platform, AroundEachCall) else platform

    def connect(_uri: str, key: str, *, new_key: Callable[[], str]) -> ScoringClient:
        assert (key, new_key()) == ("a-key", "a-key")
        return client(memory)

    journal = make_journal(folder, Phase.OBSERVED, {})
    return Rollout(
        platform,
        settings,
        release or a_release(),
        journal,
        Evidence(folder),
        drill=drill,
        measure=measure or Measured(),
        connect=connect,
    )


def record_on(platform: FakePlatform) -> Record:
    """Return what the endpoint's tags say."""
    record = read_record(platform.there().tags)
    assert record is not None
    return record


def with_record(endpoint: Endpoint, record: Record) -> Endpoint:
    """Return the endpoint as it is once a release has left this record on it."""
    return replace(
        endpoint, traffic=record.routing.traffic, mirror_traffic=record.routing.mirror, tags=record.to_tags()
    )


def silent(record: Record) -> Record:
    """Return the record of a release that nobody has come back for in time."""
    return replace(record, leased_until=utc_now() - timedelta(minutes=1))


@dataclass
class AroundEachCall(PlatformAround):
    """A Platform that tells of each call of another one, and may refuse it: before it, or after it took effect."""

    platform: FakePlatform
    before: Callable[[int], None] = lambda _: None
    after: Callable[[int], None] = lambda _: None
    calls: int = 0

    def call(self, made: Callable[[], Returned]) -> Returned:
        self.calls += 1
        number = self.calls
        self.before(number)
        returned = made()
        self.after(number)
        return returned


def once(number: int, error: Callable[[], BaseException]) -> Callable[[int], None]:
    """Return what raises at one call."""

    def refuse(call: int) -> None:
        if call == number:
            raise error()

    return refuse


def from_then_on(number: int, error: Callable[[], BaseException]) -> Callable[[int], None]:
    """Return what raises at one call and at all that follow."""

    def refuse(call: int) -> None:
        if call >= number:
            raise error()

    return refuse

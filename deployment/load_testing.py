"""A deployment that is there already, measured as a release would measure it; nothing of the endpoint is changed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from deployment.ending import AFTER_VERDICT, facts_of
from deployment.evidence import Evidence
from deployment.golden import ModelArtefacts
from deployment.journal import Journal
from deployment.outcomes import BadInputError, Outcome, PlatformError
from deployment.phases import Phase
from deployment.platform import GIT_SHA_TAG, IMAGE_TAG, MODEL_VERSION_TAG, Deployment, Endpoint, Platform, require
from deployment.record import read_record
from deployment.release import Release, Result
from deployment.settings import ReleaseSettings
from load.gate import judge
from load.measure import LoadError, LoadPlan, Measurement, measure
from load.rows_file import read_rows
from load.verdict import Outcome as GateOutcome
from load.verdict import Verdict

UNKNOWN = "unknown"
NEXT: Mapping[GateOutcome, str] = {
    GateOutcome.PASS: "Nothing to do: it keeps the limits of release.toml.",
    GateOutcome.FAIL: "See what the failed criteria show; `python -m deployment rollback` gives another its traffic.",
    GateOutcome.INCONCLUSIVE: "Measure longer (duration_s) or faster (rate_pairs_per_s).",
    GateOutcome.INVALID: "Mend what made the measurement invalid, then measure again.",
}


@dataclass(frozen=True)
class LoadTest:
    """What a load test of one deployment, alone, is made of."""

    platform: Platform
    settings: ReleaseSettings
    model: ModelArtefacts
    journal: Journal
    evidence: Evidence
    measure: Callable[..., Measurement] = measure

    def run(self, endpoint: Endpoint, tested: Deployment) -> Result:
        """Load the deployment and let the gate judge the rows; a load that breaks off says nothing about it."""
        self.journal.phase, self.journal.traffic = Phase.SMOKED, endpoint.traffic
        self.journal.started(f"load: requests to {tested.name}")
        try:
            measured = self.load(endpoint, tested)
        except LoadError as error:
            return self.result(Outcome.INVALID, f"The load test broke off: {error}", NEXT[GateOutcome.INVALID], tested)
        self.journal.enter(Phase.MEASURED, f"{measured.pairs} requests to {tested.name} in {measured.elapsed_s:.0f} s")
        verdict = judge(read_rows(self.evidence.rows_path), self.settings.gate)
        self.journal.record(f"gate: {verdict.sentence}")
        return self.result(outcome_of(verdict), verdict.sentence, NEXT[verdict.outcome], tested, verdict)

    def load(self, endpoint: Endpoint, tested: Deployment) -> Measurement:
        plan = LoadPlan(
            scoring_uri=endpoint.scoring_uri,
            live=None,
            candidate=tested.name,
            payloads_path=self.model.golden_path,
            settings=self.settings.load,
        )
        return self.measure(
            plan,
            key=self.platform.endpoint_key(),
            rows_path=self.evidence.rows_path,
            on_progress=self.journal.watcher.measured,
            policy=self.settings.gate,
            observe=lambda: str(require(self.platform.observe()).routing),
        )

    def result(
        self, outcome: Outcome, sentence: str, next_action: str, tested: Deployment, verdict: Verdict | None = None
    ) -> Result:
        endpoint = require(self.platform.observe())
        record = read_record(endpoint.tags)
        return Result(
            outcome=outcome,
            sentence=sentence,
            next_action=next_action,
            endpoint=endpoint.name,
            live=None,
            candidate=tested.name,
            traffic=endpoint.traffic,
            smoke=(),
            verdict=verdict,
            journal=tuple(self.journal.entries),
            rows_path=self.evidence.rows_path if verdict else None,
            history=record.past if record else (),
            facts={"measured": "a load test of one deployment; nothing was changed"}
            | facts_of(endpoint, None, tested.name),
        )


def choose(endpoint: Endpoint, name: str, model: ModelArtefacts, now: datetime) -> Deployment:
    """Return the deployment of that name, or the one that serves where the name is empty.

    Raises BadInputError where there is none, where its model is another than that of the requests, and while a release
    measures or moves the traffic, which a second load would disturb.
    """
    refuse_if_disturbing(endpoint, now)
    tested = endpoint.deployments.get(name) if name else endpoint.live
    if tested is None:
        there = ", ".join(sorted(endpoint.deployments)) or "none"
        wanted = f"no deployment {name!r}" if name else "no traffic, so none serves; name one with --deployment"
        raise BadInputError(f"load-test: endpoint {endpoint.name} has {wanted}; its deployments are: {there}")
    if not tested.is_healthy:
        raise PlatformError(f"load-test: {tested.name} is {tested.provisioning_state} where Succeeded is needed")
    version = tested.tags.get(MODEL_VERSION_TAG, model.version)
    if version != model.version:
        raise BadInputError(
            f"--model-dir: it has model {model.version} where {tested.name} has model {version}; name that one's folder"
        )
    return tested


def refuse_if_disturbing(endpoint: Endpoint, now: datetime) -> None:
    record = read_record(endpoint.tags)
    if record is not None and record.in_flight and record.phase is not Phase.PASSED and now < record.leased_until:
        raise BadInputError(
            f"load-test: release {record.release_id} is under way on endpoint {endpoint.name} ({record.phase}, held by "
            f"{record.holder}), and another load would disturb what it measures; wait until it has ended"
        )


def as_release(name: str, tested: Deployment, model: ModelArtefacts, run_url: str) -> Release:
    """Return what the report calls the thing that was measured."""
    tags = tested.tags
    return Release(name, tags.get(IMAGE_TAG, UNKNOWN), model, tags.get(GIT_SHA_TAG, UNKNOWN), run_url)


def outcome_of(verdict: Verdict) -> Outcome:
    return Outcome.PASSED if verdict.outcome is GateOutcome.PASS else AFTER_VERDICT[verdict.outcome][0]

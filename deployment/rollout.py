"""A release from an image to 100 % of the traffic, or to a refusal."""

from dataclasses import dataclass, field
from pathlib import Path

from deployment.container_log import reason_of_end
from deployment.golden import refuse_if_wrong, smoke
from deployment.journal import Journal
from deployment.outcomes import BadInputError, Breach, Outcome, PlatformError, ProvisioningError
from deployment.phases import Phase
from deployment.platform import (
    GIT_SHA_TAG,
    IMAGE_TAG,
    MODEL_VERSION_TAG,
    RELEASE_ID_TAG,
    DeploymentRequest,
    Endpoint,
    Platform,
    Traffic,
    describe_traffic,
)
from deployment.release import Release, Result
from deployment.scoring import ScoringClient
from deployment.settings import ReleaseSettings
from deployment.shift import Shift
from load.gate import judge
from load.measure import LoadError, LoadPlan, measure
from load.report_data import SmokeCheck
from load.rows import read_rows
from load.verdict import Outcome as GateOutcome
from load.verdict import Verdict

COLOURS = ("blue", "green")
LOG_LINES = 40
UNTOUCHED = {Phase.OBSERVED, Phase.DEPLOYED, Phase.SMOKED, Phase.MEASURED}

AFTER_VERDICT = {
    GateOutcome.FAIL: (
        Outcome.REFUSED_BY_GATE,
        "Live keeps all traffic. Mend what the failed criteria show, then release again.",
    ),
    GateOutcome.INCONCLUSIVE: (
        Outcome.INCONCLUSIVE,
        "Live keeps all traffic. Measure longer (duration_s) or faster (rate_pairs_per_s), then release again.",
    ),
    GateOutcome.INVALID: (
        Outcome.INVALID,
        "Live keeps all traffic. Mend what made the measurement invalid, then release again.",
    ),
}


@dataclass
class Rollout:
    """One release on one endpoint."""

    platform: Platform
    settings: ReleaseSettings
    release: Release
    journal: Journal
    rows_path: Path
    endpoint_name: str = ""
    live: str | None = None
    candidate: str = COLOURS[0]
    traffic_before: Traffic = field(default_factory=dict)
    smoke_results: tuple[SmokeCheck, ...] = ()
    verdict: Verdict | None = None

    def promote(self) -> Result:
        """Take the release as far as it may go; raises ReleaseError where nothing was decided."""
        try:
            self.observe()
            endpoint = self.deploy()
            with ScoringClient(endpoint.scoring_uri, self.platform.endpoint_key()) as client:
                self.smoke(client)
                if self.live is not None:
                    self.load(endpoint, self.live)
                    self.gate()
                self.shift(client)
        except Breach as breach:
            return self.end(breach.outcome, breach.sentence, breach.next_action)
        return self.end(Outcome.PROMOTED, *self.success())

    def observe(self) -> None:
        """Read the endpoint, create it where there is none, and choose the idle colour."""
        self.journal.watcher.started("reading the endpoint")
        endpoint = self.platform.observe()
        if endpoint is None:
            self.platform.create_endpoint()
            endpoint = self.observe_again()
            self.journal.record(f"endpoint {endpoint.name} created")
        if len(endpoint.traffic) > 1:
            raise BadInputError(
                f"endpoint {endpoint.name}: its traffic is split ({describe_traffic(endpoint.traffic)}), so another "
                "release is under way or was cut off; end that one, or take the traffic back with "
                "`python -m deployment rollback --to NAME --model-dir DIR`"
            )
        self.endpoint_name = endpoint.name
        self.live = endpoint.live.name if endpoint.live else None
        self.candidate = next(colour for colour in COLOURS if colour != self.live)
        self.traffic_before = self.journal.traffic = endpoint.traffic
        who_serves = f"{self.live} serves" if self.live else "nobody serves yet: a first release"
        self.journal.record(f"{who_serves}; the candidate will be {self.candidate}")

    def deploy(self) -> Endpoint:
        """Make the candidate at 0 %, in place of what an earlier release left under its name."""
        release = self.release
        self.journal.watcher.started(f"deploying {self.candidate} at 0 %")
        self.platform.delete_deployment(self.candidate)
        tags = {
            RELEASE_ID_TAG: release.release_id,
            MODEL_VERSION_TAG: release.model.version,
            IMAGE_TAG: release.image,
            GIT_SHA_TAG: release.git_sha,
        }
        try:
            self.platform.deploy(DeploymentRequest(self.candidate, release.image, tags))
        except ProvisioningError as error:
            log_path = self.keep_logs()
            reason = reason_of_end(log_path.read_text(encoding="utf-8"))
            raise Breach(
                Outcome.NOT_PROVISIONED,
                f"{self.candidate} did not become ready: {reason or error}",
                f"Live keeps its traffic. The container's last lines are in {log_path}."
                + (f" The platform said: {error}" if reason else ""),
            ) from error
        self.journal.enter(Phase.DEPLOYED, f"{self.candidate} is ready at 0 % with model {release.model.version}")
        return self.observe_again()

    def smoke(self, client: ScoringClient) -> None:
        """Ask the candidate its golden requests, by name."""
        self.journal.watcher.started(f"smoke: golden requests to {self.candidate} by name")
        self.smoke_results = smoke(client, self.release.model.golden, self.candidate)
        refuse_if_wrong(self.smoke_results, self.candidate)
        self.journal.enter(Phase.SMOKED, f"{self.candidate} answered {len(self.smoke_results)} golden requests right")

    def load(self, endpoint: Endpoint, live: str) -> None:
        """Measure live and candidate with the same requests in the same minutes."""
        self.journal.watcher.started(f"load: the same requests to {live} and {self.candidate}")
        plan = LoadPlan(
            scoring_uri=endpoint.scoring_uri,
            live=live,
            candidate=self.candidate,
            payloads_path=self.release.model.golden_path,
            settings=self.settings.load,
        )
        try:
            measurement = measure(
                plan,
                key=self.platform.endpoint_key(),
                rows_path=self.rows_path,
                on_progress=self.journal.watcher.measured,
            )
        except LoadError as error:
            raise Breach(
                Outcome.INVALID, f"The load test broke off: {error}", "Live keeps all traffic. Mend it, release again."
            ) from error
        self.journal.enter(Phase.MEASURED, f"{measurement.pairs} pairs of requests in {measurement.elapsed_s:.0f} s")

    def gate(self) -> None:
        """Let the gate judge the stored rows."""
        self.verdict = verdict = judge(read_rows(self.rows_path), self.settings.gate)
        if verdict.outcome is not GateOutcome.PASS:
            outcome, next_action = AFTER_VERDICT[verdict.outcome]
            raise Breach(outcome, verdict.sentence, next_action)
        self.journal.enter(Phase.PASSED, f"gate: {verdict.sentence}")

    def shift(self, client: ScoringClient) -> None:
        """Move the traffic."""
        Shift(
            platform=self.platform,
            client=client,
            journal=self.journal,
            settings=self.settings.shift,
            golden=self.release.model.golden,
            live=self.live,
            candidate=self.candidate,
            traffic_before=self.traffic_before,
        ).run()

    def end(self, outcome: Outcome, sentence: str, next_action: str) -> Result:
        """Record the end and say what is true of the endpoint now."""
        if self.journal.phase in UNTOUCHED:
            self.journal.enter(Phase.REFUSED, sentence)
        return Result(
            outcome=outcome,
            sentence=sentence,
            next_action=next_action,
            endpoint=self.endpoint_name,
            live=self.live,
            candidate=self.candidate,
            traffic=self.journal.traffic,
            smoke=self.smoke_results,
            verdict=self.verdict,
            journal=tuple(self.journal.entries),
            rows_path=self.rows_path if self.rows_path.exists() else None,
        )

    def success(self) -> tuple[str, str]:
        if self.live is None:
            return (
                f"{self.candidate} is the first release and has all traffic; there was nothing to compare it with.",
                "Nothing to do. The next release will be compared with this one.",
            )
        way_back = f"python -m deployment rollback --to {self.live} --model-dir {self.release.model.folder}"
        return (
            f"{self.candidate} has 100 % of the traffic. {self.verdict.sentence if self.verdict else ''}".strip(),
            f"Nothing to do. {self.live} stays at 0 %; `{way_back}` goes back to it.",
        )

    def observe_again(self) -> Endpoint:
        endpoint = self.platform.observe()
        if endpoint is None:
            raise PlatformError("endpoint: it does not exist any more; was it deleted while this release ran?")
        return endpoint

    def keep_logs(self) -> Path:
        """Store the candidate's last log lines beside the journal."""
        path = self.journal.path.with_name(f"{self.candidate}.log")
        try:
            text = self.platform.logs(self.candidate, lines=LOG_LINES)
        except PlatformError as error:
            text = f"no logs: {error}\n"
        path.write_text(text, encoding="utf-8")
        return path

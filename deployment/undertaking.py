"""What a release has at hand, and how it ends."""

from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

from deployment.candidate import is_what_was_asked_for
from deployment.ending import facts_of, success, verdict_of
from deployment.evidence import Evidence
from deployment.hold import Hold
from deployment.journal import Journal
from deployment.outcomes import BadInputError, ConflictError, Outcome
from deployment.patience import PatientPlatform
from deployment.phases import BEGUN, Phase, may_follow
from deployment.platform import (
    DEPLOYED_AT_TAG,
    GIT_SHA_TAG,
    IMAGE_TAG,
    MODEL_VERSION_TAG,
    RELEASE_ID_TAG,
    Deployment,
    DeploymentRequest,
    Endpoint,
    Platform,
    require,
)
from deployment.record import stamp, utc_now
from deployment.release import Release, Result
from deployment.scoring import ScoringClient
from deployment.settings import ReleaseSettings
from deployment.signals import undisturbed
from deployment.taking import Taken
from load.measure import Measurement, measure
from load.report_data import ContainerLog, SmokeCheck
from load.rows_file import RowsError
from load.verdict import Verdict


@dataclass
class Undertaking:
    """One release on one endpoint: what it was given, what it holds, and what it leaves when it ends."""

    platform: Platform
    settings: ReleaseSettings
    release: Release
    journal: Journal
    evidence: Evidence
    drill: bool | None = None  # None: as the settings say
    measure: Callable[..., Measurement] = measure
    connect: Callable[..., ScoringClient] = ScoringClient
    keep_size: Callable[[Deployment], str] | None = None  # asked where autoscale is on; returns what it did
    verdict: Verdict | None = None
    taken: Taken | None = None
    logs: tuple[ContainerLog, ...] = ()
    _open: ExitStack = field(default_factory=ExitStack)
    _client: ScoringClient | None = None

    def end(self, outcome: Outcome, sentence: str, next_action: str) -> Result:
        """Record the end, let go of the endpoint, and say what is true of it now."""
        with undisturbed(self.journal.started):
            if outcome is Outcome.FROZEN:
                sentence = self.frozen(sentence)
            elif self.taken is not None:
                if self.journal.phase in BEGUN:
                    self.journal.enter(Phase.REFUSED, sentence)
                    who = "Live keeps all traffic" if self.live else "Nobody has traffic, as before"
                    next_action = f"{who}. {next_action}"
                with suppress(ConflictError):  # who holds the endpoint by now has ended this release too
                    self.write_end(self.journal.phase, outcome)
        return self.result(outcome, sentence, next_action)

    def write_end(self, phase: Phase, outcome: Outcome, *, keep_warm_s: float | None = None) -> None:
        """Leave the end on the endpoint; a platform that refuses even that changes nothing of what is served.

        Raises ConflictError where somebody else has taken the endpoint meanwhile.
        """
        try:
            self.hold.end(phase, outcome, keep_warm_s=keep_warm_s)
        except ConflictError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it was, the release has ended as it has
            self.journal.record(
                f"the endpoint's tags still say that the release is under way, `resume` ends it: {error}"
            )

    def frozen(self, sentence: str) -> str:
        """Record that nothing more is touched, and return the sentence with what that leaves."""
        if may_follow(self.journal.phase, Phase.FROZEN):
            self.journal.enter(Phase.FROZEN, sentence)
        found = self.there()
        return f"{sentence} The endpoint now has: {found.routing}." if found else sentence

    def passed(self) -> Result:
        """Return the report's content between the gate and the first step."""
        verdict = self.verdict_on_hand()
        told = verdict.sentence if verdict else "The gate has passed it."
        return self.result(Outcome.PASSED, told, "Read the report; `python -m deployment shift` gives it traffic.")

    def success(self) -> Result:
        return self.result(Outcome.PROMOTED, *success(self.release, self.hold.record, self.verdict_on_hand()))

    def result(self, outcome: Outcome, sentence: str, next_action: str) -> Result:
        verdict, found = self.verdict_on_hand(), self.there()
        return Result(
            outcome=outcome,
            sentence=sentence,
            next_action=next_action,
            endpoint=found.name if found else self.current.name,
            live=self.live,
            candidate=self.candidate,
            traffic=found.traffic if found else self.journal.traffic,
            smoke=self.smoke_on_hand(),
            verdict=verdict,
            journal=tuple(self.journal.entries),
            rows_path=self.evidence.rows_path if verdict else None,
            logs=self.logs,
            history=tuple(each for each in self.hold.record.past if each.release_id != self.release.release_id),
            facts=facts_of(found, self.live, self.candidate) if found else {},
        )

    def verdict_on_hand(self) -> Verdict | None:
        """Return the verdict; judged again where another process did that, None where the rows are damaged."""
        with suppress(RowsError):
            return self.verdict or verdict_of(self.evidence, self.settings.gate)
        return None

    def smoke_on_hand(self) -> tuple[SmokeCheck, ...]:
        """Return what the candidate answered; nothing where that file is damaged."""
        with suppress(BadInputError):
            return self.evidence.read_smoke(self.release.image)
        return ()

    def there(self) -> Endpoint | None:
        """Return the endpoint as it is; None where that cannot be read, which must not hide how a release ended."""
        with suppress(Exception, SystemExit, KeyboardInterrupt):
            return self.platform.observe()
        return None

    def is_there(self) -> bool:
        """Tell whether the candidate is what this release has deployed, and ready."""
        found = require(self.patient.observe()).deployments.get(self.candidate)
        return found is not None and is_what_was_asked_for(found, self.request)

    # Shorthands

    @property
    def current(self) -> Taken:
        if self.taken is None:
            raise AssertionError("the endpoint has not been taken")
        return self.taken

    @property
    def hold(self) -> Hold:
        return self.current.hold

    @property
    def live(self) -> str | None:
        return self.hold.record.live or None

    @property
    def candidate(self) -> str:
        return self.hold.record.candidate

    @property
    def patient(self) -> PatientPlatform:
        return PatientPlatform(self.platform, self.settings.platform.patience_s)

    @property
    def client(self) -> ScoringClient:
        """The endpoint's client, made when it is first needed; a key that was rotated meanwhile is fetched anew."""
        if self._client is None:
            uri, key = require(self.patient.observe()).scoring_uri, self.patient.endpoint_key()
            client = self.connect(uri, key, new_key=self.patient.endpoint_key)
            self._client = self._open.enter_context(client)
        return self._client

    @property
    def request(self) -> DeploymentRequest:
        """The candidate as it is to be deployed."""
        release = self.release
        tags = {
            RELEASE_ID_TAG: release.release_id,
            MODEL_VERSION_TAG: release.model.version,
            IMAGE_TAG: release.image,
            GIT_SHA_TAG: release.git_sha,
            DEPLOYED_AT_TAG: stamp(utc_now()),
        }
        return DeploymentRequest(self.candidate, release.image, tags)

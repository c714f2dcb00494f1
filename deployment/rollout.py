"""A release from an image to 100 % of the traffic, or to a refusal."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from deployment.candidate import bring_up
from deployment.ending import failed_to_start, keep_logs, refused_by_gate
from deployment.golden import refuse_if_wrong, refuse_other_form, smoke
from deployment.outcomes import BadInputError, Breach, ConflictError, Outcome, ProvisioningError
from deployment.phases import BEGUN, ENDED, UNDER_TRAFFIC, Phase
from deployment.platform import Deployment, DeploymentRequest, Endpoint, require
from deployment.release import Result
from deployment.shift import LOOK_AT_IT, Shift, reason_of
from deployment.signals import undisturbed
from deployment.taking import take
from deployment.undertaking import Undertaking
from load.gate import judge
from load.measure import LoadError, LoadPlan
from load.rows_file import read_rows
from load.verdict import Outcome as GateOutcome

Step = Callable[[], None]


@dataclass
class Rollout(Undertaking):
    """One release on one endpoint; each step first observes what is there, then does what is left to do."""

    def promote(self) -> Result:
        """Take the release as far as it may go; raises ReleaseError where nothing was begun."""
        ended = self.run(self.deploy, self.smoke, self.load, self.gate, self.shift, self.keep_live_warm)
        return ended or self.success()

    def run(self, *steps: Step) -> Result | None:
        """Take the endpoint and go the steps; return how the release ended, None where it has not."""
        with self._open:
            return self.end_of(self.take, *steps)

    def end_of(self, *steps: Step) -> Result | None:
        try:
            for step in steps:
                step()
        except Breach as breach:
            return self.end(breach.outcome, breach.sentence, breach.next_action)
        except BadInputError:
            raise
        except BaseException as error:  # whatever it was, the endpoint must not stay held for it
            if self.taken is None:
                raise
            return self.end_by(error)
        return None

    def end_by(self, error: BaseException) -> Result | None:
        """End the release by an error or a signal before the first step of the traffic, or after the last."""
        if isinstance(error, ConflictError):
            return self.end(Outcome.FROZEN, reason_of(error), LOOK_AT_IT)
        if self.journal.phase is Phase.PROMOTED:
            return self.end_of(self.keep_live_warm)
        if self.journal.phase in UNDER_TRAFFIC:
            return self.take_back(reason_of(error))
        outcome = Outcome.PLATFORM_ERROR if isinstance(error, Exception) else Outcome.STOPPED
        return self.end(outcome, reason_of(error), "Release again.")

    def take_back(self, why: str) -> Result:
        """Walk the way back of a release that was under traffic already when it was taken up again."""
        try:
            with undisturbed(self.journal.started):
                ended = self.new_shift().go_back(why)
        except Exception as error:  # noqa: BLE001 - nothing but the split is left, which has to be told
            return self.end(Outcome.FROZEN, f"{why} And the way back could not be begun: {error}.", LOOK_AT_IT)
        return self.end(ended.outcome, ended.sentence, ended.next_action)

    # The steps

    def take(self) -> None:
        """Read the endpoint, create it where there is none, and hold it."""
        self.journal.started("reading the endpoint")
        taken = take(self.patient, self.settings.platform, self.release)
        self.journal.phase, self.journal.traffic = taken.phase, taken.routing.traffic
        self.taken = taken
        taken.write()
        self.journal.record(taken.event)

    def deploy(self) -> None:
        """Make the candidate at 0 %, in place of what an earlier release left under its name."""
        if self.journal.phase not in BEGUN:
            return
        self.journal.started(f"deploying {self.candidate} at 0 %")
        self.keep_live_large()
        try:
            timeout_s = self.settings.platform.provisioning_timeout_s
            made = bring_up(self.patient, self.sized_request(), timeout_s=timeout_s, before_making=self.begin_anew)
        except ProvisioningError as error:
            self.logs = keep_logs(self.patient, self.candidate, self.evidence)
            raise failed_to_start(self.candidate, self.evidence, self.logs, error) from error
        if made or self.journal.phase is Phase.OBSERVED:
            model = self.release.model
            self.journal.enter(Phase.DEPLOYED, f"{self.candidate} is ready at 0 % with model {model.version}")

    def sized_request(self) -> DeploymentRequest:
        """Return the candidate as it is to be deployed: where live has grown by autoscale, as large as live."""
        live = self.scaled_live()
        return replace(self.request, least_instances=live.instance_count) if live else self.request

    def keep_live_large(self) -> None:
        """Let autoscale take no instance from live until the release has ended; a failure is told, and no more."""
        try:
            if self.keep_size is not None and (live := self.scaled_live()):
                self.journal.record(self.keep_size(live))
        except Exception as error:  # noqa: BLE001 - whatever it was, the release is what counts
            self.journal.record(f"warning: autoscale may take instances from {self.live} meanwhile: {error}")

    def scaled_live(self) -> Deployment | None:
        """Return live as it is where autoscale changes it; None where there is none, or autoscale is off."""
        if not self.settings.autoscale.enabled or self.live is None:
            return None
        return require(self.patient.observe()).deployments.get(self.live)

    def routing_and_advantage(self) -> str:
        """Return what may not change while load is measured: the routing, and by how many instances one is ahead."""
        endpoint = require(self.patient.observe())
        return "; ".join(filter(None, (str(endpoint.routing), self.advantage_on(endpoint))))

    def advantage_on(self, endpoint: Endpoint) -> str:
        """Say by how many instances the candidate has more than live; empty where not, or autoscale is off."""
        live, candidate = (endpoint.deployments.get(name or "") for name in (self.live, self.candidate))
        if not self.settings.autoscale.enabled or live is None or candidate is None:
            return ""
        ours, theirs = candidate.instance_count, live.instance_count
        return f"{candidate.name} has {ours} instances where {live.name} has {theirs}" if ours > theirs else ""

    def refuse_advantage(self, endpoint: Endpoint) -> None:
        """Raise Breach where the candidate has more instances than live, so that comparing would tell nothing."""
        if unfair := self.advantage_on(endpoint):
            raise Breach(
                Outcome.INVALID,
                f"The candidate would be measured at an advantage: {unfair}.",
                "Set instance_count in deployment.yml to no more than minimum_instances of [autoscale], or wait until "
                f"{self.live} has as many, then release again.",
            )

    def begin_anew(self) -> None:
        """See that the endpoint is still held, and forget what was found of a candidate that is not there any more."""
        if self.hold.record.phase is Phase.PASSED:
            self.hold.write(Phase.OBSERVED)
        else:
            self.hold.refuse_unless_ours()
        self.evidence.forget_measurements()

    def smoke(self) -> None:
        """Ask the candidate its golden requests, by name."""
        if self.journal.phase is not Phase.DEPLOYED:
            return
        self.journal.started(f"smoke: golden requests to {self.candidate} by name")
        results = smoke(self.client, self.release.model.golden, self.candidate)
        self.evidence.keep_smoke(self.release.image, results)
        refuse_if_wrong(results, self.candidate)
        if self.live is not None:
            refuse_other_form(self.client, self.release.model.golden, live=self.live, candidate=self.candidate)
        self.journal.enter(Phase.SMOKED, f"{self.candidate} answered {len(results)} golden requests right")

    def load(self) -> None:
        """Measure the candidate, beside live with the same requests in the same minutes where there is one."""
        if self.journal.phase is not Phase.SMOKED:
            return
        beside = (
            f"the same requests to {self.live} and {self.candidate}" if self.live else f"requests to {self.candidate}"
        )
        self.journal.started(f"load: {beside}")
        endpoint = require(self.patient.observe())
        self.refuse_advantage(endpoint)
        plan = LoadPlan(
            scoring_uri=endpoint.scoring_uri,
            live=self.live,
            candidate=self.candidate,
            payloads_path=self.release.model.golden_path,
            settings=self.settings.load,
        )
        try:
            measurement = self.measure(
                plan,
                key=self.patient.endpoint_key(),
                rows_path=self.evidence.rows_path,
                on_progress=self.journal.watcher.measured,
                policy=self.settings.gate,
                observe=self.routing_and_advantage,
            )
        except LoadError as error:
            raise Breach(
                Outcome.INVALID, f"The load test broke off: {error}", "Mend it, then release again."
            ) from error
        what = "pairs of requests" if self.live else "requests"
        self.journal.enter(Phase.MEASURED, f"{measurement.pairs} {what} in {measurement.elapsed_s:.0f} s")

    def gate(self) -> None:
        """Let the gate judge the stored rows, and leave its word on the endpoint."""
        if self.journal.phase is not Phase.MEASURED:
            return
        rows = read_rows(self.evidence.rows_path)
        if (rows.plan.live, rows.plan.candidate) != (self.live, self.candidate):
            raise BadInputError(
                f"gate: {self.evidence.rows_path} is of {rows.plan.candidate} beside {rows.plan.live}, not of "
                f"{self.candidate} beside {self.live}; run `load` first"
            )
        self.verdict = verdict = judge(rows, self.settings.gate)
        if verdict.outcome is not GateOutcome.PASS:
            raise refused_by_gate(verdict)
        self.hold.write(Phase.PASSED)
        self.journal.enter(Phase.PASSED, f"gate: {verdict.sentence}")

    def shift(self) -> None:
        """Move the traffic, step by step."""
        if self.journal.phase in ENDED:
            return
        shift = self.new_shift()
        if self.journal.phase in {Phase.ROLLING_BACK, Phase.FROZEN}:
            raise shift.go_back(f"The release was {self.journal.phase} when it was taken up again.")
        if self.journal.phase is Phase.SHIFTING and not self.is_there():
            raise shift.go_back(f"{self.candidate} is not the deployment of this release any more.")
        shift.run()

    def new_shift(self) -> Shift:
        return Shift(
            platform=self.platform,
            client=self.client,
            hold=self.hold,
            journal=self.journal,
            settings=self.settings,
            golden=self.release.model.golden,
            live=self.live,
            candidate=self.candidate,
            drill=self.settings.shift.drill if self.drill is None else self.drill,
        )

    def keep_live_warm(self) -> None:
        """Let go of the endpoint, with the deployment that was live kept for the way back."""
        if not self.hold.record.in_flight:
            return
        with undisturbed(self.journal.started):
            self.write_end(Phase.PROMOTED, Outcome.PROMOTED, keep_warm_s=self.settings.soak.duration_s)

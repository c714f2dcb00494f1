"""Two images beside each other on this machine: what a release would say of the one over the other, without a cloud."""

import os
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from deployment.building import Runtime
from deployment.display import LiveDisplay
from deployment.emulated import emulator
from deployment.ending import failed_to_start, keep_logs
from deployment.evidence import Evidence
from deployment.golden import ModelArtefacts
from deployment.outcomes import Outcome, ProvisioningError
from deployment.platform import IMAGE_TAG, MODEL_VERSION_TAG, DeploymentRequest, Platform, Routing
from deployment.record import require_name
from deployment.release import Release, Result
from deployment.releasing import Paths, connect, make_rollout
from deployment.settings import ReleaseSettings
from deployment.taking import COLOURS

LIVE = COLOURS[0]
COMMIT_DIGITS = 12
ADVISORY = frozenset({Outcome.INCONCLUSIVE, Outcome.INVALID})
OF_TRAFFIC = ("Live keeps all traffic. ", "Nobody has traffic, as before. ")


@dataclass(frozen=True)
class Base:
    """What is compared with: an image, the model in it, and the commit that it was made from (empty: unknown)."""

    image: str
    model: ModelArtefacts
    commit: str


@dataclass(frozen=True)
class Comparison:
    """How the candidate did beside the base; `base_fault` says why that was not there, and is empty where it was."""

    result: Result
    base: Base
    release: Release
    base_fault: str
    binding: bool

    @property
    def exit_code(self) -> int:
        """Return what the command ends with: a verdict counts where it is binding and was reached beside the base."""
        outcome = self.result.outcome
        is_told_alone = outcome in ADVISORY or (outcome is Outcome.REFUSED_BY_GATE and not self.counts)
        return 0 if is_told_alone else outcome.exit_code

    @property
    def counts(self) -> bool:
        return self.binding and not self.base_fault

    @property
    def facts(self) -> dict[str, str]:
        """What the report says of the base and of where it was measured."""
        return {
            "measured on": "one machine, with an emulated Azure ML",
            "base image": self.base.image,
            "base commit": self.base.commit or "unknown",
        }

    def told(self) -> Result:
        """Return the result in the words of whoever changes the code, and has no traffic to move."""
        return replace(
            self.result,
            endpoint=f"{self.result.endpoint}, the change beside its base",
            sentence=f"{self.result.sentence} {self.who}",
            next_action=self.next_action,
        )

    @property
    def who(self) -> str:
        """Say what was compared with what."""
        change = f"{self.result.candidate} is the change ({said_of(self.release.git_sha, self.release.model)})"
        base = f"the base ({said_of(self.base.commit, self.base.model)})"
        if self.base_fault:
            return f"{change}, measured alone, as {base} is broken: {self.base_fault.rstrip('.')}."
        return f"{change}, {self.result.live} {base}."

    @property
    def next_action(self) -> str:
        match self.result.outcome:
            case Outcome.PASSED:
                return "Nothing to do."
            case Outcome.INCONCLUSIVE | Outcome.INVALID:
                return "This fails no check. Run it again, or look at the release's own load test after the merge."
            case Outcome.REFUSED_BY_GATE if self.counts:
                return "Mend what the failed criteria show."
            case Outcome.REFUSED_BY_GATE:
                return (
                    "Look at the failed criteria. This fails no check: `binding` under `pull_request` in "
                    "deployment/release.toml would."
                )
            case _:
                told = self.result.next_action
                for prefix in OF_TRAFFIC:
                    told = told.removeprefix(prefix)
                return told


def said_of(commit: str, model: ModelArtefacts) -> str:
    return f"commit {commit[:COMMIT_DIGITS] or 'unknown'}, model {model.version}"


def compare(
    base: Base,
    release: Release,
    settings: ReleaseSettings,
    paths: Paths,
    *,
    runtime: Runtime,
    bundles: Path,
    binding: bool,
    display: LiveDisplay,
) -> Comparison:
    """Give an emulated endpoint the base as its live deployment, and take the release as far as its gate.

    What an earlier comparison has left in the folder of the reports is removed first.
    """
    evidence = paths.evidence_of(require_name("release id", release.release_id))
    shutil.rmtree(evidence.folder, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="byoc-compare-") as folder:
        display.started("starting the emulator of Azure ML")
        with emulator(Path(folder), bundles, runtime) as environment:
            # Before the SDK is imported, which asks for the cloud's metadata already.
            os.environ.update(environment)
            platform = connect(paths, settings.platform)
            display.started(f"deploying the base as {LIVE}")
            base_fault = place_live(platform, base, evidence)
            display.said(base_fault or f"{LIVE} is the base, ready and live")
            rollout = make_rollout(platform, settings, release, paths, display)
            ended = rollout.run(rollout.deploy, rollout.smoke, rollout.load, rollout.gate)
            result = ended or rollout.passed()
    return Comparison(result, base, release, base_fault, binding)


def place_live(platform: Platform, base: Base, evidence: Evidence) -> str:
    """Give a new endpoint a live deployment that nobody has measured; return why it did not become ready, or nothing.

    Then the endpoint is without a live deployment, and what is released on it is a first release.
    """
    platform.create_endpoint({})
    tags = {IMAGE_TAG: base.image, MODEL_VERSION_TAG: base.model.version}
    try:
        platform.deploy(DeploymentRequest(LIVE, base.image, tags))
    except ProvisioningError as error:
        fault = failed_to_start(LIVE, evidence, keep_logs(platform, LIVE, evidence), error)
        platform.delete_deployment(LIVE)
        return fault.sentence
    platform.write(Routing({LIVE: 100}), {}, expected=None, holders=None)
    return ""

"""A release in a process of its own, forked from one that has the SDK loaded: it can be killed at any call."""

import os
import select
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from azure.core.pipeline.transport import RequestsTransport

from deployment.aftercare import Aftercare
from deployment.azureml import AzureML, workspace_from
from deployment.evidence import Evidence
from deployment.golden import GoldenRequest, GoldenRequests, ModelArtefacts
from deployment.journal import Journal
from deployment.outcomes import Outcome, ReleaseError
from deployment.patience import PatientPlatform
from deployment.release import Release
from deployment.rollback import PROBES
from deployment.rollout import Rollout
from deployment.scoring import Answer, ScoringClient
from deployment.settings import PlatformSettings, ReleaseSettings, ShiftSettings, SoakSettings
from load.measure import LoadPlan, Measurement
from load.rows import Row, RunEnd, RunPlan
from load.rows_file import RowsWriter
from load.settings import GatePolicy, LoadSettings
from tests.lib.release_fakes import RecordingWatcher
from tests.lib.shipped import DEPLOYMENT_FILE

GOLDEN = GoldenRequests(
    absolute_tolerance=0,
    relative_tolerance=0,
    requests=(GoldenRequest(id="golden-00", body={"data": [[1.0]]}, predictions=(1.0,)),),
)
SETTINGS = ReleaseSettings(
    shift=ShiftSettings(
        steps_percent=(10, 50, 100),
        probes_per_step=132,
        routing_timeout_s=5,
        bake_s=0,
        mirror_percent=10,
        mirror_s=0,
    ),
    load=LoadSettings(),
    gate=GatePolicy(min_samples=100, block_s=2, bootstrap_resamples=200),
    soak=SoakSettings(duration_s=3600),
    platform=PlatformSettings(
        provisioning_timeout_s=6, operation_timeout_s=3, patience_s=8, rollback_patience_s=12, lease_s=3600
    ),
)
# Much longer than any of the times above: a release that is still at it hangs.
HANGS_AFTER_S = 120.0
# What of the SDK's traffic counts as a call of the release: not its credentials, nor the cloud's metadata.
OF_THE_RELEASE = ("/onlineEndpoints/", "/mfeOperations", "/environments/", "/workspaces/")


@dataclass(frozen=True)
class Site:
    """Where releases of one endpoint are made; the environment has to lead the SDK there already."""

    folder: Path
    endpoint: str

    def platform(self) -> AzureML:
        """Return the endpoint by the SDK, with nothing between."""
        path = self.folder / f"{self.endpoint}.yml"
        path.write_text(f"name: {self.endpoint}\nauth_mode: key\n", encoding="utf-8")
        limits = SETTINGS.platform
        return AzureML(
            workspace_from(os.environ),
            endpoint_file=path,
            deployment_file=DEPLOYMENT_FILE,
            provisioning_timeout_s=limits.provisioning_timeout_s,
            operation_timeout_s=limits.operation_timeout_s,
        )

    def rollout(
        self,
        release_id: str,
        image: str,
        model: ModelArtefacts | None = None,
        connect: Callable[..., ScoringClient] = ScoringClient,
    ) -> Rollout:
        """Return a release, or what goes on with it."""
        folder = self.folder / "reports" / self.endpoint / release_id
        model = model or ModelArtefacts(folder, "tiny", "1", folder / "golden.json", GOLDEN)
        evidence = Evidence(folder)
        journal = Journal(evidence.journal_path, RecordingWatcher())
        release = Release(release_id, image, model, "0" * 40)
        return Rollout(
            self.platform(), SETTINGS, release, journal, evidence, measure=measure_synthetically, connect=connect
        )


def measure_synthetically(plan: LoadPlan, *, rows_path: Path, **_: object) -> Measurement:
    """Write the rows of a good run at once: what is measured is not what these releases are about."""
    pairs, duration_s = 600, 20.0
    names = {"live": plan.live, "candidate": plan.candidate}
    run = RunPlan("2026-01-01T00:00:00", plan.live, plan.candidate, pairs / duration_s, 0.0, duration_s, 10.0, 100, 1)
    with RowsWriter(rows_path, run) as writer:
        for pair in range(pairs):
            for role, name in names.items():
                if name is not None:
                    service_ms = 5.0 + pair % 7
                    due_s = pair * duration_s / pairs
                    writer.write(
                        Row(pair, role, due_s, 0.1, service_ms, 0, 200, "", name, "", "golden-00", "", 0.0, "")
                    )
        writer.end(RunEnd(pairs, duration_s, duration_s, 0.05))
    return Measurement(rows_path, pairs, pairs, 0, duration_s, 0.05)


def kill_at(place: int, *, before: bool) -> None:
    """Make this process die of SIGKILL at its `place`-th call (from 0), before it is sent or after it was answered."""
    send = RequestsTransport.send
    sent = 0

    def counted(self: RequestsTransport, request: Any, **options: Any) -> Any:
        nonlocal sent
        is_ours = any(part in request.url for part in OF_THE_RELEASE)
        is_the_one = is_ours and sent == place
        sent += is_ours
        if is_the_one and before:
            os.kill(os.getpid(), signal.SIGKILL)
        response = send(self, request, **options)
        if is_the_one:
            os.kill(os.getpid(), signal.SIGKILL)
        return response

    RequestsTransport.send = counted  # in this process alone, which is about to die


class BreachAtTheSecondStep(ScoringClient):
    """A client that is told once, when the first step has been verified, that a request has failed."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._unnamed = count(1)

    def score(self, body: Any, *, deployment: str | None = None) -> Answer:
        if deployment is None and next(self._unnamed) == PROBES + SETTINGS.shift.probes_per_step + 1:
            return Answer(424, "", {"error": "a breach on purpose"}, "")
        return super().score(body, deployment=deployment)


def release_in_child(
    site: Site,
    release_id: str,
    image: str,
    kill: Callable[[], None] = lambda: None,
    connect: Callable[..., ScoringClient] = ScoringClient,
) -> str:
    """Run a release in a child and return how it ended, in a word or two."""

    def run() -> str:
        kill()
        try:
            result = site.rollout(release_id, image, connect=connect).promote()
        except ReleaseError as error:
            return f"error {error.exit_code}: {error}"
        return result.outcome.value

    return in_child(run)


def close_in_child(site: Site, *, delete: bool) -> str:
    """Give up the way back, or delete the endpoint; return what went wrong."""

    def run() -> str:
        platform = PatientPlatform(site.platform(), SETTINGS.platform.patience_s)
        if delete:
            platform.delete_endpoint()
        else:
            Aftercare(platform, SETTINGS, lambda _: None).finish(at_once=True)
        return "closed"

    said = in_child(run)
    return "" if said == "closed" else said


def leave_over_in_child(site: Site, image: str) -> str:
    """Deploy a candidate of a release that is then stopped; return how that ended."""

    def run() -> str:
        rollout = site.rollout("left-over", image)
        ended = rollout.run(rollout.deploy) or rollout.end(Outcome.STOPPED, "stopped on purpose", "")
        return ended.outcome.value

    return in_child(run)


def in_child(run: Callable[[], str]) -> str:
    """Run something in a forked process and return what it returns; `killed`, or `hangs`, where it does not."""
    read_end, write_end = os.pipe()
    process_id = os.fork()
    if process_id == 0:
        os.close(read_end)
        try:
            said = run()
        except BaseException:  # noqa: BLE001 - the parent has to hear of whatever it was
            said = f"crashed: {traceback.format_exc()[-1500:]}"
        os.write(write_end, said.encode()[:60_000])
        os._exit(0)
    os.close(write_end)
    return awaited(process_id, read_end)


def awaited(process_id: int, read_end: int) -> str:
    """Return what the child writes before its end of the pipe is closed, as it is when it ends, however it does."""
    deadline_s = time.monotonic() + HANGS_AFTER_S
    said = b""
    with os.fdopen(read_end, "rb", buffering=0) as pipe:
        while select.select([pipe], [], [], max(0.0, deadline_s - time.monotonic()))[0]:
            if not (part := pipe.read(65_536)):
                os.waitpid(process_id, 0)
                return said.decode() or "killed"
            said += part
    os.kill(process_id, signal.SIGKILL)
    os.waitpid(process_id, 0)
    return "hangs"

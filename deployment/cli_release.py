"""The commands of a release: all phases, or each alone for a workflow's jobs."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deployment import single_steps
from deployment.checks import Standing
from deployment.cli_monitoring import follow_traffic, keep_size_of
from deployment.cli_options import (
    EXIT_CODES_TOLD,
    Image,
    ModelDir,
    ReleaseId,
    RunUrl,
    require_digest,
    settings_of,
    with_paths,
)
from deployment.cli_upkeep import print_checks, run_preflight, tell_checks
from deployment.display import LiveDisplay, make_console, print_result
from deployment.golden import read_artefacts
from deployment.outcomes import BadInputError, Outcome
from deployment.patience import PatientPlatform
from deployment.platform import require
from deployment.record import read_record
from deployment.release import Release, Result
from deployment.releasing import Paths, connect, git_sha, make_rollout, patiently, with_steps, write_reports
from deployment.rollout import Rollout
from deployment.telling import tell_github, tell_phase
from load.rows_file import RowsError

if TYPE_CHECKING:
    from deployment.azureml import AzureML

UNDER_WAY = (Outcome.PASSED, Outcome.FROZEN)  # the release goes on, or a person has to look first
Run = Callable[[Rollout], Result | None]
Find = Callable[["AzureML", PatientPlatform], Release]
IN_JOBS = "for a workflow's jobs: deploy, smoke, load, gate, shift, each in a process of its own, share --reports-dir."

ExpectedId = Annotated[str, typer.Option("--release-id", help="Refuse if another release than this is under way.")]
Drill = Annotated[
    bool | None,
    typer.Option("--drill/--no-drill", help=r"Walk the way back once before traffic moves; default: as \[shift] says."),
]
Steps = Annotated[
    str, typer.Option(help=r"The candidate's share, step by step, as 10,50,100; default: as \[shift] says.")
]
Preflight = Annotated[bool, typer.Option("--preflight/--no-preflight", help="Check all that can be, before the rest.")]


@with_paths(reports=True)
def promote(
    paths: Paths,
    image: Image,
    model_dir: ModelDir,
    release_id: ReleaseId = "",
    run_url: RunUrl = "",
    drill: Drill = None,
    steps: Steps = "",
    preflight: Preflight = True,
) -> None:
    """Preflight, deploy at 0 %, smoke, load, gate, shift; back at the first breach.

    The same release, started again, goes on where the endpoint says it is; another is refused while one is under way.
    """
    release = new_release(image, model_dir, release_id, run_url)

    def find(azure: "AzureML", patient: PatientPlatform) -> Release:
        if preflight and not goes_on(patient, release.release_id):
            refuse_unless_ready(azure, paths, image, release.release_id)
        return release

    go(paths, find, lambda rollout: rollout.promote(), drill=drill, steps=steps)


@with_paths(reports=True)
def deploy(
    paths: Paths,
    image: Image,
    model_dir: ModelDir,
    release_id: ReleaseId = "",
    run_url: RunUrl = "",
) -> None:
    """Begin a release: hold the endpoint and make the candidate at 0 %."""
    release = new_release(image, model_dir, release_id, run_url)
    go(paths, lambda *_: release, lambda rollout: rollout.run(rollout.deploy))


def of_the_one_under_way(name: str, told: str, run: Run) -> Callable[..., None]:
    """Return a command that goes on with the release that is under way."""

    def command(paths: Paths, model_dir: ModelDir, release_id: ExpectedId = "", run_url: RunUrl = "") -> None:
        go(paths, under_way(model_dir, run_url, release_id), run)

    command.__name__, command.__doc__ = name, told
    return with_paths(reports=True)(command)


resume = of_the_one_under_way(
    "resume",
    "Go on with the release that is under way: finish it, or undo it where it had begun to go back.",
    lambda rollout: rollout.promote(),
)
smoke = of_the_one_under_way("smoke", "Ask the deployed candidate its golden requests, by name.", single_steps.smoke)
load = of_the_one_under_way(
    "load",
    "Measure the candidate under load, beside live with the same requests where there is one.",
    single_steps.load,
)
gate = of_the_one_under_way(
    "gate", "Judge the stored rows, write the report, and leave the gate's word on the endpoint.", single_steps.gate
)


@with_paths(reports=True)
def shift(
    paths: Paths,
    model_dir: ModelDir,
    release_id: ExpectedId = "",
    run_url: RunUrl = "",
    drill: Drill = None,
    steps: Steps = "",
) -> None:
    """Move the traffic to a candidate that the gate has passed; back at the first breach."""
    go(paths, under_way(model_dir, run_url, release_id), single_steps.shift, drill=drill, steps=steps)


EXAMPLES: dict[Callable[..., None], str] = {
    promote: "promote --image myregistry.azurecr.io/diabetes-byoc@sha256:... --model-dir artifacts/model-3",
    resume: "resume --model-dir artifacts/model-3",
    deploy: "deploy --image myregistry.azurecr.io/diabetes-byoc@sha256:... --model-dir artifacts/model-3",
    smoke: "smoke --model-dir artifacts/model-3",
    load: "load --model-dir artifacts/model-3 --profile demo",
    gate: "gate --model-dir artifacts/model-3 --profile demo",
    shift: "shift --model-dir artifacts/model-3 --steps 5,25,100 --no-drill",
}


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    for command, example in EXAMPLES.items():
        alone = "" if command in {promote, resume} else f" One of those {IN_JOBS}"
        app.command(epilog=f"Example: python -m deployment {example}.{alone} {EXIT_CODES_TOLD}")(command)


def new_release(image: str, model_dir: Path, release_id: str, run_url: str) -> Release:
    sha = git_sha()
    named = release_id or f"{sha[:12]}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    return Release(named, require_digest(image), read_artefacts(model_dir), sha, run_url)


def under_way(model_dir: Path, run_url: str, release_id: str = "") -> Find:
    """Return what reads from the endpoint which release is under way; its model has to be that of the folder."""
    model = read_artefacts(model_dir)

    def read(_: "AzureML", patient: PatientPlatform) -> Release:
        endpoint = require(patient.observe())
        record = read_record(endpoint.tags)
        if record is None or not record.in_flight:
            last = f"release {record.release_id} has ended as {record.phase}" if record else "there has been none"
            raise BadInputError(
                f"endpoint {endpoint.name}: no release is under way; {last}. `promote` or `deploy` begins one"
            )
        if release_id and record.release_id != release_id:
            raise BadInputError(
                f"--release-id {release_id}: release {record.release_id} is under way on endpoint {endpoint.name}, "
                f"{record.phase}, held by {record.holder}; this one has been ended or overtaken"
            )
        if record.model_version != model.version:
            raise BadInputError(
                f"--model-dir {model_dir}: it has model {model.version} where release {record.release_id} is of model "
                f"{record.model_version}; name that one's folder"
            )
        return Release(record.release_id, record.image, model, record.git_sha, run_url)

    return read


def goes_on(patient: PatientPlatform, release_id: str) -> bool:
    """Tell whether the release is under way already: then nothing that can be checked may keep it from its end."""
    endpoint = patient.observe()
    record = read_record(endpoint.tags) if endpoint is not None else None
    return record is not None and record.in_flight and record.release_id == release_id


def refuse_unless_ready(azure: "AzureML", paths: Paths, image: str, release_id: str) -> None:
    checks = run_preflight(azure, paths, image, release_id)
    if failed := [check for check in checks if check.standing is Standing.FAIL]:
        print_checks(make_console(), checks)
        tell_checks(checks)
        told = "; ".join(f"{check.name}: {check.found}; {check.fix}" for check in failed)
        raise BadInputError(f"preflight: {told}. Nothing was touched; --no-preflight begins anyway")


def go(paths: Paths, find: Find, run: Run, *, drill: bool | None = None, steps: str = "") -> None:
    """Run some phases of a release, write its report, and end with the exit code of what came out."""
    settings = with_steps(settings_of(paths), steps)
    console = make_console()
    with LiveDisplay(console) as display:
        display.started("connecting to Azure ML")
        azure = connect(paths, settings.platform)
        release = find(azure, patiently(azure, settings))
        rollout = make_rollout(azure, settings, release, paths, display, drill=drill)
        rollout.keep_size = partial(keep_size_of, azure, settings)
        result = run(rollout)
    if result is None:
        console.print(f"release {release.release_id}: {rollout.journal.phase}", markup=False)
        tell_phase(release.release_id, rollout.journal.phase)
        return
    written = written_reports(result, release, paths)
    print_result(console, result, {"release": release.release_id, **written})
    tell_github(result, release.release_id, folder_of(written))
    if result.outcome not in UNDER_WAY:
        follow_traffic(azure, settings, console)
    raise SystemExit(result.outcome.exit_code)


def folder_of(written: Mapping[str, str]) -> Path | None:
    """Return the folder of the reports that were written just now; None where none could be."""
    return Path(written["report"]).parent if "report" in written else None


def written_reports(
    result: Result, release: Release, paths: Paths, facts: dict[str, str] | None = None
) -> dict[str, str]:
    """Write the reports and return where they are; a full disk must not hide how the release ended."""
    try:
        return write_reports(result, release, paths, facts or {})
    except (OSError, RowsError) as error:
        return {"no report": str(error)}

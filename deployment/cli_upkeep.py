"""The commands around a release: before it, over its head, and after it."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deployment.aftercare import Aftercare
from deployment.checks import Check, Standing
from deployment.cli_options import (
    Image,
    OptionalModelDir,
    RunUrl,
    artefacts_if,
    connect_patiently,
    require_digest,
    settings_of,
    with_paths,
)
from deployment.display import LiveDisplay, make_console
from deployment.evidence import Evidence
from deployment.journal import Journal
from deployment.outcomes import EXIT_BAD_INPUT, Outcome
from deployment.record import read_record
from deployment.releasing import Paths, connect
from deployment.standing import endpoint_standing, history_table, status_table
from deployment.takeback import TakeBack, TakenBack
from deployment.taking import COLOURS

if TYPE_CHECKING:
    from deployment.azureml import AzureML

How = Callable[[TakeBack], TakenBack]
NO_ENDPOINT = "The endpoint does not exist yet; `python -m deployment promote` creates it."
STYLES = {Standing.OK: "green", Standing.WARN: "yellow", Standing.FAIL: "red"}
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]


@with_paths()
def preflight(
    paths: Paths,
    image: Image,
) -> None:
    """Check quota, names, AcrPull, the image's digest and the configuration; touches nothing, exits 2 on a failure."""
    require_digest(image)
    checks = run_preflight(connect(paths, settings_of(paths).platform), paths, image)
    print_checks(make_console(), checks)
    raise SystemExit(EXIT_BAD_INPUT if any(check.standing is Standing.FAIL for check in checks) else 0)


@with_paths(reports=True)
def rollback(
    paths: Paths,
    to: Annotated[str | None, typer.Option(help="Who is to have all traffic; default: who served before.")] = None,
    model_dir: OptionalModelDir = None,
    run_url: RunUrl = "",
) -> None:
    """Give one deployment all traffic, without a gate, unless it is not healthy; ends a release that is under way."""
    take_back(paths, model_dir, run_url, lambda taking: taking.roll_back(to))


@with_paths(reports=True)
def abort(
    paths: Paths,
    model_dir: OptionalModelDir = None,
    run_url: RunUrl = "",
) -> None:
    """End the release that is under way: its process can write no more, and the traffic goes where it was before."""
    take_back(paths, model_dir, run_url, TakeBack.abort)


@with_paths()
def finish(
    paths: Paths,
    now: Annotated[bool, typer.Option("--now", help="Give up a way back whose time is not over.")] = False,
) -> None:
    """Delete, or scale down, what has no traffic and need not be kept any more; may be repeated."""
    settings = settings_of(paths)
    say = make_console().print
    Aftercare(connect_patiently(paths, settings), settings, lambda line: say(line, markup=False)).finish(at_once=now)


@with_paths()
def teardown(
    paths: Paths,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Even while a release holds the endpoint.")] = False,
) -> None:
    """Delete the endpoint and all its deployments; asks first."""
    settings = settings_of(paths)
    console = make_console()
    platform = connect_patiently(paths, settings)
    endpoint = platform.observe()
    if endpoint is None:
        console.print("The endpoint does not exist; there is nothing to delete.")
        return
    aftercare = Aftercare(platform, settings, lambda line: console.print(line, markup=False))
    if not force:
        aftercare.refuse_teardown(endpoint)
    console.print(f"endpoint {endpoint.name}: {endpoint.routing}", markup=False)
    if not yes and not typer.confirm(f"Delete it, with {', '.join(sorted(endpoint.deployments)) or 'no deployments'}?"):
        raise typer.Abort
    aftercare.teardown(force=force)


@with_paths()
def status(
    paths: Paths,
    as_json: AsJson = False,
) -> None:
    """Show who serves: deployments, roles, traffic, images, models, releases, phase and age."""
    console = make_console()
    endpoint = connect_patiently(paths, settings_of(paths)).observe()
    if as_json:
        typer.echo(json.dumps(endpoint_standing(endpoint) if endpoint else None, indent=1))
    elif endpoint is None:
        console.print(NO_ENDPOINT)
    else:
        for line in status_table(endpoint):
            console.print(line, markup=False)


@with_paths()
def history(
    paths: Paths,
    as_json: AsJson = False,
) -> None:
    """Show the last ten releases of the endpoint and how each ended."""
    endpoint = connect_patiently(paths, settings_of(paths)).observe()
    record = read_record(endpoint.tags) if endpoint else None
    past = record.past if record else ()
    if as_json:
        typer.echo(json.dumps([asdict(entry) for entry in past], indent=1, default=str))
    elif not past:
        make_console().print("No release has ended yet." if endpoint else NO_ENDPOINT)
    else:
        make_console().print(history_table(past))


EXAMPLES: dict[Callable[..., None], str] = {
    preflight: "preflight --image myregistry.azurecr.io/diabetes-byoc@sha256:...",
    rollback: "rollback --to blue --model-dir artifacts/model-2",
    abort: "abort",
    finish: "finish --now",
    status: "status --json",
    history: "history",
    teardown: "teardown --yes",
}


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    for command, example in EXAMPLES.items():
        app.command(epilog=f"Example: python -m deployment {example}")(command)


def take_back(paths: Paths, model_dir: Path | None, run_url: str, how: How) -> None:
    """Run one of the commands that give traffic back, and end with 0 or, where it froze, with that exit code."""
    settings = settings_of(paths)
    model = artefacts_if(model_dir)
    console = make_console()
    with LiveDisplay(console) as display:
        display.started("connecting to Azure ML")
        journal = Journal(Evidence(paths.reports_dir / "taken-back").journal_path, display)
        platform = connect(paths, settings.platform)
        taken = how(TakeBack(platform, settings, model.golden if model else None, journal, run_url))
    console.print(f"{taken.outcome.upper()} {taken.sentence}", markup=False)
    raise SystemExit(Outcome.FROZEN.exit_code if taken.outcome is Outcome.FROZEN else 0)


def run_preflight(azure: "AzureML", paths: Paths, image: str, release_id: str = "") -> tuple[Check, ...]:
    """Return the checks of a release of this image that would begin now."""
    from deployment.azure_checks import AzureCloud  # noqa: PLC0415 - two seconds that only these commands need
    from deployment.preflight import preflight as check  # noqa: PLC0415 - beside its adapter

    cloud = AzureCloud(azure)
    return check(
        cloud,
        image=image,
        endpoint_file=paths.endpoint_file,
        deployment_file=paths.deployment_file,
        deployment_names=COLOURS,
        observe=azure.observe,
        has_image=cloud.has_image,
        release_id=release_id,
    )


def print_checks(console: Console, checks: tuple[Check, ...]) -> None:
    table = Table("check", "", "found")
    for check in checks:
        table.add_row(check.name, Text(check.standing, style=STYLES[check.standing]), Text(check.found))
    console.print(table)
    for check in checks:
        if check.fix:
            # Outside of the table, which would break a command in two, and nobody could copy it.
            console.print(f"{check.name}: {check.fix}", markup=False)

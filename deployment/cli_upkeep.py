"""The commands around a release: before it, over its head, and after it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deployment import github
from deployment.aftercare import Aftercare, Say
from deployment.checks import Check, Standing
from deployment.cli_monitoring import follow_traffic
from deployment.cli_options import (
    Image,
    OptionalModelDir,
    RunUrl,
    artefacts_if,
    require_digest,
    settings_of,
    with_paths,
)
from deployment.display import LiveDisplay, make_console, show
from deployment.evidence import Evidence
from deployment.journal import Journal
from deployment.outcomes import EXIT_BAD_INPUT, Outcome
from deployment.releasing import Paths, connect, patiently
from deployment.takeback import TakeBack, TakenBack
from deployment.taking import COLOURS
from load.report_markup import table

if TYPE_CHECKING:
    from deployment.azureml import AzureML

How = Callable[[TakeBack], TakenBack]
STYLES = {Standing.OK: "green", Standing.WARN: "yellow", Standing.FAIL: "red"}


@with_paths()
def preflight(
    paths: Paths,
    image: Image,
) -> None:
    """Check quota, names, AcrPull, the image's digest and the configuration; touches nothing, exits 2 on a failure."""
    require_digest(image)
    checks = run_preflight(connect(paths, settings_of(paths).platform), paths, image)
    print_checks(make_console(), checks)
    tell_checks(checks)
    raise SystemExit(EXIT_BAD_INPUT if any(check.standing is Standing.FAIL for check in checks) else 0)


@with_paths(reports=True)
def rollback(
    paths: Paths,
    to: Annotated[str | None, typer.Option(help="Who is to have all traffic; default: who served before.")] = None,
    model_dir: OptionalModelDir = None,
    run_url: RunUrl = "",
) -> None:
    """Give one deployment all traffic, without a gate, unless it is not healthy; ends a release that is under way."""
    take_back("rollback", paths, model_dir, run_url, lambda taking: taking.roll_back(to))


@with_paths(reports=True)
def abort(
    paths: Paths,
    release_id: Annotated[
        str, typer.Option(help="End this release alone: where it is not under way, say so, touch nothing, exit 0.")
    ] = "",
    model_dir: OptionalModelDir = None,
    run_url: RunUrl = "",
) -> None:
    """End the release that is under way: its process can write no more, and the traffic goes where it was before."""
    how = (lambda taking: taking.abort_only(release_id)) if release_id else TakeBack.abort
    take_back("abort", paths, model_dir, run_url, how)


@with_paths()
def finish(
    paths: Paths,
    now: Annotated[bool, typer.Option("--now", help="Give up a way back whose time is not over.")] = False,
) -> None:
    """Delete, or scale down, what has no traffic and need not be kept any more; may be repeated."""
    settings, console = settings_of(paths), make_console()
    azure = connect(paths, settings.platform)
    with telling("finish", console) as say:
        Aftercare(patiently(azure, settings), settings, say).finish(at_once=now)
    follow_traffic(azure, settings, console)


@with_paths()
def teardown(
    paths: Paths,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Even while a release holds the endpoint.")] = False,
) -> None:
    """Delete the endpoint and all its deployments; asks first."""
    settings = settings_of(paths)
    console = make_console()
    azure = connect(paths, settings.platform)
    platform = patiently(azure, settings)
    endpoint = platform.observe()
    with telling("teardown", console) as say:
        if endpoint is None:
            say("The endpoint does not exist; there is nothing to delete.")
            return
        aftercare = Aftercare(platform, settings, say)
        if not force:
            aftercare.refuse_teardown(endpoint)
        console.print(f"endpoint {endpoint.name}: {endpoint.routing}", markup=False)
        deployments = ", ".join(sorted(endpoint.deployments)) or "no deployments"
        if not yes and not typer.confirm(f"Delete it, with {deployments}?"):
            raise typer.Abort
        aftercare.teardown(force=force)
    follow_traffic(azure, settings, console)


EXAMPLES: dict[Callable[..., None], str] = {
    preflight: "preflight --image myregistry.azurecr.io/diabetes-byoc@sha256:...",
    rollback: "rollback --to blue --model-dir artifacts/model-2",
    abort: "abort --release-id run-4242",
    finish: "finish --now",
    teardown: "teardown --yes",
}


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    for command, example in EXAMPLES.items():
        app.command(epilog=f"Example: python -m deployment {example}")(command)


@contextmanager
def telling(name: str, console: Console) -> Iterator[Say]:
    """Yield what prints each thing done; all of them are added to the job's summary, whatever comes in between."""
    said: list[str] = []

    def say(line: str) -> None:
        console.print(line, markup=False)
        said.append(line)

    try:
        yield say
    finally:
        if said:
            github.add_summary(table((name,), [(line,) for line in said]))


def take_back(name: str, paths: Paths, model_dir: Path | None, run_url: str, how: How) -> None:
    """Run one of the commands that give traffic back, and end with 0 or, where it froze, with that exit code."""
    settings = settings_of(paths)
    model = artefacts_if(model_dir)
    console = make_console()
    with LiveDisplay(console) as display:
        display.started("connecting to Azure ML")
        journal = Journal(Evidence(paths.reports_dir / "taken-back").journal_path, display)
        platform = connect(paths, settings.platform)
        taken = how(TakeBack(platform, settings, model.golden if model else None, journal, run_url))
    outcome = taken.outcome or "nothing to do"
    console.print(f"{outcome.upper()} {taken.sentence}", markup=False)
    github.add_summary(table((name, "why", "traffic now"), [(outcome, taken.sentence, str(taken.routing))]))
    if taken.outcome is Outcome.FROZEN:
        github.annotate("error", f"{name}: {outcome}", taken.sentence)
        raise SystemExit(Outcome.FROZEN.exit_code)
    follow_traffic(platform, settings, console)


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
    shown = Table("check", "", "found")
    for check in checks:
        shown.add_row(check.name, Text(check.standing, style=STYLES[check.standing]), Text(check.found))
    show(console, shown)
    for check in checks:
        if check.fix:
            # Outside of the table, which would break a command in two, and nobody could copy it.
            console.print(f"{check.name}: {check.fix}", markup=False)


def tell_checks(checks: tuple[Check, ...]) -> None:
    """Add the checks to the job's summary."""
    rows = ((check.name, check.standing, check.found, check.fix) for check in checks)
    github.add_summary(f"## Preflight\n\n{table(('check', '', 'found', 'what to do'), rows)}")

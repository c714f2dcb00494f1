"""The commands that look at what serves: who, what was released, how good it is, and whether somebody cares for it."""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deployment import github
from deployment.aftercare import Aftercare
from deployment.cli_options import EXIT_CODES_TOLD, ModelDir, RunUrl, connect_patiently, settings_of, with_paths
from deployment.cli_release import folder_of, written_reports
from deployment.display import LiveDisplay, make_console, print_result, show
from deployment.evidence import Evidence
from deployment.golden import read_artefacts
from deployment.guarding import Guard, Kind, Told
from deployment.journal import Journal
from deployment.load_testing import LoadTest, as_release, choose
from deployment.outcomes import EXIT_LEFT_OVER
from deployment.platform import require
from deployment.record import read_record, utc_now
from deployment.releasing import Paths
from deployment.standing import endpoint_standing, history_markdown, history_table, status_markdown, status_table
from deployment.takeback import TakeBack
from deployment.telling import tell_github
from load.report_markup import plain
from load.report_markup import table as markdown_table

NO_ENDPOINT = "The endpoint does not exist yet; `python -m deployment promote` creates it."
NOTHING_FOUND = "Nothing is left over."
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]


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
            show(console, line)
    github.add_summary(status_markdown(endpoint) if endpoint else NO_ENDPOINT)


@with_paths()
def history(
    paths: Paths,
    as_json: AsJson = False,
) -> None:
    """Show the last ten releases of the endpoint and how each ended."""
    endpoint = connect_patiently(paths, settings_of(paths)).observe()
    record = read_record(endpoint.tags) if endpoint else None
    past = record.past if record else ()
    nothing = "No release has ended yet." if endpoint else NO_ENDPOINT
    if as_json:
        typer.echo(json.dumps([asdict(entry) for entry in past], indent=1, default=str))
    else:
        show(make_console(), history_table(past) if past else nothing)
    github.add_summary(history_markdown(past) if past else nothing)


@with_paths(reports=True)
def load_test(
    paths: Paths,
    model_dir: ModelDir,
    deployment: Annotated[str, typer.Option(help="Which deployment; default: the one that serves.")] = "",
    run_url: RunUrl = "",
) -> None:
    """Measure one deployment by the load and the absolute limits of a release; changes nothing of the endpoint."""
    settings, model, console = settings_of(paths), read_artefacts(model_dir), make_console()
    name = f"load-test-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    evidence = paths.evidence_of(name)
    with LiveDisplay(console) as display:
        display.started("connecting to Azure ML")
        platform = connect_patiently(paths, settings)
        endpoint = require(platform.observe())
        tested = choose(endpoint, deployment, model, utc_now())
        journal = Journal(evidence.journal_path, display)
        result = LoadTest(platform, settings, model, journal, evidence).run(endpoint, tested)
    release = as_release(name, tested, model, run_url)
    written = written_reports(result, release, paths)
    print_result(console, result, {"measured": tested.name, **written})
    tell_github(result, name, folder_of(written))
    raise SystemExit(result.outcome.exit_code)


@with_paths(reports=True)
def guard(
    paths: Paths,
    repair: Annotated[
        bool,
        typer.Option("--repair/--no-repair", envvar="GUARD_REPAIR", help="Repair what leaves no doubt, of each kind."),
    ] = False,
    finish: Annotated[
        bool, typer.Option("--finish", help="Repair deployments left over alone, as `finish` does; moves no traffic.")
    ] = False,
    run_url: RunUrl = "",
) -> None:
    """Find what nobody looks after: a release gone silent, traffic split without a release, deployments left over.

    Nothing is touched while a release is under way whose lease is not over.
    """
    kinds = tuple(Kind) if repair else (Kind.LEFT_OVER,) if finish else ()
    settings, console = settings_of(paths), make_console()
    with LiveDisplay(console) as display:
        display.started("connecting to Azure ML")
        platform = connect_patiently(paths, settings)
        journal = Journal(Evidence(paths.reports_dir / "guarded").journal_path, display)
        taking = TakeBack(platform.platform, settings, None, journal, run_url, over_all_heads=False)
        guarding = Guard(taking, Aftercare(platform, settings, display.said))
        told = guarding.repair(kinds) if kinds else tuple(Told(finding) for finding in guarding.look())
    tell(console, told)
    raise SystemExit(EXIT_LEFT_OVER if any(not each.repaired for each in told) else 0)


def tell(console: Console, told: tuple[Told, ...]) -> None:
    """Say what was found, and what came of it, here and to GitHub."""
    if not told:
        console.print(NOTHING_FOUND)
        github.add_summary(NOTHING_FOUND)
        return
    columns = ("what", "found", "what came of it, or what to do")
    rows = [(each.finding.kind.value, each.finding.found, each.said or each.finding.remedy) for each in told]
    table = Table(*columns)
    for row in rows:
        table.add_row(*map(Text, row))
    show(console, table)
    github.add_summary(f"## {plain('What nobody looks after')}\n\n{markdown_table(columns, rows)}")
    for each in told:
        if not each.repaired:
            github.annotate("warning", each.finding.kind, f"{each.finding.found}; {each.said or each.finding.remedy}")


EXAMPLES: dict[Callable[..., None], str] = {
    status: "status --json",
    history: "history",
    load_test: f"load-test --deployment blue --model-dir artifacts/model-2 --profile smoke. {EXIT_CODES_TOLD}",
    guard: f"guard --finish. Exit codes: 0 nothing found, or all of it repaired, {EXIT_LEFT_OVER} something is left",
}


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    for command, example in EXAMPLES.items():
        app.command(epilog=f"Example: python -m deployment {example}")(command)

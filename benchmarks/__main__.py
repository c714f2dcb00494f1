"""`python -m benchmarks`: how fast, against whom, and whether that is enough."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.data_plane_suite import DATA_PLANE, measure_data_plane
from benchmarks.disturbance import DISTURBED_PERCENT, Disturbance
from benchmarks.errors import BenchmarkError
from benchmarks.figures import Results, write_figures
from benchmarks.machine import Cores, check_tools, describe_machine
from benchmarks.options import Options
from benchmarks.service_suite import CASE_NAMES, measure_service
from benchmarks.tables import say, show_about

DISTURBED = ": the figures are disturbed, measure again on a machine that does nothing else"
EXIT_MISSED = 1
EXIT_BAD_INPUT = 2
# `all` runs these in turn; each has a command of its own.
SUITES: dict[str, Callable[[Options], Results]] = {"service": measure_service, DATA_PLANE: measure_data_plane}

app = typer.Typer(
    help="Measure against peers, in interleaved rounds on one core, and compare with what must be reached.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
log = Console(stderr=True)

Peers = Annotated[str, typer.Option(help="`default`, or `all`: MLServer, KServe, BentoML, LitServe and mlflow too.")]
Rounds = Annotated[int, typer.Option(min=1, max=100, help="How often each case measures each server.")]
Seconds = Annotated[int, typer.Option(min=1, max=300, help="How long each measurement takes.")]
Report = Annotated[Path, typer.Option("--json", help="Where the figures go.")]


@app.command()
def service(
    peers: Peers = "default",
    rounds: Rounds = 5,
    seconds: Seconds = 2,
    case: Annotated[list[str] | None, typer.Option(help=f"One of: {', '.join(CASE_NAMES)}; all if not given.")] = None,
    report: Report = Path("reports/bench.json"),
) -> None:
    """Measure the service and its peers.

    Exit codes: 0, 1 where a bound is missed, 2 where nothing can be measured.

    Examples:
      python -m benchmarks service

      python -m benchmarks service --case linear-1 --case forest-1 --rounds 3

      python -m benchmarks service --peers all --rounds 3 --json reports/bench-all.json
    """
    unknown = set(case or ()) - set(CASE_NAMES)
    if unknown:
        refuse(f"--case: {', '.join(sorted(unknown))} is none of {', '.join(CASE_NAMES)}")
    _measure(["service"], peers, rounds, seconds, frozenset(case or ()), report)


@app.command(DATA_PLANE)
def data_plane(rounds: Rounds = 3, seconds: Seconds = 2, report: Report = Path("reports/bench.json")) -> None:
    """Measure the emulator's data plane: requests a second on one core, and what it adds at the median.

    Example: python -m benchmarks data-plane --rounds 5
    """
    _measure([DATA_PLANE], "default", rounds, seconds, frozenset(), report)


@app.command("all")
def all_suites(
    peers: Peers = "default", rounds: Rounds = 5, seconds: Seconds = 2, report: Report = Path("reports/bench.json")
) -> None:
    """Run every suite; `make bench` does.

    Example: python -m benchmarks all --peers all
    """
    _measure(list(SUITES), peers, rounds, seconds, frozenset(), report)


def refuse(message: str) -> None:
    """End with EXIT_BAD_INPUT."""
    typer.echo(f"benchmarks: {message}", err=True)
    raise typer.Exit(EXIT_BAD_INPUT)


def _measure(suites: list[str], peers: str, rounds: int, seconds: int, cases: frozenset[str], report: Path) -> None:
    if peers not in {"default", "all"}:
        refuse(f"--peers: {peers!r} is neither default nor all")
    try:
        check_tools()
        cores = Cores.of_this_process()
    except BenchmarkError as error:
        refuse(str(error))
    about = describe_machine(cores)
    show_about(about)
    os.sched_setaffinity(0, {cores.client})  # the generator of open arrivals runs in this process
    options = Options(cores, rounds, seconds, peers == "all", cases, _advance)
    disturbance = Disturbance()
    results = {name: SUITES[name](options) for name in suites}
    disturbed_percent = disturbance.percent()
    others = f"{disturbed_percent:.0f} % of all cores' time"
    write_figures(report, results, about | {"other processes": others})
    say(f"other processes took {others}" + (DISTURBED if disturbed_percent > DISTURBED_PERCENT else ""))
    missed = [figure for each in results.values() for figure in each.missed]
    for figure in missed:
        value = "not measured" if figure.value is None else f"{figure.value:g} {figure.unit}"
        say(f"missed: {figure.name}: {value} vs {figure.bound}")
    for name, each in results.items():
        versions = {k: v for packages in each.details.get("versions", {}).values() for k, v in packages.items()}
        say(f"versions ({name}): {', '.join(f'{package} {version}' for package, version in sorted(versions.items()))}")
    say(f"figures are in {report}")
    for each in results.values():
        say(each.summary)
    if missed:
        raise typer.Exit(EXIT_MISSED)


def _advance(what: str) -> None:
    """Show what is being done; nothing runs in the background while something is measured."""
    if log.is_terminal:
        log.print(f"  {what:<100}"[: log.width - 1], end="\r", highlight=False, style="dim")
    else:
        log.print(f"  {what}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    app(prog_name="python -m benchmarks")

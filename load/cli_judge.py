"""`python -m load gate` and `calibrate`: what the gate says of stored rows, and how often it errs."""

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from load.calibration import Rates, calibrate
from load.cli_options import EXIT_BAD_INPUT, SETTINGS, Profile, SettingsFile, bad_input, console
from load.gate import judge
from load.report_markdown import criteria_table
from load.rows_file import read_rows
from load.settings import read_gate_policy, read_load_settings
from load.simulation import TRUTHS
from load.verdict import Outcome
from load.wording import percent

EXIT_NOT_HELD = 1
# What the shipped settings promise; the share of runs that end so, and the mean time to a verdict.
PROMISED: tuple[tuple[str, Outcome, str, float], ...] = (
    ("identical", Outcome.PASS, "at_least", 0.99),
    ("identical", Outcome.FAIL, "at_most", 0.005),
    ("+30 %", Outcome.PASS, "at_most", 0.01),
    ("+50 %", Outcome.PASS, "at_most", 0.0),
    ("10 % of requests x3", Outcome.PASS, "at_most", 0.0),
)
MEAN_TIME_AT_MOST_S = 240.0

app = typer.Typer()


@app.command()
def gate(
    rows: Annotated[Path, typer.Argument(help="Rows of a run.")],
    policy: Annotated[Path, typer.Argument(help=r"TOML file with the table \[gate], such as deployment/release.toml.")],
    profile: Profile = None,
) -> None:
    """Judge stored rows again: the same rows and the same policy give the same verdict.

    Exit codes: 0 PASS, 10 FAIL, 11 INCONCLUSIVE, 12 INVALID, 2 bad input.

    Example:
      python -m load gate reports/rows.csv.gz deployment/release.toml --profile demo
    """
    with bad_input(policy):
        verdict = judge(read_rows(rows), read_gate_policy(policy, profile))
    typer.echo(criteria_table(verdict))
    for each in verdict.looks[:-1]:
        typer.echo(f"after {each.judged_s:g} s: {each.outcome}: {each.sentence}")
    typer.echo(f"{verdict.outcome}: {verdict.sentence}")
    raise typer.Exit(verdict.outcome.exit_code)


@app.command(name="calibrate")
def calibrate_gate(
    settings: SettingsFile = SETTINGS,
    profile: Profile = None,
    runs: Annotated[int, typer.Option(min=10, help="Simulated releases for each truth.")] = 400,
    truths: Annotated[
        list[str] | None, typer.Option("--truth", help="Only this truth; may be given several times.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="How many at once.")] = os.cpu_count() or 1,
    seed: Annotated[int, typer.Option(min=0, help="Every run follows from it: another one, other releases.")] = 1,
    reports: Annotated[Path, typer.Option(help="Where calibrate.json goes.")] = Path("reports"),
) -> None:
    """Measure how often the gate errs: simulated releases whose truth is known, judged by these settings.

    Exit codes: 0, 1 where the rates are not what is promised, 2 bad input.

    Example:
      python -m load calibrate --runs 100 --truth identical --truth "+30 %"
    """
    with bad_input(settings):
        load_settings, policy = read_load_settings(settings, profile), read_gate_policy(settings, profile)
    chosen = [truth for truth in TRUTHS if truths is None or truth.name in truths]
    if unknown := set(truths or ()) - {truth.name for truth in TRUTHS}:
        known = ", ".join(truth.name for truth in TRUTHS)
        typer.echo(f"calibrate: no truth {min(unknown)!r}; there are {known}", err=True)
        raise typer.Exit(EXIT_BAD_INPUT)
    console.print(f"seed {seed}")
    columns = (TextColumn("simulating releases"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=runs * len(chosen))
        found = list(
            calibrate(
                chosen,
                runs=runs,
                seed=seed,
                jobs=jobs,
                settings=load_settings,
                policy=policy,
                on_progress=lambda count: progress.advance(task, count),
            )
        )
    console.print(rates_table(found))
    figures = figures_of(found)
    reports.mkdir(parents=True, exist_ok=True)
    document = json.dumps({"seed": seed, "figures": figures}, indent=1) + "\n"
    (reports / "calibrate.json").write_text(document, encoding="utf-8")
    console.print(summary(found))
    raise typer.Exit(0 if all(map(holds, figures)) else EXIT_NOT_HELD)


def rates_table(found: list[Rates]) -> Table:
    """Return how the releases of each truth were judged."""
    table = Table("what the candidate truly is", *(each.value for each in Outcome), "mean time to a verdict")
    for each in found:
        shares = (f"{each.share(outcome) * 100:.1f} %" for outcome in Outcome)
        table.add_row(each.truth.name, *shares, f"{each.mean_judged_s:.0f} s")
    return table


def figures_of(found: list[Rates]) -> list[dict[str, Any]]:
    by_name = {each.truth.name: each for each in found}
    figures: list[dict[str, Any]] = []
    for name, outcome, bound, value in PROMISED:
        if name in by_name:
            share = by_name[name].share(outcome)
            figures.append({"name": f"{name}: {outcome}", "value": share, "unit": "ratio", bound: value})
    mean_s = sum(each.mean_judged_s for each in found) / len(found)
    figures.append(
        {"name": "mean time to a verdict", "value": round(mean_s, 1), "unit": "s", "at_most": MEAN_TIME_AT_MOST_S}
    )
    return figures


def holds(figure: dict[str, Any]) -> bool:
    return bool(figure.get("at_least", figure["value"]) <= figure["value"] <= figure.get("at_most", figure["value"]))


def summary(found: list[Rates]) -> str:
    """Say the key figure in one sentence."""
    by_name = {each.truth.name: each for each in found}
    runs, parts = found[0].runs, []
    for name, outcome in (("identical", Outcome.PASS), ("+30 %", Outcome.PASS), ("+50 %", Outcome.PASS)):
        if name in by_name:
            parts.append(f"{percent(by_name[name].share(outcome))} of the {name} releases passed")
    mean_s = sum(each.mean_judged_s for each in found) / len(found)
    return f"{', '.join(parts) or 'Judged'} ({runs} runs each), a verdict took {mean_s:.0f} s in the mean."

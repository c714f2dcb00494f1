"""`python -m load calibrate`: how often the gate errs, by simulation, by a run of one's own, or on real servers."""

import json
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from load.calibration import Rates, Releases, calibrate
from load.cli_options import EXIT_BAD_INPUT, EXIT_BROKE_OFF, SETTINGS, Profile, SettingsFile, bad_input, console
from load.measure import LoadError
from load.real_servers import PROMISED_OF_REAL, Measured, measure_known
from load.resampling import draw_release, refuse_short
from load.rows_file import read_rows
from load.settings import LoadSettings, read_gate_policy, read_load_settings
from load.simulation import TRUTHS, Truth, simulate
from load.verdict import Outcome
from load.wording import percent

EXIT_NOT_HELD = 1
# What the shipped settings promise: the share of the releases of a truth that are judged so.
PROMISED: dict[tuple[str, Outcome], dict[str, float]] = {
    ("identical", Outcome.PASS): {"at_least": 0.99},
    ("identical", Outcome.FAIL): {"at_most": 0.005},
    ("+30 %", Outcome.PASS): {"at_most": 0.01},
    ("+50 %", Outcome.PASS): {"at_most": 0.0},
    ("10 % of requests x3", Outcome.PASS): {"at_most": 0.0},
}
MEAN_TIME_AT_MOST_S = 240.0  # over all truths


def calibrate_gate(
    settings: SettingsFile = SETTINGS,
    profile: Profile = None,
    runs: Annotated[int, typer.Option(min=10, help="Releases for each truth.")] = 400,
    truths: Annotated[
        list[str] | None, typer.Option("--truth", help="Only this truth; may be given several times.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="How many at once.")] = os.cpu_count() or 1,
    seed: Annotated[int, typer.Option(min=0, help="Every run follows from it: another one, other releases.")] = 1,
    rows: Annotated[
        Path | None,
        typer.Option(
            help="Draw the releases from this run of two deployments of one image (run --whole), not from a simulation."
        ),
    ] = None,
    real: Annotated[  # noqa: FBT002 - a flag
        bool,
        typer.Option(
            "--real", help="Measure servers of known slowness, each once, with limits of their own (2 minutes)."
        ),
    ] = False,
    reports: Annotated[Path, typer.Option(help="Where calibrate.json, or calibrate-real.json, goes.")] = Path(
        "reports"
    ),
) -> None:
    """Measure how often the gate errs: releases whose truth is known, judged by these settings.

    Exit codes: 0, 1 where the rates are not what is promised, 12 a load broke off, 2 bad input.

    Examples:
      python -m load calibrate --runs 100 --truth identical --truth "+30 %"

      python -m load calibrate --rows reports/rows.csv.gz

      python -m load calibrate --real
    """
    if real:
        calibrate_on_real_servers(reports)
    with bad_input(settings):
        load_settings, policy = read_load_settings(settings, profile), read_gate_policy(settings, profile)
        releases = releases_of(load_settings, rows)
    chosen = chosen_truths(truths)
    console.print(f"seed {seed}")
    columns = (TextColumn("judging releases"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=runs * len(chosen))
        rates = calibrate(
            chosen,
            runs=runs,
            seed=seed,
            jobs=jobs,
            releases=releases,
            policy=policy,
            on_progress=lambda count: progress.advance(task, count),
        )
        found = list(rates)
    console.print(rates_table(found))
    figures = figures_of(found)
    write_figures(reports / "calibrate.json", figures, seed=seed, runs=runs)
    console.print(summary(found))
    for figure in (each for each in figures if not holds(each)):
        console.print(missed(figure))
    raise typer.Exit(0 if all(map(holds, figures)) else EXIT_NOT_HELD)


def releases_of(settings: LoadSettings, rows_path: Path | None) -> Releases:
    """Return what makes releases: the simulation, or a run of the user's own; raises RowsError."""
    if rows_path is None:
        return partial(simulate, settings)
    rows = read_rows(rows_path)
    refuse_short(rows)
    return partial(draw_release, rows, settings.duration_s)


def chosen_truths(names: Sequence[str] | None) -> list[Truth]:
    """Return the truths of these names, all where none is named; ends the command where there is no such."""
    known = {truth.name: truth for truth in TRUTHS}
    unknown = [name for name in names or () if name not in known]
    if unknown:
        typer.echo(f"calibrate: no truth {unknown[0]!r}; there are {', '.join(known)}", err=True)
        raise typer.Exit(EXIT_BAD_INPUT)
    return [truth for truth in TRUTHS if not names or truth.name in names]


def calibrate_on_real_servers(reports: Path) -> None:
    """Measure real servers, print what the gate says of each, and end the command."""
    found: list[Measured] = []
    try:
        for measured in measure_known():
            console.print(f"{measured.truth.name}: {measured.verdict.outcome}")
            found.append(measured)
    except LoadError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_BROKE_OFF) from error
    console.print(verdicts_table(found))
    right = sum(each.right for each in found)
    figure = {"name": "real servers judged right", "value": right, "unit": "count", "at_least": len(found)}
    write_figures(reports / "calibrate-real.json", [figure])
    console.print(f"{right} of {len(found)} real servers of known slowness were judged right.")
    raise typer.Exit(0 if holds(figure) else EXIT_NOT_HELD)


def verdicts_table(found: Sequence[Measured]) -> Table:
    """Return what the gate said of each server, and whether it should have."""
    table = Table("what the candidate truly is", "verdict", "as it should be", "why")
    for each in found:
        right = "yes" if each.right else f"no, {PROMISED_OF_REAL[each.truth.name]}"
        table.add_row(each.truth.name, each.verdict.outcome.value, right, each.verdict.sentence)
    return table


def write_figures(path: Path, figures: Sequence[dict[str, Any]], **beside: Any) -> None:
    """Write what was measured, each figure with its bound where one is promised."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**beside, "figures": figures}, indent=1) + "\n", encoding="utf-8")


def rates_table(found: Sequence[Rates]) -> Table:
    """Return how the releases of each truth were judged."""
    table = Table("what the candidate truly is", *(each.value for each in Outcome), "mean time to a verdict")
    for each in found:
        shares = (f"{each.share(outcome) * 100:.1f} %" for outcome in Outcome)
        table.add_row(each.truth.name, *shares, f"{each.mean_judged_s:.0f} s")
    return table


def figures_of(found: Sequence[Rates]) -> list[dict[str, Any]]:
    """Return each share, with its bound where one is promised, and the mean time where all truths were looked at."""
    figures: list[dict[str, Any]] = [
        {
            "name": f"{each.truth.name}: {outcome}",
            "value": each.share(outcome),
            "unit": "ratio",
            **PROMISED.get((each.truth.name, outcome), {}),
        }
        for each in found
        for outcome in Outcome
    ]
    mean_s: dict[str, Any] = {"name": "mean time to a verdict", "value": round(mean_time_s(found), 1), "unit": "s"}
    if len(found) == len(TRUTHS):
        mean_s["at_most"] = MEAN_TIME_AT_MOST_S
    return [*figures, mean_s]


def mean_time_s(found: Sequence[Rates]) -> float:
    return sum(each.mean_judged_s for each in found) / len(found)


def holds(figure: dict[str, Any]) -> bool:
    return bool(figure.get("at_least", figure["value"]) <= figure["value"] <= figure.get("at_most", figure["value"]))


def missed(figure: dict[str, Any]) -> str:
    """Say which promise was not kept, and by what."""
    bound = f"at least {figure['at_least']:g}" if "at_least" in figure else f"at most {figure['at_most']:g}"
    return f"not held: {figure['name']} is {figure['value']:g} {figure['unit']}, {bound} is promised"


def summary(found: Sequence[Rates]) -> str:
    """Say the key figures in one sentence."""
    by_name = {each.truth.name: each for each in found}
    passed = [
        f"{percent(by_name[name].share(Outcome.PASS))} of the {name} releases passed"
        for name in ("identical", "+30 %", "+50 %")
        if name in by_name
    ]
    told = ", ".join([*passed, f"a verdict took {mean_time_s(found):.0f} s in the mean"])
    return f"{told[0].upper()}{told[1:]} ({found[0].runs} runs each)."

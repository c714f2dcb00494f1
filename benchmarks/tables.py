"""What a run prints."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.cases import Case
from benchmarks.figures import Figure
from benchmarks.rounds import Measured

WIDTH_OF_FILES = 140

console = Console()
if not console.is_terminal:
    console = Console(width=WIDTH_OF_FILES)


def say(line: str) -> None:
    """Print one line, however long."""
    console.print(line, highlight=False, markup=False, soft_wrap=True)


def show_about(about: Mapping[str, Any]) -> None:
    for name, value in about.items():
        say(f"{name}: {value}")


def show_case(case: Case, table: Sequence[Measured], ratios_of_ours: Mapping[str, Sequence[float]]) -> None:
    """Print a row for each contender, also for one that could not be measured."""
    shown = Table(title=case.title, title_justify="left")
    shown.add_column("server")
    for column in ("requests/s", "min - max", "p50 ms", "p99 ms", "ours is x times"):
        shown.add_column(column, justify="right")
    for measured in table:
        if measured.failure or not measured.readings:
            shown.add_row(measured.contender.title, "not measured", "", "", "", "")
            continue
        rates = [reading.requests_per_s for reading in measured.readings]
        ratios = ratios_of_ours.get(measured.contender.name)
        shown.add_row(
            measured.contender.title,
            f"{statistics.median(rates):.0f}",
            f"{min(rates):.0f} - {max(rates):.0f}",
            f"{statistics.median(reading.p50_ms for reading in measured.readings):.2f}",
            f"{statistics.median(reading.p99_ms for reading in measured.readings):.2f}",
            f"{statistics.median(ratios):.2f}" if ratios else "",
        )
    console.print(shown)
    for measured in table:
        if measured.failure:
            say(f"{measured.contender.title} was not measured: {measured.failure}")


def show_figures(figures: Sequence[Figure]) -> None:
    """Print what has a bound, and what belongs to no case's table."""
    shown = Table(title="figures", title_justify="left")
    shown.add_column("figure")
    for column in ("measured", "min - max", "bound", ""):
        shown.add_column(column, justify="right")
    for figure in figures:
        if not figure.is_bounded and figure.unit == "requests/s" and figure.spread is not None:
            continue
        value = f"{figure.value:g} {figure.unit}" if figure.value is not None else figure.note or "not measured"
        spread = f"{figure.spread[0]:g} - {figure.spread[1]:g}" if figure.spread else ""
        verdict = ("[red]missed[/]" if figure.is_missed else "met") if figure.is_bounded else ""
        shown.add_row(figure.name, value, spread, figure.bound, verdict)
    console.print(shown)

"""What a person sees while a release runs: a line for everything that has happened, and one for what is going on."""

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from deployment.platform import describe_traffic
from deployment.release import Result
from load.report_data import JournalEntry
from load.run_files import Progress as LoadProgress
from load.verdict import Criterion, Verdict
from load.verdict import Outcome as GateOutcome

LOG_COLUMNS = 160


def make_console() -> Console:
    """Return a console bound to this stdout, which stays visible while the SDK's own output is redirected.

    In a log, which has no width of its own, tables are as wide as they need.
    """
    width = None if sys.stdout.isatty() else LOG_COLUMNS
    return Console(file=sys.stdout, highlight=False, soft_wrap=True, width=width)


def show(console: Console, line: str | Table) -> None:
    """Print a line as it is, or a table within the terminal's width: what is too long for its column goes on below."""
    if isinstance(line, str):
        console.print(line, markup=False)
        return
    for column in line.columns:
        column.overflow = "fold"
    console.print(line, soft_wrap=False)


class LiveDisplay:
    """A Watcher for the terminal; where there is no terminal, plain lines."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[detail]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._progress.add_task("starting", total=None, detail="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def started(self, what: str) -> None:
        self._progress.reset(self._task, description=what, total=None, detail="")

    def said(self, line: str) -> None:
        """Show a line that is not part of a release's journal."""
        self._console.print(f"  {line}", markup=False)

    def recorded(self, entry: JournalEntry) -> None:
        mark = {True: "verified ", False: "NOT VERIFIED ", None: ""}[entry.verified]
        when, phase = (f"{entry.at:%H:%M:%S}", "dim"), (f"{entry.phase:<11}", "cyan")
        # In one call: between two, the line of what is going on is drawn over the first.
        self._console.print(Text.assemble("  ", when, " ", phase, " ", mark, entry.event))

    def measured(self, progress: LoadProgress) -> None:
        self._progress.update(
            self._task,
            total=progress.total_s,
            completed=progress.elapsed_s,
            detail=f"{progress.pairs} pairs, {progress.errors} errors",
        )


def print_result(console: Console, result: Result, rows: dict[str, str]) -> None:
    """Print what happened as a table, then the verdict and what to do next."""
    console.print()
    for label, value in {**rows, "traffic now": describe_traffic(result.traffic)}.items():
        # Not a rich Table: that would break a long path in two, and nobody could click or copy it.
        console.print(f"  [dim]{label:<22}[/dim]", end=" ")
        console.print(value, markup=False)
    colour = "red" if result.outcome.exit_code else "green"
    console.print(f"\n[bold {colour}]{result.outcome.upper()}[/bold {colour}]", end=" ")
    console.print(result.sentence, markup=False)
    for criterion in more_of(result.verdict):
        console.print(f"  {criterion.name}: {criterion.reason}", markup=False)
    console.print(result.next_action, markup=False)


def more_of(verdict: Verdict | None) -> list[Criterion]:
    """Return the criteria that the sentence of a refusal counts as "more below"."""
    if verdict is None or verdict.outcome is GateOutcome.PASS:
        return []
    return [criterion for criterion in verdict.criteria if criterion.result is verdict.outcome][1:]

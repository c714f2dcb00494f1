"""The plan and what came of it, for a terminal."""

import shlex
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from deployment.bootstrap.acting import Done
from deployment.bootstrap.steps import Plan, Step

STYLES = {
    "there already": "dim",
    "made": "green",
    "replaced": "green",
    "made in part": "yellow",
    "refused": "yellow",
    "left out": "yellow",
}


def show_plan(console: Console, plan: Plan) -> None:
    """Print every step: its number, whether it is there already, and the exact command where it is not."""
    for label, value in plan.facts:
        console.print(Text(f"  {label:<14}{value}"))
    part = ""
    for number, step in enumerate(plan.steps, start=1):
        if step.part != part:
            part = step.part
            console.print(Text(f"\n{part}", style="bold"))
        show_step(console, number, step)
    console.print()
    for note in plan.notes:
        console.print(Text(f"note: {note}", style="yellow"))
    done = len(plan.steps) - len(plan.to_do)
    told = f"{len(plan.to_do)} to do, {done} there already; a <...> is what an earlier step's answer fills in."
    console.print(Text(told if plan.to_do else f"All {done} are there already: nothing is to be done."))


def show_step(console: Console, number: int, step: Step) -> None:
    if step.is_done:
        console.print(Text(f"{number:>3}. there already  {step.what}", style="dim"))
        return
    console.print(Text(f"{number:>3}. {'REPLACE' if step.replaces else 'make':<13}  {step.what}"))
    if step.replaces:
        console.print(Text(f"       instead of: {step.replaces}", style="yellow"))
    if step.why:
        console.print(Text(f"       ({step.why})", style="dim"))
    # Not in a table, which would break it: it is there to be copied.
    console.print(Text(f"       {shlex.join(step.command)}"))


def show_results(console: Console, done: Sequence[Done]) -> None:
    """Print how each step ended as a table, and below it what did not go as planned."""
    table = Table("", "step", "result")
    for number, each in enumerate(done, start=1):
        table.add_row(str(number), Text(each.step.what), Text(each.result, style=STYLES[each.result]))
    console.print(table)
    for each in done:
        if each.warning:
            console.print(Text(f"warning: {each.warning}", style="yellow"))

"""The rows for a terminal, and for machines."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.text import Text

from deployment.doctor.rows import Row, Standing

STYLES = {Standing.OK: "green", Standing.WARN: "yellow", Standing.FAIL: "red", Standing.SKIPPED: "dim"}
STANDING_CHARACTERS = max(map(len, Standing)) + 2


def show_rows(console: Console, rows: Sequence[Row]) -> None:
    """Print the rows by their groups, each that is not ok with its fix below, and how many of each there are.

    Not as a rich Table: that would break a command in two, and nobody could copy it.
    """
    name_characters = max(len(row.name) for row in rows) + 2
    group = ""
    for row in rows:
        if row.group != group:
            group = row.group
            console.print(Text(f"\n{group}", style="bold"))
        line = Text(f"  {row.name:<{name_characters}}")
        line.append(f"{row.standing:<{STANDING_CHARACTERS}}", style=STYLES[row.standing])
        console.print(line.append(row.found))
        if row.fix:
            margin = " " * (2 + name_characters + STANDING_CHARACTERS)
            console.print(Text(f"{margin}-> {row.fix}", style=STYLES[row.standing]))
    counted = ", ".join(f"{sum(row.standing is each for row in rows)} {each}" for each in Standing)
    console.print(f"\n{counted}")


def as_json(rows: Sequence[Row]) -> str:
    return json.dumps([asdict(row) for row in rows], indent=1)

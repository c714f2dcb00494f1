"""`python -m load gate` and `calibrate`: what the gate says of stored rows, and how often it errs."""

from pathlib import Path
from typing import Annotated

import typer

from load.cli_calibrate import calibrate_gate
from load.cli_options import Profile, bad_input
from load.gate import judge
from load.report_markdown import criteria_table
from load.rows_file import read_rows
from load.settings import read_gate_policy

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


app.command(name="calibrate")(calibrate_gate)

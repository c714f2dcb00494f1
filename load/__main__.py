"""`python -m load`: measure two deployments, and judge stored rows."""

import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from load.gate import judge
from load.measure import KEY_VARIABLE, LoadError, LoadPlan, Progress, measure
from load.report_markdown import criteria_table
from load.rows import RowsError, read_rows
from load.settings import read_gate_policy, read_load_settings

EXIT_BAD_INPUT = 2
EXIT_BROKE_OFF = 12  # as INVALID: nothing is known of the candidate

app = typer.Typer(
    help="Measure live and candidate, and judge what was measured.", no_args_is_help=True, add_completion=False
)

SettingsFile = Annotated[Path, typer.Option(help=r"TOML file with the table \[load], such as deployment/release.toml.")]
Profile = Annotated[str | None, typer.Option(help=r"Lay \[profiles.PROFILE.load] or \[profiles.PROFILE.gate] over it.")]


@app.command()
def run(
    scoring_uri: Annotated[str, typer.Option(help="The endpoint's scoring URI.")],
    candidate: Annotated[str, typer.Option(help="Deployment that is to serve.")],
    payloads: Annotated[Path, typer.Option(help="The model's golden_requests.json.")],
    rows: Annotated[Path, typer.Option(help="Where the rows go.")] = Path("rows.csv.gz"),
    live: Annotated[
        str | None, typer.Option(help="Deployment that serves now; none measures the candidate alone.")
    ] = None,
    settings: SettingsFile = Path("deployment/release.toml"),
    profile: Profile = None,
) -> None:
    """Ask both deployments the same requests at the same moments, and store a row for each request.

    The endpoint's key is read from the environment variable ENDPOINT_KEY.

    Examples:
      python -m load run --scoring-uri https://NAME.REGION.inference.ml.azure.com/score --live blue --candidate green
      --payloads artifacts/model-2/golden_requests.json

      python -m load run --profile demo --scoring-uri http://127.0.0.1:8080/score --candidate blue
      --payloads artifacts/model-1/golden_requests.json --rows reports/blue.csv.gz
    """
    with bad_input(settings):
        load_settings = read_load_settings(settings, profile)
    plan = LoadPlan(scoring_uri, live, candidate, payloads, load_settings)
    key = os.environ.get(KEY_VARIABLE)
    if not key:
        typer.echo(f"load: {KEY_VARIABLE} is not set; export the endpoint's key", err=True)
        raise typer.Exit(EXIT_BAD_INPUT)
    try:
        measurement = measure(plan, key=key, rows_path=rows, on_progress=show)
    except LoadError as error:
        typer.echo(f"\n{error}", err=True)
        raise typer.Exit(EXIT_BROKE_OFF) from error
    typer.echo(
        f"\n{measurement.requests} requests, {measurement.errors} failed, in {measurement.elapsed_s:.0f} s; "
        f"rows are in {measurement.rows_path}"
    )


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
    typer.echo(f"{verdict.outcome}: {verdict.sentence}")
    raise typer.Exit(verdict.outcome.exit_code)


def show(progress: Progress) -> None:
    typer.echo(
        f"\r{progress.elapsed_s:5.0f} of {progress.total_s:.0f} s, {progress.pairs} pairs, {progress.errors} failed",
        nl=False,
    )


@contextmanager
def bad_input(settings: Path) -> Iterator[None]:
    """Turn what is wrong with the files that were given into one line and an exit code."""
    try:
        yield
    except RowsError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_BAD_INPUT) from error
    except KeyError as error:
        typer.echo(f"settings: {settings} has no profile {error}", err=True)
        raise typer.Exit(EXIT_BAD_INPUT) from error
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        typer.echo(f"settings: {settings} cannot be used ({error})", err=True)
        raise typer.Exit(EXIT_BAD_INPUT) from error


if __name__ == "__main__":
    app()

"""`python -m load run`, `capacity` and `merge`: what asks an endpoint, and what it leaves."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from load.capacity import Step, rows_path_of, search
from load.cli_options import (
    EXIT_BROKE_OFF,
    SETTINGS,
    Payloads,
    Profile,
    ScoringUri,
    SettingsFile,
    bad_input,
    console,
    require_key,
)
from load.measure import LoadError, LoadPlan, measure
from load.merging import merge as merge_rows
from load.payloads import read_payloads
from load.rows import Rows
from load.rows_file import read_rows
from load.run_files import Progress
from load.settings import LoadSettings, read_gate_policy, read_load_settings
from load.wording import number, percent

EXIT_NO_RATE_KEPT = 10  # as FAIL: not even the first rate kept the SLO

app = typer.Typer()


@app.command()
def run(
    scoring_uri: ScoringUri,
    candidate: Annotated[str, typer.Option(help="Deployment that is to serve.")],
    payloads: Payloads,
    rows: Annotated[Path, typer.Option(help="Where the rows go.")] = Path("rows.csv.gz"),
    live: Annotated[
        str | None, typer.Option(help="Deployment that serves now; none measures the candidate alone.")
    ] = None,
    settings: SettingsFile = SETTINGS,
    profile: Profile = None,
    whole: Annotated[bool, typer.Option("--whole", help="Measure to the end, even where a look has decided.")] = False,  # noqa: FBT002 - a flag,
) -> None:
    r"""Ask both deployments the same requests at the same moments, and store a row for each request.

    The endpoint's key is read from the environment variable ENDPOINT_KEY. The load ends at the first look of \[gate]
    that decides.

    Exit codes: 0 measured, 12 the load broke off (live failed, for one), 2 bad input.

    Examples:
      python -m load run --scoring-uri https://NAME.REGION.inference.ml.azure.com/score --live blue --candidate green
      --payloads artifacts/model-2/golden_requests.json

      python -m load run --profile smoke --scoring-uri http://127.0.0.1:8080/score --candidate blue
      --payloads my-requests.jsonl --rows reports/blue.csv.gz
    """
    with bad_input(settings):
        load_settings, policy = read_load_settings(settings, profile), read_gate_policy(settings, profile)
        read_payloads(payloads)
    plan = LoadPlan(scoring_uri, live, candidate, payloads, load_settings)
    key = require_key()
    try:
        measurement = measure(plan, key=key, rows_path=rows, on_progress=show, policy=None if whole else policy)
    except LoadError as error:
        typer.echo(f"\n{error}", err=True)
        raise typer.Exit(EXIT_BROKE_OFF) from error
    typer.echo(
        f"\n{measurement.requests} requests, {measurement.errors} failed, in {measurement.elapsed_s:.0f} s; "
        f"the generator used {percent(measurement.cpu_ratio)} of a core; rows are in {measurement.rows_path}"
    )
    if measurement.broken_off:
        typer.echo(f"load: the load was broken off: {measurement.broken_off}; mend live first", err=True)
        raise typer.Exit(EXIT_BROKE_OFF)


@app.command()
def capacity(
    scoring_uri: ScoringUri,
    deployment: Annotated[str, typer.Option(help="Deployment that is asked.")],
    payloads: Payloads,
    rows_dir: Annotated[Path, typer.Option(help="Where the rows of each rate go.")] = Path("reports/capacity"),
    first_rate_per_s: Annotated[float, typer.Option(min=0.1, help="Requests/s to begin with.")] = 5.0,
    most_per_s: Annotated[float, typer.Option(min=0.1, max=250, help="Requests/s beyond which none is tried.")] = 250.0,
    step_s: Annotated[float, typer.Option(min=1, help="Seconds for which each rate is judged.")] = 20.0,
    precision: Annotated[float, typer.Option(min=0.01, max=0.5, help="How near the answer has to be (0 to 1).")] = 0.1,
    settings: SettingsFile = SETTINGS,
    profile: Profile = None,
) -> None:
    r"""Find the highest rate at which one deployment keeps the SLO of \[gate].

    It loads the deployment until that breaks: never one that has users. The rate counts against the endpoint's
    500 requests/s. The key is read from ENDPOINT_KEY.

    Exit codes: 0 a rate was found, 10 not even the first kept the SLO, 12 the load broke off or told nothing of the
    deployment, 2 bad input.

    Example:
      python -m load capacity --scoring-uri https://NAME.REGION.inference.ml.azure.com/score --deployment green
      --payloads artifacts/model-2/golden_requests.json
    """
    with bad_input(settings):
        base, policy = read_load_settings(settings, profile), read_gate_policy(settings, profile)
        read_payloads(payloads)
    each = {
        "rate_pairs_per_s": first_rate_per_s,
        "end_rate_pairs_per_s": None,
        "warmup_s": min(base.warmup_s, step_s / 4),
        "duration_s": step_s,
    }
    key = require_key()

    def measure_rate(at: LoadSettings) -> Rows:
        path = rows_path_of(rows_dir, at.rate_pairs_per_s)
        measure(LoadPlan(scoring_uri, None, deployment, payloads, at), key=key, rows_path=path)
        return read_rows(path)

    try:
        found = search(
            measure_rate,
            base.model_copy(update=each),
            policy,
            most_per_s=most_per_s,
            precision=precision,
            on_step=tell_step,
        )
    except LoadError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_BROKE_OFF) from error
    console.print(table_of(found.steps))
    if found.unknown:
        console.print(f"It cannot be told what {deployment} can do: {found.ended}.")
        raise typer.Exit(EXIT_BROKE_OFF)
    if found.rate_per_s is None:
        console.print(f"{deployment} does not keep its SLO at {found.steps[0].rate_per_s:g} requests/s: {found.ended}.")
        raise typer.Exit(EXIT_NO_RATE_KEPT)
    console.print(f"{deployment} keeps its SLO at {found.rate_per_s:.4g} requests/s; {found.ended}.")


@app.command()
def merge(
    parts: Annotated[list[Path], typer.Argument(help="Rows that the workers of one run have written.")],
    rows: Annotated[Path, typer.Option(help="Where all of them go.")] = Path("rows.csv.gz"),
) -> None:
    """Make one file of the rows of a distributed run's workers.

    Example:
      python -m load merge reports/rows.worker-0.csv.gz reports/rows.worker-1.csv.gz --rows reports/rows.csv.gz
    """
    with bad_input(rows):
        merged = merge_rows(parts, rows)
    typer.echo(f"{len(merged)} requests of {len(parts)} workers are in {rows}")


def show(progress: Progress) -> None:
    typer.echo(
        f"\r{progress.elapsed_s:5.0f} of {progress.total_s:.0f} s, {progress.pairs} pairs, {progress.errors} failed",
        nl=False,
    )


def tell_step(step: Step) -> None:
    console.print(f"{step.rate_per_s:8.4g} requests/s: p95 {number(step.p95_ms, 'ms') or 'unknown'}, {step.told}")


def table_of(steps: tuple[Step, ...]) -> Table:
    """Return the rates that were tried, the lowest first."""
    table = Table("requests/s", "sent/s", "p50", "p95", "p99", "failed", "SLO")
    for step in sorted(steps, key=lambda each: each.rate_per_s):
        table.add_row(
            f"{step.rate_per_s:.4g}",
            f"{step.sent_per_s:.1f}",
            *(number(value, "ms") for value in (step.p50_ms, step.p95_ms, step.p99_ms)),
            percent(step.error_ratio),
            step.told,
        )
    return table

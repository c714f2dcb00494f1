"""`python -m fuzz`: bodies of every sort for the decoder and for a running server, for as long as told."""

import json
import secrets
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.contenders import OURS
from benchmarks.errors import BenchmarkError
from benchmarks.models import TrainedModel, train
from fuzz.campaign import Campaign, run
from fuzz.fields import MIXED, NUMBERS
from fuzz.targets import decoder_target, server_target

EXIT_VIOLATION = 1
EXIT_BAD_INPUT = 2

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
console = Console()
log = Console(stderr=True)


@app.command(epilog="Example: python -m fuzz --seconds 600 --seed 7")
def fuzz(
    seconds: Annotated[float, typer.Option(min=1, help="How long in all; each target gets a third.")] = 60,
    seed: Annotated[
        int | None, typer.Option(min=0, help="The bodies follow from it; drawn and printed if none.")
    ] = None,
    reports: Annotated[Path, typer.Option(help="Where fuzz.json and the bodies of fuzz/ go.")] = Path("reports"),
) -> None:
    """Mutate right bodies, and hold what comes back against an oracle of its own and model.predict.

    Exit codes: 0, 1 where the contract was broken (the smallest body of each kind is kept), 2 where there is no server.
    """
    seed = secrets.randbelow(2**32) if seed is None else seed
    console.print(f"seed {seed}", highlight=False)
    try:
        with running_server() as (port, model):
            targets = [
                decoder_target("decoder, numbers", NUMBERS, "array"),
                decoder_target("decoder, mixed columns", MIXED, "data_frame"),
                server_target("server, linear model", NUMBERS, port, model.predictor.predict),
            ]
            campaigns = [
                run(target, seed=seed + number, seconds=seconds / len(targets), progress=show_progress)
                for number, target in enumerate(targets)
            ]
    except BenchmarkError as error:
        typer.echo(f"fuzz: the server cannot be started: {error}", err=True)
        raise typer.Exit(EXIT_BAD_INPUT) from error
    show(campaigns)
    write(reports, seed, campaigns)
    if any(campaign.findings for campaign in campaigns):
        raise typer.Exit(EXIT_VIOLATION)


@contextmanager
def running_server() -> Iterator[tuple[int, TrainedModel]]:
    """Start the service on a free port; yield it and the model that it serves."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        model = train("linear", Path(folder) / "model")
        server = replace(OURS, lock=None).server(model)  # this environment will do
        try:
            server.start()
            server.wait_until_ready()
            yield server.port, model
        finally:
            server.stop()


def show_progress(campaign: Campaign) -> None:
    log.print(f"  {campaign.target}: {campaign.cases} bodies, {len(campaign.findings)} violations", highlight=False)


def show(campaigns: list[Campaign]) -> None:
    table = Table(title="bodies", title_justify="left")
    table.add_column("target")
    for column in ("cases", "cases/s", "accepted", "refused", "violations"):
        table.add_column(column, justify="right")
    for campaign in campaigns:
        accepted = campaign.outcomes["accepted"]
        table.add_row(
            campaign.target,
            f"{campaign.cases}",
            f"{campaign.cases / campaign.seconds:.0f}",
            f"{accepted}",
            f"{campaign.cases - accepted}",
            f"{len(campaign.findings)}",
        )
    console.print(table)
    refusals = Counter[str]()
    for campaign in campaigns:
        refusals.update(campaign.outcomes)
    del refusals["accepted"]
    told = ", ".join(f"{code} {count}" for code, count in refusals.most_common())
    console.print(f"refused with: {told}", highlight=False, soft_wrap=True)


def write(reports: Path, seed: int, campaigns: list[Campaign]) -> None:
    """Write the counts, and a file for the body of each finding."""
    found: list[dict[str, Any]] = []
    for campaign in campaigns:
        for number, finding in enumerate(campaign.findings, start=1):
            path = reports / "fuzz" / f"{campaign.target.replace(', ', '-').replace(' ', '-')}-{number}.bin"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(finding.body)
            found.append({"target": finding.target, "violation": finding.violation, "body": str(path)})
            console.print(
                f"{finding.target}: {finding.violation}\n  {finding.body[:200]!r}", markup=False, soft_wrap=True
            )
    document = {
        "seed": seed,
        "targets": [
            {
                "name": campaign.target,
                "cases": campaign.cases,
                "seconds": round(campaign.seconds, 1),
                "outcomes": dict(campaign.outcomes),
                "violations": len(campaign.findings),
            }
            for campaign in campaigns
        ],
        "findings": found,
    }
    reports.mkdir(parents=True, exist_ok=True)
    (reports / "fuzz.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    cases = sum(campaign.cases for campaign in campaigns)
    console.print(f"{cases} bodies, {len(found)} violations; written to {reports}/fuzz.json", highlight=False)


if __name__ == "__main__":
    app(prog_name="python -m fuzz")

"""The command line: `python -m deployment --help`."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from deployment import cli_compare, cli_image, cli_looking, cli_monitoring, cli_release, cli_setup, cli_upkeep, github
from deployment.building import BUNDLES_DIR, Runtime
from deployment.cli_image import BundlesDir, RuntimeOption
from deployment.cli_options import DEFAULTS, EXIT_CODES_TOLD, ReportsDir
from deployment.demo import Candidate, run_demo
from deployment.outcomes import ReleaseError
from deployment.releasing import Paths
from deployment.signals import heed

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def deployment() -> None:
    """Release a model to an Azure ML managed online endpoint without ever serving a bad version."""
    heed()


@app.command(epilog=f"Example: python -m deployment demo --candidate slow. {EXIT_CODES_TOLD}")
def demo(
    candidate: Annotated[Candidate, typer.Option(help="The model to release over version 1.")] = Candidate.GOOD,
    runtime: RuntimeOption = Runtime.AUTO,
    reports_dir: ReportsDir = DEFAULTS.reports_dir,
    prometheus: Annotated[  # noqa: FBT002 - a flag of the command line
        bool, typer.Option("--prometheus", help="Run a Prometheus beside it, and show what that has seen.")
    ] = False,
) -> None:
    """Train, build, release and load-test on this machine alone: no Azure account, nothing leaves the machine."""
    paths = Paths(profile="demo", reports_dir=reports_dir)
    raise SystemExit(run_demo(candidate, runtime, paths, with_prometheus=prometheus))


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    epilog="Example: python -m deployment emulate --env-file emulator.env. Further options are passed on: "
    "python -m deployment.emulator --help shows them.",
)
def emulate(
    context: typer.Context,
    runtime: RuntimeOption = Runtime.AUTO,
    state_dir: Annotated[Path, typer.Option(help="Where the emulator keeps its files.")] = Path(".emulator/state"),
    bundles: BundlesDir = BUNDLES_DIR,
) -> None:
    """Serve an emulated Azure ML on this machine until it is told to stop, and print what to export."""
    bundles.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "deployment.emulator", "--runtime", runtime.chosen(), "--bundles", str(bundles)]
    os.execv(sys.executable, [*command, "--state-dir", str(state_dir), *context.args])  # noqa: S606 - becomes it


cli_image.register(app)
cli_compare.register(app)
cli_release.register(app)
cli_upkeep.register(app)
cli_looking.register(app)
cli_monitoring.register(app)
cli_setup.register(app)


def main() -> None:
    """Run the command line; an expected error is one sentence on stderr and an exit code."""
    try:
        app(prog_name="python -m deployment")
    except ReleaseError as error:
        Console(stderr=True).print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        github.annotate("error", "python -m deployment", str(error))
        raise SystemExit(error.exit_code) from None

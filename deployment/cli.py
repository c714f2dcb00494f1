"""The command line: `python -m deployment --help`."""

import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from deployment.building import BUNDLES_DIR, Runtime, build
from deployment.demo import Candidate, run_demo
from deployment.display import LiveDisplay, make_console, print_result
from deployment.golden import read_artefacts
from deployment.outcomes import EXIT_CODES, ReleaseError
from deployment.platform import MODEL_VERSION_TAG, RELEASE_ID_TAG, Endpoint, Platform, describe_traffic
from deployment.release import Release
from deployment.releasing import Paths, git_sha, go_back, run_release, write_reports
from deployment.settings import read_settings

EXIT_CODES_TOLD = "Exit codes: " + ", ".join(f"{code} {outcome}" for outcome, code in EXIT_CODES.items())
EXIT_CODES_TOLD += ", 2 bad input, 20 platform error, 21 clients failed during the demo."

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

SettingsFile = Annotated[Path, typer.Option("--settings", help="What a fork edits: steps, load, limits.")]
EndpointFile = Annotated[Path, typer.Option(help="Azure ML endpoint YAML.")]
DeploymentFile = Annotated[Path, typer.Option(help="Azure ML deployment YAML; name, image and tags are replaced.")]
ReportsDir = Annotated[Path, typer.Option(help="Folder for reports, one sub-folder a release.")]
ModelDir = Annotated[Path, typer.Option(help="Folder with the model's metadata.json and golden_requests.json.")]

RuntimeOption = Annotated[Runtime, typer.Option(help="What the colours are; auto asks for a Docker Engine.")]
BundlesDir = Annotated[Path, typer.Option(help="Where bundles are, for processes.")]

DEFAULTS = Paths()


@app.callback()
def deployment() -> None:
    """Release a model to an Azure ML managed online endpoint without ever serving a bad version."""
    signal.signal(signal.SIGTERM, stop)


def stop(signal_number: int, _frame: FrameType | None) -> None:
    """End as SIGINT does: with the traffic taken back and everything closed."""
    raise SystemExit(128 + signal_number)


@app.command(epilog=f"Example: python -m deployment demo --candidate slow. {EXIT_CODES_TOLD}")
def demo(
    candidate: Annotated[Candidate, typer.Option(help="The model to release over version 1.")] = Candidate.GOOD,
    runtime: RuntimeOption = Runtime.AUTO,
    reports_dir: ReportsDir = DEFAULTS.reports_dir,
) -> None:
    """Train, build, release and load-test on this machine alone: no Azure account, nothing leaves the machine."""
    raise SystemExit(run_demo(candidate, runtime, Paths(profile="demo", reports_dir=reports_dir)))


@app.command(
    epilog="Example: python -m deployment promote --image myregistry.azurecr.io/diabetes-byoc@sha256:... "
    f"--model-dir artifacts/model-3. {EXIT_CODES_TOLD}"
)
def promote(
    image: Annotated[str, typer.Option(help="The image to release, by digest: name@sha256:...")],
    model_dir: ModelDir,
    release_id: Annotated[str, typer.Option(help="Names the release; default: commit and time.")] = "",
    profile: Annotated[str | None, typer.Option(help="A profile of the settings file, e.g. demo.")] = None,
    settings_file: SettingsFile = DEFAULTS.settings_file,
    endpoint_file: EndpointFile = DEFAULTS.endpoint_file,
    deployment_file: DeploymentFile = DEFAULTS.deployment_file,
    reports_dir: ReportsDir = DEFAULTS.reports_dir,
) -> None:
    """Deploy at 0 %, smoke, load, gate, shift; back at the first breach."""
    paths = Paths(settings_file, profile, endpoint_file, deployment_file, reports_dir)
    settings = read_settings(settings_file, profile=profile)
    release = Release(
        release_id=release_id or f"{git_sha()[:12]}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}",
        image=require_digest(image),
        model=read_artefacts(model_dir),
        git_sha=git_sha(),
    )
    console = make_console()
    with LiveDisplay(console) as display:
        display.started("connecting to Azure ML")
        result = run_release(connect(paths), settings, release, paths, display)
    written = write_reports(result, release, paths, {})
    print_result(console, result, {"release": release.release_id, **written})
    raise SystemExit(result.outcome.exit_code)


@app.command(epilog="Example: python -m deployment rollback --to blue --model-dir artifacts/model-2")
def rollback(
    to: Annotated[str, typer.Option(help="The deployment that is to have all traffic.")],
    model_dir: ModelDir,
    endpoint_file: EndpointFile = DEFAULTS.endpoint_file,
    deployment_file: DeploymentFile = DEFAULTS.deployment_file,
) -> None:
    """Give one deployment all traffic, without a gate, unless it is not healthy."""
    paths = Paths(endpoint_file=endpoint_file, deployment_file=deployment_file)
    check = go_back(connect(paths), read_artefacts(model_dir), to)
    make_console().print(f"{to} has 100 %: {check.reason}", markup=False)
    raise SystemExit(0 if check.fits else ReleaseError.exit_code)


@app.command(epilog="Example: python -m deployment status")
def status(
    endpoint_file: EndpointFile = DEFAULTS.endpoint_file, deployment_file: DeploymentFile = DEFAULTS.deployment_file
) -> None:
    """Show who serves: deployments, roles, traffic, model versions, release ids."""
    print_status(make_console(), connect(Paths(endpoint_file=endpoint_file, deployment_file=deployment_file)).observe())


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


@app.command("build", epilog="Example: python -m deployment build --model-dir artifacts/model-1")
def build_command(
    model_dir: ModelDir, runtime: RuntimeOption = Runtime.AUTO, bundles: BundlesDir = BUNDLES_DIR
) -> None:
    """Put a model into an image (or a bundle, for processes) and print its reference, name@sha256:..."""
    read_artefacts(model_dir)
    typer.echo(build(model_dir, runtime.chosen(), bundles, lambda line: typer.echo(line, err=True)))


def connect(paths: Paths) -> Platform:
    from deployment.azureml import AzureML, workspace_from  # noqa: PLC0415 - two seconds that only these commands need

    return AzureML(workspace_from(os.environ), endpoint_file=paths.endpoint_file, deployment_file=paths.deployment_file)


def require_digest(image: str) -> str:
    _, _, digest = image.partition("@sha256:")
    if len(digest) != 64 or set(digest) - set("0123456789abcdef"):  # noqa: PLR2004 - a sha256 in hex
        raise typer.BadParameter(f"{image!r} is not name@sha256:<64 hex digits>; a tag can change under a release")
    return image


def print_status(console: Console, endpoint: Endpoint | None) -> None:
    if endpoint is None:
        console.print("The endpoint does not exist yet; `python -m deployment promote` creates it.")
        return
    table = Table("deployment", "role", "traffic", "state", "model", "release")
    live = endpoint.live.name if endpoint.live else None
    for name, found in sorted(endpoint.deployments.items()):
        role = "live" if name == live else "candidate" if name in endpoint.traffic else "idle"
        tags = found.tags
        percent = f"{endpoint.traffic.get(name, 0)} %"
        version, release = tags.get(MODEL_VERSION_TAG, "?"), tags.get(RELEASE_ID_TAG, "?")
        table.add_row(name, role, percent, found.provisioning_state, version, release)
    console.print(f"{endpoint.name}: {describe_traffic(endpoint.traffic)}", markup=False)
    console.print(table)


def main() -> None:
    """Run the command line; an expected error is one sentence on stderr and an exit code."""
    try:
        app(prog_name="python -m deployment")
    except ReleaseError as error:
        Console(stderr=True).print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise SystemExit(error.exit_code) from None

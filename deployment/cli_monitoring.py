"""The command of what goes on between releases: how many instances serve."""

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from deployment import github
from deployment.autoscale import Plan, Scaling, apply, follow, keep_size, make_plan
from deployment.cli_options import settings_of, with_paths
from deployment.display import make_console
from deployment.platform import Deployment
from deployment.releasing import Paths, connect
from deployment.settings import AutoscaleSettings, ReleaseSettings

if TYPE_CHECKING:
    from deployment.azureml import AzureML

EXAMPLE = "Example: python -m deployment autoscale --dry-run"


@with_paths()
def autoscale(
    paths: Paths,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
) -> None:
    r"""Have Azure Monitor scale the deployment that has the traffic, as \[autoscale] of the settings says.

    Settings that this command has made for other deployments of the endpoint are removed, and all of them where
    autoscale is off. A release does this when it has ended.
    """
    settings = settings_of(paths)
    console = make_console()
    plan, scaling = look(connect(paths, settings.platform), settings.autoscale)
    would = "would " if plan.document is not None or plan.removed else "would do nothing: "
    for line in plan.lines(settings.autoscale):
        console.print(f"{would}{line}" if dry_run else line, markup=False)
    if dry_run and plan.document is not None:
        console.print(json.dumps(plan.document, indent=1), markup=False, highlight=False)
    if not dry_run:
        apply(plan, scaling)


def look(azure: "AzureML", settings: AutoscaleSettings) -> tuple[Plan, Scaling]:
    """Return what is to be done for the endpoint as it is now, and who does it."""
    from deployment.azure_checks import AzureScaling  # noqa: PLC0415 - two seconds that only these commands need

    scaling = AzureScaling(azure)
    return make_plan(azure.endpoint_name, azure.observe(), settings, scaling), scaling


def keep_size_of(azure: "AzureML", settings: ReleaseSettings, live: Deployment) -> str:
    """Have autoscale take no instance from live until the release has ended; return what was done."""
    from deployment.azure_checks import AzureScaling  # noqa: PLC0415 - as above

    return keep_size(azure.endpoint_name, live, settings.autoscale, AzureScaling(azure))


def follow_traffic(azure: "AzureML", settings: ReleaseSettings, console: Console) -> None:
    """Let autoscale follow the traffic, once a release or a command has ended; does nothing where it is off."""

    def say(line: str) -> None:
        console.print(line, markup=False)

    def warn(line: str) -> None:
        console.print(f"warning: {line}", style="yellow", markup=False)
        github.annotate("warning", "autoscale", line)

    follow(lambda: look(azure, settings.autoscale), settings.autoscale, say, warn)


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog=EXAMPLE)(autoscale)

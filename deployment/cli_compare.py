"""The command that measures two images beside each other on one machine, as a pull request's workflow does."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from deployment import github
from deployment.building import BUNDLES_DIR, Runtime
from deployment.cli_image import BundlesDir, RuntimeOption
from deployment.cli_options import ModelDir, RunUrl, require_digest, settings_of, with_paths
from deployment.cli_release import written_reports
from deployment.comparison import Base, Comparison, compare
from deployment.display import LiveDisplay, make_console, print_result
from deployment.engine import require_image, revision_of
from deployment.golden import read_artefacts
from deployment.release import Release
from deployment.releasing import Paths, git_sha
from deployment.telling import tell_github

PROFILE = "pull-request"
EXAMPLE = (
    "Example: python -m deployment compare --live diabetes-byoc@sha256:... --live-model-dir artifacts/base "
    "--image diabetes-byoc@sha256:... --model-dir artifacts/model --release-id pull-request. Exit codes: 0, 10 where "
    "it is binding and shown to be worse, 13 it answers golden requests wrongly, 14 it does not become ready."
)


def register(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.command("compare", epilog=EXAMPLE)(with_paths(reports=True)(compare_command))


def compare_command(
    paths: Paths,
    live: Annotated[str, typer.Option(help="The image to compare with, by digest: name@sha256:...")],
    live_model_dir: Annotated[Path, typer.Option(help="Folder with that one's model.")],
    image: Annotated[str, typer.Option(help="The image to judge, by digest: name@sha256:...")],
    model_dir: ModelDir,
    release_id: Annotated[str, typer.Option(help="Names the reports' folder, which is made anew.")] = PROFILE,
    binding: Annotated[
        bool | None,
        typer.Option("--binding/--advisory", help=r"Whether FAIL fails; default: as \[pull_request] says."),
    ] = None,
    runtime: RuntimeOption = Runtime.AUTO,
    bundles: BundlesDir = BUNDLES_DIR,
    run_url: RunUrl = "",
) -> None:
    """Release an image over another on an emulated Azure ML, as far as the gate: smoke, load, report.

    The profile is pull-request, unless another is named.
    """
    paths = replace(paths, profile=paths.profile or PROFILE)
    settings = settings_of(paths)
    runtime = runtime.chosen()
    base = Base(require_digest(live), read_artefacts(live_model_dir), commit_of(live, runtime))
    sha = commit_of(image, runtime) or git_sha()
    release = Release(release_id, require_digest(image), read_artefacts(model_dir), sha, run_url)
    console = make_console()
    with LiveDisplay(console) as display:
        compared = compare(
            base,
            release,
            settings,
            paths,
            runtime=runtime,
            bundles=bundles,
            binding=settings.pull_request.binding if binding is None else binding,
            display=display,
        )
    told = compared.told()
    rows = {**compared.facts, **written_reports(told, release, paths, compared.facts)}
    print_result(console, told, rows)
    tell(compared, paths)
    raise SystemExit(compared.exit_code)


def tell(compared: Comparison, paths: Paths) -> None:
    """Leave the report for GitHub, and a warning of a base that is broken, which is not the change's fault."""
    release_id = compared.release.release_id
    if compared.base_fault:
        github.annotate("warning", f"{release_id}: the base is broken", compared.base_fault)
    folder = paths.evidence_of(release_id).folder
    tell_github(compared.told(), release_id, folder, level="error" if compared.exit_code else "warning")


def commit_of(image: str, runtime: Runtime) -> str:
    """Return the commit that an image names; empty where it names none, as a bundle does."""
    if runtime is not Runtime.CONTAINERS:
        return ""
    revision = revision_of(require_image(image))
    return "" if revision == "unknown" else revision

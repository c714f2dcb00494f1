"""What several commands of the command line share: options, and the way to Azure ML."""

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any

import typer

from deployment.golden import ModelArtefacts, read_artefacts
from deployment.outcomes import EXIT_CODES
from deployment.patience import PatientPlatform
from deployment.releasing import Paths, connect, patiently
from deployment.settings import ReleaseSettings, read_settings

EXIT_CODES_TOLD = "Exit codes: " + ", ".join(f"{code} {outcome}" for outcome, code in EXIT_CODES.items())
EXIT_CODES_TOLD += ", 2 bad input, 21 clients failed during the demo."

DEFAULTS = Paths()
SettingsFile = Annotated[Path, typer.Option("--settings", help="What a fork edits: steps, load, limits.")]
Profile = Annotated[str | None, typer.Option(help="A profile of the settings file, e.g. demo.")]
EndpointFile = Annotated[Path, typer.Option(help="Azure ML endpoint YAML.")]
DeploymentFile = Annotated[Path, typer.Option(help="Azure ML deployment YAML; name, image and tags are replaced.")]
ReportsDir = Annotated[Path, typer.Option(help="Folder for reports, one sub-folder a release.")]
ModelDir = Annotated[Path, typer.Option(help="Folder with the model's metadata.json and golden_requests.json.")]
OptionalModelDir = Annotated[
    Path | None,
    typer.Option(
        "--model-dir", help="Its golden requests verify who answers; without it the containers' root route is asked."
    ),
]
Image = Annotated[str, typer.Option(help="The image to release, by digest: name@sha256:...")]
ReleaseId = Annotated[str, typer.Option(help="Names the release; default: commit and time.")]
RunUrl = Annotated[
    str,
    typer.Option(envvar="RUN_URL", help="Where this run can be followed; shown to whoever has to wait."),
]


def paths_of(
    profile: Profile = None,
    settings_file: SettingsFile = DEFAULTS.settings_file,
    endpoint_file: EndpointFile = DEFAULTS.endpoint_file,
    deployment_file: DeploymentFile = DEFAULTS.deployment_file,
    reports_dir: ReportsDir = DEFAULTS.reports_dir,
) -> Paths:
    return Paths(settings_file, profile, endpoint_file, deployment_file, reports_dir)


def with_paths(*, reports: bool = False) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of `paths_of` in place of its parameter `paths`; Typer has no groups of options."""
    options = {
        name: parameter
        for name, parameter in signature(paths_of, eval_str=True).parameters.items()
        if reports or name != "reports_dir"
    }

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def run(**given: Any) -> None:
            command(paths=paths_of(**{name: given.pop(name) for name in options}), **given)

        own = {name: each for name, each in signature(command, eval_str=True).parameters.items() if name != "paths"}
        together = [each.replace(kind=Parameter.KEYWORD_ONLY) for each in (own | options).values()]
        shown: Any = run
        shown.__signature__ = Signature(together)
        shown.__annotations__ = {each.name: each.annotation for each in together}
        return run

    return decorate


def connect_patiently(paths: Paths, settings: ReleaseSettings) -> PatientPlatform:
    return patiently(connect(paths, settings.platform), settings)


def settings_of(paths: Paths) -> ReleaseSettings:
    return read_settings(paths.settings_file, profile=paths.profile)


def artefacts_if(model_dir: Path | None) -> ModelArtefacts | None:
    return read_artefacts(model_dir) if model_dir is not None else None


def require_digest(image: str) -> str:
    _, _, digest = image.partition("@sha256:")
    if len(digest) != 64 or set(digest) - set("0123456789abcdef"):  # noqa: PLR2004 - a sha256 in hex
        raise typer.BadParameter(f"{image!r} is not name@sha256:<64 hex digits>; a tag can change under a release")
    return image

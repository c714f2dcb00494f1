"""What several commands of the command line share: options, and the way to Azure ML."""

import os
from pathlib import Path
from typing import Annotated

import typer

from deployment.golden import ModelArtefacts, read_artefacts
from deployment.outcomes import EXIT_CODES
from deployment.patience import PatientPlatform
from deployment.platform import Platform
from deployment.releasing import Paths
from deployment.settings import PlatformSettings, ReleaseSettings, read_settings

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


def connect(paths: Paths, settings: PlatformSettings) -> Platform:
    """Return the platform of the workspace that the environment names."""
    from deployment.azureml import AzureML, workspace_from  # noqa: PLC0415 - two seconds that only these commands need

    return AzureML(
        workspace_from(os.environ),
        endpoint_file=paths.endpoint_file,
        deployment_file=paths.deployment_file,
        provisioning_timeout_s=settings.provisioning_timeout_s,
        operation_timeout_s=settings.operation_timeout_s,
    )


def connect_patiently(paths: Paths, settings: ReleaseSettings) -> PatientPlatform:
    return PatientPlatform(connect(paths, settings.platform), settings.platform.patience_s)


def settings_of(paths: Paths) -> ReleaseSettings:
    return read_settings(paths.settings_file, profile=paths.profile)


def artefacts_if(model_dir: Path | None) -> ModelArtefacts | None:
    return read_artefacts(model_dir) if model_dir is not None else None


def require_digest(image: str) -> str:
    _, _, digest = image.partition("@sha256:")
    if len(digest) != 64 or set(digest) - set("0123456789abcdef"):  # noqa: PLR2004 - a sha256 in hex
        raise typer.BadParameter(f"{image!r} is not name@sha256:<64 hex digits>; a tag can change under a release")
    return image

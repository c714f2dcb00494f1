"""The commands of an image: built, started, listed, pushed, fetched and verified."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from deployment import github
from deployment.attestation import verify as verify_attestation
from deployment.booting import boot as boot_image
from deployment.building import BUNDLES_DIR, DEPLOYMENT_FILE, Runtime
from deployment.building import build as build_image_or_bundle
from deployment.checks import Standing
from deployment.cli_options import ModelDir, connect_patiently, require_digest, settings_of, with_paths
from deployment.cli_upkeep import print_checks
from deployment.contents import list_contents
from deployment.display import make_console
from deployment.engine import require_image, save_image
from deployment.fetching import Fetched, image_running, reference_of
from deployment.fetching import fetch as fetch_model
from deployment.golden import read_artefacts
from deployment.login import log_in
from deployment.outcomes import BadInputError
from deployment.publishing import later_revision, name_of, tag_of
from deployment.publishing import publish as publish_image
from deployment.registry import require_host
from deployment.releasing import Paths, git_sha
from load.report_markup import fenced, table

RuntimeOption = Annotated[Runtime, typer.Option(help="What the colours are; auto asks for a Docker Engine.")]
BundlesDir = Annotated[Path, typer.Option(help="Where bundles are, for processes.")]

Image = Annotated[str, typer.Option(help="The image, by digest: name@sha256:...")]
Registry = Annotated[
    str, typer.Option(envvar="ACR_LOGIN_SERVER", help="The registry's host, e.g. mine.azurecr.io.", show_default=False)
]


def build(
    model_dir: ModelDir,
    runtime: RuntimeOption = Runtime.AUTO,
    bundles: BundlesDir = BUNDLES_DIR,
    tar: Annotated[Path | None, typer.Option(help="Also save the image to this file.")] = None,
    deployment_file: Annotated[
        Path, typer.Option(help="Azure ML deployment YAML; environment.name is what the image is called.")
    ] = DEPLOYMENT_FILE,
) -> None:
    """Put a model into an image (or a bundle, for processes) and print its reference, name@sha256:..."""
    read_artefacts(model_dir)
    chosen = runtime.chosen()
    if tar is not None and chosen is not Runtime.CONTAINERS:
        raise BadInputError(f"--tar {tar}: a bundle is no image; --runtime containers makes one")
    image = build_image_or_bundle(
        model_dir, chosen, bundles, lambda line: typer.echo(line, err=True), deployment_file=deployment_file
    )
    if tar is not None:
        save_image(image, tar)
    github.set_output("image", image)
    typer.echo(image)


def boot(
    image: Image,
    model_dir: ModelDir,
    timeout_s: Annotated[float, typer.Option(min=1, help="How long it may take until it is ready.")] = 120.0,
) -> None:
    """Start an image as the platform would, and see it become ready, answer, and end."""
    model = read_artefacts(model_dir)
    console = make_console()
    image_id = require_image(image)
    with console.status("starting") as status:
        booted = boot_image(image_id, model, timeout_s=timeout_s, started=status.update)
    print_checks(console, booted.checks)
    rows = [(each.name, "failed" if each.standing is Standing.FAIL else "ok", each.found) for each in booted.checks]
    github.add_summary(f"### Boot of {image}\n\n{table(('check', 'result', 'found'), rows)}")
    if booted.failed is None:
        return
    lines = booted.log.splitlines()
    console.print("\nThe container's last lines:", *lines, sep="\n", markup=False)
    github.add_summary(f"The container's last lines:\n\n{fenced('text', lines)}")
    told = f"{booted.failed.name}: {booted.failed.found}; {booted.failed.fix}"
    github.annotate("error", f"boot: {booted.outcome}", told)
    Console(stderr=True).print(f"error: {told}", style="red", markup=False, highlight=False, soft_wrap=True)
    raise SystemExit(booted.outcome.exit_code)


def sbom(
    image: Image,
    output: Annotated[Path, typer.Option(help="The file to write, e.g. sbom.spdx.json.")],
) -> None:
    """List the packages in an image, as SPDX in JSON."""
    image_id = require_image(image)
    packages = list_contents(image_id, name=image.partition("@")[0], version=image_id, path=output)
    show("What is in the image", {"image": image, "packages": str(packages), "list": str(output)})


def login(registry: Registry = "") -> None:
    """Log Docker in to a registry of Azure's, as whoever is logged in to Azure."""
    log_in(require_host(registry))
    typer.echo(f"Docker is logged in to {registry}")


def publish(
    image: Image,
    tar: Annotated[Path | None, typer.Option(help="Load the image from this file if it is not here.")] = None,
    also_tag: Annotated[str, typer.Option(help="A branch: a tag that moves, beside the commit's.")] = "",
    registry: Registry = "",
) -> None:
    """Push an image to the registry once, and print it as the registry has it, HOST/name@sha256:..."""
    commit = git_sha()
    if commit == "unknown":
        raise BadInputError("publish: the folder is no git repository, so there is no commit to tag the image with")
    host = require_host(registry)
    tags = [commit]
    if also_tag and (tag := tag_of(also_tag)) != commit:
        if later := later_revision(name_of(require_digest(image), host), tag, commit):
            typer.echo(f"{tag} is of a later commit, {later}, and stays there", err=True)
        else:
            tags.append(tag)
    published = publish_image(
        require_digest(image), tar=tar, registry=host, tags=tags, said=lambda line: typer.echo(line, err=True)
    )
    outputs = {"image": published.image, "name": published.name, "digest": published.digest}
    for name, value in outputs.items():
        github.set_output(name, value)
    under = ", ".join(published.tags)
    was = "pushed" if published.pushed else "was there already"
    github.add_summary(table(("image", "tags", ""), [(published.image, under, was)]))
    typer.echo(published.image)


@with_paths()
def fetch(
    paths: Paths,
    output: Annotated[Path, typer.Option(help="Folder that the model's files go to.")],
    image: Annotated[
        str | None, typer.Option(help="sha256:..., or HOST/name@sha256:...; empty is the latest of main.")
    ] = None,
    deployment: Annotated[
        str | None, typer.Option(help="Instead: the image that this deployment runs; empty is the one that serves.")
    ] = None,
    registry: Registry = "",
) -> None:
    """Pull an image and take its model's metadata and golden requests out of it; prints the image by digest."""
    if (image is None) is (deployment is None):
        raise BadInputError("fetch: name either --image or --deployment (each may be empty)")
    if image is not None:
        reference = reference_of(image, require_host(registry) if registry else "", paths.deployment_file)
    else:
        reference = image_running(connect_patiently(paths, settings_of(paths)).observe(), deployment or "")
    tell_fetched(fetch_model(reference, output), output)


def tell_fetched(fetched: Fetched, output: Path) -> None:
    model = f"{fetched.model.name} {fetched.model.version}"
    github.set_output("image", fetched.image)
    github.set_output("model", model)
    rows = {"image": fetched.image, "model": model, "commit": fetched.revision or "unknown", "files": str(output)}
    show("The image", rows)


def verify(
    image: Image,
    repository: Annotated[
        str, typer.Option(envvar="GITHUB_REPOSITORY", help="Whose build-image made it: OWNER/NAME.", show_default=False)
    ] = "",
    branch: Annotated[str, typer.Option(help="The branch that it has to be of.")] = "main",
) -> None:
    """Verify that an image was built by this repository's build-image, from its main, on GitHub's own machines."""
    attested = verify_attestation(image, repository=repository, branch=branch)
    for each in attested:
        show(
            "Attested",
            {
                "image": image,
                "statement": each.predicate,
                "commit": each.commit or "not told",
                "built by": each.workflow or "not told",
                "run": each.run_url or "not told",
            },
        )


def show(heading: str, rows: Mapping[str, str]) -> None:
    """Print labels and values, and add them to the job's summary."""
    console = make_console()
    for label, value in rows.items():
        # Not a table of rich's: that would break a long reference in two, and nobody could copy it.
        console.print(f"  [dim]{label:<12}[/dim]", end=" ")
        console.print(value, markup=False)
    github.add_summary(f"### {heading}\n\n{table(('', ''), rows.items())}")


EXAMPLES: dict[Callable[..., None], str] = {
    build: "build --model-dir artifacts/model-1",
    boot: "boot --image diabetes-byoc@sha256:... --model-dir artifacts/model-1. Exit codes: 13 it answers wrongly, 14 "
    "it does not become ready or does not end as it is told to.",
    sbom: "sbom --image diabetes-byoc@sha256:... --output sbom.spdx.json",
    login: "login --registry mine.azurecr.io",
    publish: "publish --image diabetes-byoc@sha256:... --also-tag main --registry mine.azurecr.io",
    fetch: "fetch --image sha256:... --registry mine.azurecr.io --output artifacts/fetched",
    verify: "verify --image mine.azurecr.io/diabetes-byoc@sha256:... --repository me/models",
}


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    for command, example in EXAMPLES.items():
        app.command(epilog=f"Example: python -m deployment {example}")(command)

"""The configuration: what a fork edits, and the model that was trained."""

import hashlib
import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NoReturn

from deployment.checks import Facts, Finding
from deployment.doctor.rows import Row, fail, ok, row_of, skipped, warn
from deployment.endpoint_name import SUFFIXES, VARIABLE, name_in
from deployment.file_checks import (
    NAME_LENGTHS,
    check_auth_mode,
    check_concurrency,
    check_names,
    check_probes,
    check_request_timeout,
)
from deployment.golden import METADATA_FILE, read_artefacts
from deployment.manifests import DeploymentFile, EndpointFile, read_endpoint, read_manifest
from deployment.outcomes import BadInputError, PlatformError
from deployment.releasing import Paths
from deployment.settings import read_settings
from deployment.taking import COLOURS

GROUP = "configuration"
FILE_CHECKS: tuple[tuple[str, Callable[[Facts], Finding]], ...] = (
    ("names", check_names),
    ("auth mode", check_auth_mode),
    ("probes", check_probes),
    ("request timeout", check_request_timeout),
    ("concurrency", check_concurrency),
)
TEMPLATES_NAME = "diabetes"
PLACEHOLDER = re.compile(r"\{\{.*?\}\}|<[A-Za-z][\w -]*>|\bTODO\b|\bCHANGE[-_]?ME\b|\byour-[\w-]+", re.IGNORECASE)
MODEL_DIR, MODEL_CARD = Path("artifacts/model"), Path("model/MODEL_CARD.md")
# Its pickles hold its own inner state, so the service refuses another minor version of it.
STRICT = "scikit-learn"


class NoCloud:
    """An Azure that is not asked: these rows are of files alone."""

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        def refuse(*_: object) -> NoReturn:
            raise PlatformError(f"{name}: Azure is not asked here")

        return refuse


def configuration_rows(paths: Paths, environ: Mapping[str, str], model_dir: Path, card: Path) -> Iterator[Row]:
    """Yield what is to be said of the files."""
    yield settings_row(paths.settings_file)
    yield placeholders_row(paths)
    yield from file_rows(paths, environ)
    yield endpoint_row(paths, environ)
    yield from model_rows(model_dir, card)


def settings_row(path: Path) -> Row:
    """Return whether release.toml is valid, with each of its profiles."""
    try:
        read_settings(path)
        profiles = sorted(tomllib.loads(path.read_text(encoding="utf-8")).get("profiles", {}))
        for profile in profiles:
            read_settings(path, profile=profile)
    except BadInputError as error:
        return fail(GROUP, path.name, str(error), f"mend {path}; docs/settings.md says what is allowed")
    return ok(GROUP, path.name, f"valid, with its profiles ({', '.join(profiles) or 'none'})")


def placeholders_row(paths: Paths) -> Row:
    """Return what was copied from somewhere and not filled in, in any value of the three files."""
    files = (paths.endpoint_file, paths.deployment_file, paths.settings_file)
    found = [
        f"{path.name}: {match[0]}"
        for path in files
        if path.is_file()
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines()
        for match in PLACEHOLDER.finditer(line.partition("#")[0])
    ]
    if found:
        return fail(GROUP, "placeholders", ", ".join(found), "write the values there")
    return ok(GROUP, "placeholders", "none is left")


def file_rows(paths: Paths, environ: Mapping[str, str]) -> Iterator[Row]:
    """Yield the checks of preflight that look at endpoint.yml and deployment.yml."""
    facts = Facts(
        no_cloud(),
        image="",
        release_id="",
        deployment_names=COLOURS,
        read_endpoint_file=partial(read_endpoint, paths.endpoint_file, environ),
        read_deployment_file=partial(read_manifest, DeploymentFile, paths.deployment_file),
        observe=lambda: None,
        has_image=lambda _: False,
    )
    broken: set[str] = set()
    for name, check in FILE_CHECKS:
        try:
            yield row_of(GROUP, name, check(facts))
        except BadInputError as error:
            # A file that cannot be read is one fault, not one for each row.
            if str(error) not in broken:
                yield fail(GROUP, name, str(error), "mend that file")
            broken.add(str(error))


def no_cloud() -> Any:
    return NoCloud()


def endpoint_row(paths: Paths, environ: Mapping[str, str]) -> Row:
    """Return the endpoint's name, and whether its staging can have one."""
    try:
        name = read_manifest(EndpointFile, paths.endpoint_file).name
    except BadInputError as error:
        return fail(GROUP, "endpoint name", str(error), "mend that file")
    staging = name_in("staging", name)
    if len(staging) not in NAME_LENGTHS:
        fix = (
            f"take a name of {NAME_LENGTHS.stop - 1 - len(SUFFIXES['staging'])} characters at most, or have no staging"
        )
        return warn(GROUP, "endpoint name", f"{name}; in staging {staging}, {len(staging)} characters", fix)
    if set_here := environ.get(VARIABLE, "").strip():
        return ok(GROUP, "endpoint name", f"{set_here}, as {VARIABLE} says; in endpoint.yml {name}")
    if name == TEMPLATES_NAME:
        told = f"{name}, the template's own: good on the emulator; on Azure it has to be free in the region"
        return ok(GROUP, "endpoint name", told)
    return ok(GROUP, "endpoint name", f"{name}; in staging {staging}")


def model_rows(folder: Path, card: Path) -> Iterator[Row]:
    """Yield the trained model, its libraries, and its card."""
    if not folder.is_dir():
        yield skipped(GROUP, "model", f"none was trained into {folder}", "make model")
        yield card_row(card, "")
        return
    try:
        artefacts = read_artefacts(folder)
        metadata = json.loads((folder / METADATA_FILE).read_text(encoding="utf-8"))
        digest = hashlib.sha256((folder / metadata["model_file"]).read_bytes()).hexdigest()
    except (BadInputError, OSError, KeyError) as error:
        yield fail(GROUP, "model", str(error), "make model trains it anew")
        yield card_row(card, "")
        return
    told = f"{artefacts.name} {artefacts.version}, {len(artefacts.golden.requests)} golden requests"
    if digest != metadata.get("model_sha256"):
        fix = "make model trains it anew; a container with this one would not start"
        yield fail(GROUP, "model", f"{told}: {metadata['model_file']} is not the file that was trained", fix)
    else:
        yield ok(GROUP, "model", told)
    yield libraries_row(metadata.get("libraries") or {})
    yield card_row(card, artefacts.name)


def libraries_row(trained_with: Mapping[str, str]) -> Row:
    """Return how what the model was trained with differs from what is installed here."""
    installed = {name: here for name in trained_with if (here := installed_version(name)) is not None}
    other = {name: f"{name} {trained_with[name]} there, {here} here" for name, here in installed.items()}
    other = {name: told for name, told in other.items() if minor(trained_with[name]) != minor(installed[name])}
    if STRICT in trained_with and (STRICT in other or STRICT not in installed):
        told = other.get(STRICT, f"{STRICT} {trained_with[STRICT]} there, none here")
        return fail(GROUP, "model's libraries", f"trained with others: {told}", "make model trains it with these")
    if other:
        fix = "make model trains it with these, or compare what it predicts"
        return warn(GROUP, "model's libraries", f"trained with others: {', '.join(other.values())}", fix)
    told = ", ".join(f"{name} {trained}" for name, trained in trained_with.items())
    return ok(GROUP, "model's libraries", f"as here ({told})")


def installed_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:  # python itself, or what training alone needs
        return None


def minor(full: str) -> list[str]:
    return full.split(".")[:2]


def card_row(card: Path, model_name: str) -> Row:
    if not card.is_file():
        return warn(GROUP, "model card", f"{card} is not there", "make model-card writes it from the model's metadata")
    title = next(iter(card.read_text(encoding="utf-8", errors="replace").splitlines()), "").removeprefix("# ")
    if model_name and title != model_name:
        fix = "make model-card writes it anew"
        return warn(GROUP, "model card", f"{card} is of {title!r}, and the model is {model_name!r}", fix)
    return ok(GROUP, "model card", f"{card}, of {title}")

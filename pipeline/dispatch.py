"""What a person has asked for, checked before anything else happens: forms check nothing when an API fills them in."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from deployment.github import add_summary
from pipeline.environment import require
from pipeline.errors import PipelineError
from pipeline.markdown import table

ENDPOINT_FILE = Path("deployment/endpoint.yml")
SETTINGS_FILE = Path("deployment/release.toml")
ENVIRONMENTS = ("production", "staging")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
NAME_LINE = re.compile(r"""^name:[ \t]*(["']?)([A-Za-z0-9-]+)\1[ \t]*(?:#.*)?$""", re.MULTILINE)
ALL_PERCENT = 100
NEEDED = ("ACTOR", "CONFIRMATION", "DEFAULT_BRANCH", "ENVIRONMENT", "PROMOTERS", "REF")
OPTIONAL = ("IMAGE", "PROFILE", "STEPS")


def dispatch(environ: Mapping[str, str]) -> None:
    """Add to the summary what is going to happen; raises PipelineError with all that is wrong at once."""
    require(environ, *NEEDED)
    asked = {name: environ[name] for name in NEEDED} | {name: environ.get(name, "") for name in OPTIONAL}
    endpoint = endpoint_name(ENDPOINT_FILE)
    if faults := list(faults_of(asked, endpoint, profiles(SETTINGS_FILE))):
        raise PipelineError(*faults)
    add_summary(f"## What was asked for\n\n{table(('', ''), told(asked, endpoint))}")


def faults_of(asked: Mapping[str, str], endpoint: str, known_profiles: frozenset[str]) -> Iterator[str]:
    """Yield a sentence for each thing that is wrong."""
    if asked["CONFIRMATION"] != endpoint:
        yield f"confirmation: {asked['CONFIRMATION']!r} is not the endpoint's name; type {endpoint!r}"
    branch = f"refs/heads/{asked['DEFAULT_BRANCH']}"
    if asked["REF"] != branch:
        yield f"ref: this runs from {asked['REF']}, and only {branch} may; start it from that branch"
    promoters = logins(asked["PROMOTERS"])
    if promoters and asked["ACTOR"].casefold() not in promoters:
        yield f"actor: {asked['ACTOR']} is not in the variable PROMOTERS ({asked['PROMOTERS']}); ask one of them"
    if asked["ENVIRONMENT"] not in ENVIRONMENTS:
        yield f"environment: {asked['ENVIRONMENT']!r} is none; choose {' or '.join(ENVIRONMENTS)}"
    if asked["PROFILE"] and asked["PROFILE"] not in known_profiles:
        told_profiles = ", ".join(sorted(known_profiles)) or "none"
        yield f"profile: {asked['PROFILE']!r} is none of {SETTINGS_FILE}; it has {told_profiles}"
    if asked["STEPS"].strip() and not rise_to_all(asked["STEPS"]):
        yield f"steps: {asked['STEPS']!r} are not rising percentages from 1 that end with 100, such as 10,50,100"
    if asked["IMAGE"] and not DIGEST.fullmatch(asked["IMAGE"]):
        yield f"image: {asked['IMAGE']!r} is not sha256:<64 hex digits>; leave it empty for the latest of main"


def told(asked: Mapping[str, str], endpoint: str) -> list[tuple[str, str]]:
    """Return what is going to happen, as label and value."""
    optional = {
        "image": asked["IMAGE"] or "the latest of the default branch",
        "profile": asked["PROFILE"] or "none named",
        "steps": asked["STEPS"].strip() or f"as {SETTINGS_FILE} says",
    }
    return [
        ("endpoint", endpoint),
        ("environment", asked["ENVIRONMENT"]),
        ("asked for by", asked["ACTOR"]),
        ("from", asked["REF"]),
        *optional.items(),
    ]


def logins(listed: str) -> frozenset[str]:
    """Return the logins of a list with commas, in small letters: GitHub tells none apart by them."""
    return frozenset(each.strip().lstrip("@").casefold() for each in listed.split(",") if each.strip())


def rise_to_all(steps: str) -> bool:
    parts = [each.strip() for each in steps.split(",")]
    if not all(re.fullmatch(r"[0-9]{1,3}", each) for each in parts):
        return False
    percentages = [int(each) for each in parts]
    return percentages == sorted(set(percentages)) and percentages[0] >= 1 and percentages[-1] == ALL_PERCENT


def endpoint_name(path: Path) -> str:
    """Return the name in endpoint.yml, which this reads without a library for YAML."""
    try:
        found = NAME_LINE.search(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PipelineError(f"{path} cannot be read ({error}); run this from the repository's root") from error
    if found is None:
        raise PipelineError(f"{path} has no line `name: <endpoint>`; write one")
    return found[2]


def profiles(path: Path) -> frozenset[str]:
    """Return the names of the profiles in release.toml."""
    try:
        return frozenset(tomllib.loads(path.read_text(encoding="utf-8")).get("profiles", {}))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise PipelineError(f"{path} cannot be read ({error}); run this from the repository's root") from error

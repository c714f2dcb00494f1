"""What a person has asked for, checked before anything else happens: forms check nothing when an API fills them in."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from deployment.github import add_summary
from pipeline.endpoint import ENVIRONMENTS, endpoint_of
from pipeline.environment import require
from pipeline.errors import PipelineError
from pipeline.markdown import table

SETTINGS_FILE = Path("deployment/release.toml")
# Images are built from this branch alone.
BRANCH = "refs/heads/main"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
ALL_PERCENT = 100
NEEDED = ("ACTOR", "CONFIRMATION", "ENVIRONMENT", "PROMOTERS", "REF")
OPTIONAL = ("IMAGE", "PROFILE", "STEPS")


def dispatch(environ: Mapping[str, str]) -> None:
    """Add to the summary what is going to happen; raises PipelineError with all that is wrong at once."""
    require(environ, *NEEDED)
    asked = {name: environ[name] for name in (*NEEDED, *OPTIONAL) if name in environ}
    if faults := list(faults_of(asked, profiles(SETTINGS_FILE))):
        raise PipelineError(*faults)
    add_summary(f"## What was asked for\n\n{table(('', ''), told(asked))}")


def faults_of(asked: Mapping[str, str], known_profiles: frozenset[str]) -> Iterator[str]:
    """Yield a sentence for each thing that is wrong."""
    if asked["ENVIRONMENT"] not in ENVIRONMENTS:
        yield f"environment: {asked['ENVIRONMENT']!r} is none; choose {' or '.join(ENVIRONMENTS)}"
    elif asked["CONFIRMATION"] != (endpoint := endpoint_of(asked["ENVIRONMENT"])):
        of_environment = f"the endpoint's name in {asked['ENVIRONMENT']}"
        yield f"confirmation: {asked['CONFIRMATION']!r} is not {of_environment}; type {endpoint!r}"
    if asked["REF"] != BRANCH:
        yield f"ref: this runs from {asked['REF']}, and only {BRANCH} may; start it from that branch"
    promoters = logins(asked["PROMOTERS"])
    if promoters and asked["ACTOR"].casefold() not in promoters:
        yield f"actor: {asked['ACTOR']} is not in the variable PROMOTERS ({asked['PROMOTERS']}); ask one of them"
    image, profile, steps = (asked.get(name, "") for name in OPTIONAL)
    if profile and profile not in known_profiles:
        told_profiles = ", ".join(sorted(known_profiles)) or "none"
        yield f"profile: {profile!r} is none of {SETTINGS_FILE}; it has {told_profiles}"
    if steps.strip() and not rise_to_all(steps):
        yield f"steps: {steps!r} are not rising percentages from 1 that end with 100, such as 10,50,100"
    if image and not DIGEST.fullmatch(image):
        yield f"image: {image!r} is not sha256:<64 hex digits>; leave it empty for the latest of main"


def told(asked: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return what is going to happen, as label and value; what a workflow does not ask for has no row."""
    if_empty = {"IMAGE": "the latest of main", "PROFILE": "none named", "STEPS": f"as {SETTINGS_FILE} says"}
    return [
        ("endpoint", endpoint_of(asked["ENVIRONMENT"])),
        ("environment", asked["ENVIRONMENT"]),
        ("asked for by", asked["ACTOR"]),
        ("from", asked["REF"]),
        *((name.lower(), asked[name].strip() or if_empty[name]) for name in OPTIONAL if name in asked),
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


def profiles(path: Path) -> frozenset[str]:
    """Return the names of the profiles in release.toml."""
    try:
        return frozenset(tomllib.loads(path.read_text(encoding="utf-8")).get("profiles", {}))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise PipelineError(f"{path} cannot be read ({error}); run this from the repository's root") from error

"""The endpoint of an environment of this repository, by its name."""

import re
from pathlib import Path

from deployment.endpoint_name import ENDPOINT_FILE, SUFFIXES, name_in
from pipeline.errors import PipelineError

ENVIRONMENTS = tuple(SUFFIXES)
NAME_LINE = re.compile(r"""^name:[ \t]*(["']?)([A-Za-z0-9-]+)\1[ \t]*(?:#.*)?$""", re.MULTILINE)


def endpoint_of(environment: str) -> str:
    """Return the name of the endpoint of `production` or `staging`."""
    return name_in(environment, read_name(ENDPOINT_FILE))


def read_name(path: Path) -> str:
    """Return the name in endpoint.yml, which this reads without a library for YAML."""
    try:
        found = NAME_LINE.search(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PipelineError(f"{path} cannot be read ({error}); run this from the repository's root") from error
    if found is None:
        raise PipelineError(f"{path} has no line `name: <endpoint>`; write one")
    return found[2]

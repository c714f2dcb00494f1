"""What the endpoint is called: each environment of the repository has its own, and this is the place that decides.

Needs the standard library alone.
"""

from collections.abc import Mapping
from pathlib import Path

ENDPOINT_FILE = Path("deployment/endpoint.yml")
VARIABLE = "AZUREML_ENDPOINT_NAME"
# What follows the name of endpoint.yml.
SUFFIXES = {"production": "", "staging": "-staging"}


def name_in(environment: str, of_file: str) -> str:
    """Return the name of an environment's endpoint; `of_file` is the name in endpoint.yml."""
    return f"{of_file}{SUFFIXES[environment]}"


def endpoint_name(of_file: str, environ: Mapping[str, str]) -> str:
    """Return the name to go by: that of the variable AZUREML_ENDPOINT_NAME where it is set, else that of the file."""
    return environ.get(VARIABLE, "").strip() or of_file

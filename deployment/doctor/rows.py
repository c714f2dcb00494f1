"""What doctor says of one thing."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from deployment.checks import Finding
from load.report_text import redacted, shortened

# The names of environment variables whose values are said nowhere.
SECRET_PARTS = ("TOKEN", "SECRET", "PASSWORD", "KEY", "IDENTITY_HEADER", "CREDENTIAL", "CONNECTION_STRING")
NO_SECRETS = {"AZURE_TOKEN_CREDENTIALS"}  # the name of a class
LEAST_SECRET_CHARACTERS = 6
HIDDEN = "***"
MOST_CHARACTERS = 600


class Standing(StrEnum):
    """How a thing stands."""

    OK = "ok"
    WARN = "warn"  # it works for now, or in part, or nobody could look
    FAIL = "fail"  # something that is to be done here cannot work
    SKIPPED = "skipped"  # not set up, which is no fault; the fix says what would make it checkable


@dataclass(frozen=True)
class Row:
    """What was found, and what to do about it; fix is empty where all is well."""

    group: str
    name: str
    standing: Standing
    found: str
    fix: str = ""


def ok(group: str, name: str, found: str) -> Row:
    return Row(group, name, Standing.OK, found)


def warn(group: str, name: str, found: str, fix: str) -> Row:
    return Row(group, name, Standing.WARN, found, fix)


def fail(group: str, name: str, found: str, fix: str) -> Row:
    return Row(group, name, Standing.FAIL, found, fix)


def skipped(group: str, name: str, found: str, fix: str) -> Row:
    return Row(group, name, Standing.SKIPPED, found, fix)


def row_of(group: str, name: str, finding: Finding) -> Row:
    """Return what a check of preflight found as a row."""
    return Row(group, name, Standing(finding.standing.value), finding.found, finding.fix)


def masked(row: Row, environ: Mapping[str, str]) -> Row:
    """Return the row on one line, without a key, a token or a password, whatever program or variable it came from."""
    secrets = [
        value
        for name, value in environ.items()
        if name not in NO_SECRETS
        and len(value) >= LEAST_SECRET_CHARACTERS
        and any(part in name.upper() for part in SECRET_PARTS)
    ]

    def mask(text: str) -> str:
        for secret in sorted(secrets, key=len, reverse=True):
            text = text.replace(secret, HIDDEN)
        return " ".join(redacted(text).split())

    return replace(row, found=shortened(mask(row.found), MOST_CHARACTERS), fix=mask(row.fix))

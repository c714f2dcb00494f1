"""What several commands of `python -m load` share."""

import os
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console

from load.payloads import PayloadsError
from load.rows_file import RowsError
from load.run_files import KEY_VARIABLE

EXIT_BAD_INPUT = 2
EXIT_BROKE_OFF = 12  # as INVALID: nothing is known of the candidate

SettingsFile = Annotated[
    Path, typer.Option(help=r"TOML file with \[load] and \[gate], such as deployment/release.toml.")
]
Profile = Annotated[
    str | None,
    typer.Option(help=r"Lay \[profiles.PROFILE.load] and \[profiles.PROFILE.gate] over it: smoke, soak, ..."),
]


def with_scheme(uri: str) -> str:
    """Refuse what no request can be sent to; Locust would find out much later."""
    if not uri.startswith(("https://", "http://")):
        raise typer.BadParameter(f"{uri} has to begin with https://")
    return uri


ScoringUri = Annotated[str, typer.Option(callback=with_scheme, help="The endpoint's scoring URI.")]
Payloads = Annotated[
    Path, typer.Option(help="The model's golden_requests.json, or a .jsonl of your own with a request a line.")
]
SETTINGS = Path("deployment/release.toml")

console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)


def require_key() -> str:
    """Return the endpoint's key from the environment; ends the command where there is none."""
    key = os.environ.get(KEY_VARIABLE)
    if not key:
        typer.echo(f"load: {KEY_VARIABLE} is not set; export the endpoint's key", err=True)
        raise typer.Exit(EXIT_BAD_INPUT)
    return key


@contextmanager
def bad_input(settings: Path) -> Iterator[None]:
    """Turn what is wrong with the files that were given into one line and an exit code."""
    try:
        yield
    except (RowsError, PayloadsError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_BAD_INPUT) from error
    except KeyError as error:
        typer.echo(f"settings: {settings} has no profile {error}", err=True)
        raise typer.Exit(EXIT_BAD_INPUT) from error
    except OSError as error:
        typer.echo(f"load: {error.filename or settings} cannot be used ({error.strerror})", err=True)
        raise typer.Exit(EXIT_BAD_INPUT) from error
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        typer.echo(f"settings: {settings} cannot be used ({error})", err=True)
        raise typer.Exit(EXIT_BAD_INPUT) from error

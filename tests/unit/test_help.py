"""What `--help` of the command lines shows: Typer reads it as Rich's markup, in which [words] vanish."""

from collections.abc import Iterator

import pytest
import typer
from rich.text import Text

import deployment.cli
import load.__main__
import model.__main__

pytestmark = pytest.mark.unit
APPS = {"deployment": deployment.cli.app, "load": load.__main__.app, "model": model.__main__.app}


def texts(app: typer.Typer) -> Iterator[tuple[str, str]]:
    command = typer.main.get_command(app)
    for name, each in command.commands.items():  # type: ignore[attr-defined]  # an app of several commands is a group
        yield name, each.help or ""
        yield f"{name}, its example", each.epilog or ""
        for parameter in each.params:
            yield f"{name} {parameter.name}", getattr(parameter, "help", None) or ""


@pytest.mark.parametrize("name", APPS)
def test_nothing_in_brackets_is_taken_for_markup(name: str) -> None:
    lost = {where for where, text in texts(APPS[name]) if Text.from_markup(text).plain != text.replace("\\[", "[")}
    assert lost == set()


@pytest.mark.parametrize("name", APPS)
def test_every_command_says_what_it_does_and_shows_an_example(name: str) -> None:
    told = dict(texts(APPS[name]))
    commands = [where for where in told if "," not in where and " " not in where]
    assert commands
    assert not [each for each in commands if "Example" not in told[each] + told[f"{each}, its example"]]

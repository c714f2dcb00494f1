"""`python -m deployment.settings_page > docs/settings.md`: every key of release.toml, from the models that check it."""

import sys
from collections.abc import Iterator
from enum import Enum
from typing import Any

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from deployment.settings import ReleaseSettings
from load.settings import OFF, limit_of

HEAD = """# Settings

Every key of `deployment/release.toml`, written by `python -m deployment.settings_page` from the models that check the
file. A key that the file does not have has the default. A wrong value ends a command with 2 before anything is touched,
and is named with what is allowed. *or off* is a limit that `"off"` switches off.

`[profiles.NAME.TABLE]` lays its keys over `[TABLE]` where `--profile NAME` is given; a profile needs only the keys that
differ. Environment variables and the variables of the Makefile: [environment.md](environment.md).
"""
BOUNDS = (
    (annotated_types.Ge, "ge", "≥"),
    (annotated_types.Gt, "gt", ">"),
    (annotated_types.Le, "le", "≤"),
    (annotated_types.Lt, "lt", "<"),
)


def page() -> str:
    """Return the page as Markdown: a heading and a table for each of the file's tables."""
    return "\n".join([HEAD, *(line for name, field in tables() for line in section(name, field))])


def tables() -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in ReleaseSettings.model_fields.items():
        model = field.annotation
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            raise TypeError(f"{name} is no table: {model}")
        yield name, model


def section(name: str, model: type[BaseModel]) -> Iterator[str]:
    yield f"## [{name}]\n"
    yield "| key | default | allowed | |"
    yield "|---|---|---|---|"
    for key, field in model.model_fields.items():
        yield f"| `{key}` | {default_of(field)} | {allowed(field)} | {field.description} |"
    yield ""


def default_of(field: FieldInfo) -> str:
    if field.is_required():
        return "none: it must be set"
    value = field.get_default(call_default_factory=True)
    if value is None:
        return f'`"{OFF}"`' if may_be_off(field) else "not set"
    return f"`{written(value)}`"


def written(value: Any) -> str:
    """Return a value as TOML has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Enum):
        return f'"{value.value}"'
    if isinstance(value, tuple):
        return f"[{', '.join(map(written, value))}]"
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def allowed(field: FieldInfo) -> str:
    bounds = [
        f"{symbol} {written(getattr(bound, attribute))}"
        for kind, attribute, symbol in BOUNDS
        for bound in field.metadata
        if isinstance(bound, kind)
    ]
    told = ", ".join(bounds) or kind_of(field.annotation)
    return f"{told}, or off" if may_be_off(field) else told


def kind_of(annotation: Any) -> str:
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " or ".join(f'`"{each.value}"`' for each in annotation)
    return "true or false" if annotation is bool else "a list"


def may_be_off(field: FieldInfo) -> bool:
    return any(getattr(each, "func", None) is limit_of for each in field.metadata)


if __name__ == "__main__":
    sys.stdout.write(page())

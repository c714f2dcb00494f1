"""What a stand-in is given, and how it ends; the standard library alone, as it runs with the runner's own Python."""

import json
import os
import sys
from collections.abc import Callable


class RefusedError(Exception):
    """The real action would end so too."""


class Inputs:
    """The action's inputs, as the workflow gave them or as its action.yml defaults them."""

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> str:
        return str(self._values.get(name) or "").strip()

    def flag(self, name: str) -> bool:
        """Read a boolean as @actions/core does: anything but YAML's own words is refused."""
        value = self[name]
        if value not in {"true", "True", "TRUE", "false", "False", "FALSE"}:
            raise RefusedError(f'Input does not meet YAML 1.2 "Core Schema" specification: {name} ({value!r})')
        return value.lower() == "true"


def run(action: Callable[[Inputs], None]) -> None:
    """Run a stand-in; what it refuses is an error annotation and a failed step."""
    try:
        action(Inputs(json.loads(os.environ["INPUTS"])))
    except RefusedError as error:
        sys.stdout.write(f"::error::{error}\n")
        sys.exit(1)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")

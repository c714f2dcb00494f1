"""A `git` in a clone of the recorded repository: it knows its `origin`, and nothing else."""

import sys
from collections.abc import Sequence

from tests.lib.recorded import Call, Given, RefusedError, State, answered, run_as_program

CALLS = (Call(("remote", "get-url", "origin")),)


def answer(state: State, arguments: Sequence[str]) -> str:
    """Carry out one call, and return what git prints."""
    return answered("git", CALLS, origin, state, arguments)


def origin(state: State, _given: Given) -> str:
    if not state["origin"]:
        raise RefusedError("error: No such remote 'origin'", 2)
    return f"{state['origin']}\n"


if __name__ == "__main__":
    sys.exit(run_as_program(answer, sys.argv[1:]))

"""What the recorded programs share: a state that outlives each call, and no patience with what they do not know.

As programs, they keep the state in the file that $RECORDED names; tests that need no process call `answer` themselves.
"""

import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

State = dict[str, Any]


class RefusedError(Exception):
    """What the program says on stderr, and the code that it ends with."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True)
class Call:
    """One command: its words, and the options that it must and may have."""

    words: tuple[str, ...]
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    several: tuple[str, ...] = ()  # options that take every value up to the next option
    changes: bool = False


@dataclass(frozen=True)
class Given:
    """A call as it was made."""

    call: Call
    options: Mapping[str, str]
    lists: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __getitem__(self, option: str) -> str:
        return self.options[option]

    def get(self, option: str) -> str:
        return self.options.get(option, "")


def read_call(calls: Sequence[Call], arguments: Sequence[str]) -> Given:
    """Return the one call that the arguments are; refuses any other."""
    fitting = [call for call in calls if tuple(arguments[: len(call.words)]) == call.words]
    if not fitting:
        raise RefusedError(f"'{' '.join(arguments)}' is misspelled or not recognized by the system.", 2)
    call = max(fitting, key=lambda each: len(each.words))
    options: dict[str, str] = {}
    lists: dict[str, list[str]] = {}
    rest = list(arguments[len(call.words) :])
    while rest:
        option = rest.pop(0)
        if option in call.flags:
            options[option] = "true"
        elif option in call.several:
            lists[option] = [*take_values(rest)]
        elif option in (*call.required, *call.optional) and rest:
            options[option] = rest.pop(0)
        else:
            raise RefusedError(f"unrecognized arguments: {option}", 2)
    if missing := [each for each in call.required if each not in options]:
        raise RefusedError(f"the following arguments are required: {', '.join(missing)}", 2)
    return Given(call, options, lists)


def take_values(rest: list[str]) -> Iterator[str]:
    while rest and not rest[0].startswith("--"):
        yield rest.pop(0)


def answered(
    program: str,
    calls: Sequence[Call],
    carry_out: Callable[[State, Given], Any],
    state: State,
    arguments: Sequence[str],
) -> str:
    """Carry one call out upon the state, note it, and return what the program prints."""
    state.setdefault("calls", []).append([program, *arguments])
    line = " ".join((program, *arguments))
    for failure in state.get("failures", ()):
        if failure["times"] and re.search(failure["at"], line):
            failure["times"] -= 1
            raise RefusedError(failure["says"])
    given = read_call(calls, arguments)
    answer = carry_out(state, given)
    if given.call.changes:
        state.setdefault("changes", []).append([program, *arguments])
    if isinstance(answer, str):
        return answer
    return "" if answer is None else json.dumps(answer)


def run_as_program(answer: Callable[[State, Sequence[str]], str], arguments: Sequence[str]) -> int:
    """Answer one call with the state of $RECORDED."""
    path = Path(os.environ["RECORDED"])
    state = json.loads(path.read_text(encoding="utf-8"))
    try:
        sys.stdout.write(answer(state, arguments))
    except RefusedError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    finally:
        path.write_text(json.dumps(state), encoding="utf-8")
    return 0

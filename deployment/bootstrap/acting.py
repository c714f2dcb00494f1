"""Carries a plan out, one step after the other."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from deployment.bootstrap.steps import Plan, Step
from deployment.bootstrap.tools import Run, ToolError, advised
from deployment.outcomes import PlatformError

# How long a principal that was made a moment ago may be unknown elsewhere.
PATIENCE_S = 300.0
PAUSE_S = 10.0


@dataclass(frozen=True)
class Done:
    """How a step ended."""

    step: Step
    result: str  # there already, made, replaced, made in part, refused, left out
    warning: str = ""


def carry_out(
    plan: Plan, run: Run, started: Callable[[int, Step], None], *, pause_s: float = PAUSE_S
) -> Iterator[Done]:
    """Yield how each step ended; raises PlatformError at the first that failed and that the rest needs."""
    known: dict[str, str] = {}
    refused: set[str] = set()
    for number, step in enumerate(plan.steps, start=1):
        if step.is_done:
            yield Done(step, "there already")
            continue
        if step.needs in refused:
            yield Done(step, "left out")
            continue
        started(number, step)
        done = act(step, run, known, pause_s)
        if done.result == "refused":
            refused.add(step.what)
        yield done


def act(step: Step, run: Run, known: dict[str, str], pause_s: float) -> Done:
    """Carry out one step; what its answer tells is `known` afterwards."""
    try:
        answer = patiently(step, filled_in(step.command, known), run, pause_s)
    except ToolError as error:
        if step.otherwise is not None and step.otherwise.words in error.message:
            try:
                run(filled_in(step.otherwise.command, known), step.timeout_s)
            except ToolError as again:
                raise advised(again) from again
            return Done(step, "made in part", step.otherwise.warning)
        if step.lost_without:
            return Done(step, "refused", f"{step.what}: {advised(error)}\n{step.lost_without}")
        raise advised(error) from error
    if step.yields:
        known.update(yielded(step, answer))
    (what,) = filled_in((step.what,), known)
    return Done(replace(step, what=what), "replaced" if step.replaces else "made")


def patiently(step: Step, command: tuple[str, ...], run: Run, pause_s: float) -> str:
    """Run a command, again and again while it says that what an earlier step made is not around yet."""

    def is_repeated(error: BaseException) -> bool:
        return isinstance(error, ToolError) and any(re.search(words, error.message) for words in step.repeated_on)

    attempts = Retrying(
        retry=retry_if_exception(is_repeated),
        stop=stop_after_delay(PATIENCE_S),
        wait=wait_fixed(pause_s),
        reraise=True,
    )
    return attempts(run, command, step.timeout_s)


def filled_in(command: tuple[str, ...], known: Mapping[str, str]) -> tuple[str, ...]:
    def fill(argument: str) -> str:
        for placeholder, value in known.items():
            argument = argument.replace(placeholder, value)
        return argument

    return tuple(map(fill, command))


def yielded(step: Step, answer: str) -> dict[str, str]:
    """Return what an answer tells; raises PlatformError where it does not."""
    try:
        document = json.loads(answer)
        return {placeholder: str(value_at(document, key)) for placeholder, key in step.yields}
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        wanted = ", ".join(key for _, key in step.yields)
        raise PlatformError(
            f"{step.what}: it was made, but the answer of {step.command[0]} does not tell {wanted} ({error!r}); run "
            "this again, which finds it"
        ) from error


def value_at(document: Any, key: str) -> Any:
    for part in key.split("."):
        document = document[part]
    if not document:
        raise KeyError(key)
    return document

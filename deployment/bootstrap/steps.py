"""One step of the plan: a command, or the statement that nothing is to be done."""

from dataclasses import dataclass

STEP_TIMEOUT_S = 300.0
# Parts of a command that an earlier step's answer fills in; they stand in the plan as they are.
CLIENT_ID = "<client id>"
PRINCIPAL_ID = "<principal id>"
LOGIN_SERVER = "<login server>"


@dataclass(frozen=True)
class Step:
    """What is to be true, and the command that makes it so; without a command it is true already."""

    part: str  # Azure, identity, roles, ...
    what: str
    command: tuple[str, ...] = ()
    why: str = ""
    replaces: str = ""  # what is there now instead, and will be gone
    yields: tuple[tuple[str, str], ...] = ()  # placeholder, and the key of the answer that fills it in
    repeated_on: tuple[str, ...] = ()  # what the command says while an earlier step has not got around yet
    otherwise: "Fallback | None" = None
    lost_without: str = ""  # what does not work where this is refused; empty: the rest needs it, so it ends there
    needs: str = ""  # the step (its `what`) without which this one is not tried
    timeout_s: float = STEP_TIMEOUT_S

    @property
    def is_done(self) -> bool:
        return not self.command


@dataclass(frozen=True)
class Fallback:
    """What is done instead where a command fails with these words."""

    words: str
    command: tuple[str, ...]
    warning: str


@dataclass(frozen=True)
class Plan:
    """All steps in their order, and what to know before saying yes."""

    facts: tuple[tuple[str, str], ...]
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()

    @property
    def to_do(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if not step.is_done)


def az(*arguments: str) -> tuple[str, ...]:
    """Return a command of az whose answer is JSON."""
    return ("az", *arguments, "--output", "json", "--only-show-errors")

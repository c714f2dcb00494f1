"""How a release can end, and the errors that end one early: one tree, one place."""

from enum import StrEnum


class Outcome(StrEnum):
    """What is true of the endpoint when a release has ended."""

    PROMOTED = "promoted"  # the candidate has all traffic, verified
    PASSED = "passed"  # the gate holds nothing against the candidate, which waits at 0 %
    REFUSED_BY_GATE = "refused by the gate"  # the load test showed it too slow or failing; it never had traffic
    REFUSED_BY_SMOKE = "refused by the smoke test"  # it answered golden requests wrongly; it never had traffic
    NOT_PROVISIONED = "not provisioned"  # the platform could not start it; it never had traffic
    INCONCLUSIVE = "inconclusive"  # the measurement cannot tell; live keeps all traffic
    INVALID = "invalid"  # the measurement says nothing about the candidate; live keeps all traffic
    ROLLED_BACK = "rolled back"  # the candidate had traffic, and live has all of it again, verified
    FROZEN = "frozen"  # no safe direction is known; what serves goes on serving, a person has to look
    STOPPED = "stopped"  # a signal or a person ended it before the candidate had traffic
    PLATFORM_ERROR = "platform error"  # the platform refused a call before the candidate had traffic

    @property
    def exit_code(self) -> int:
        """Return the exit code of the command that ended so (2 is bad input)."""
        return EXIT_CODES[self]


EXIT_BAD_INPUT = 2
EXIT_LEFT_OVER = 18  # what `guard` found, and nobody has repaired
EXIT_PLATFORM_ERROR = 20
EXIT_CLIENTS_FAILED = 21
EXIT_CODES = {
    Outcome.PROMOTED: 0,
    Outcome.PASSED: 0,
    Outcome.REFUSED_BY_GATE: 10,
    Outcome.INCONCLUSIVE: 11,
    Outcome.INVALID: 12,
    Outcome.REFUSED_BY_SMOKE: 13,
    Outcome.NOT_PROVISIONED: 14,
    Outcome.ROLLED_BACK: 15,
    Outcome.FROZEN: 16,
    Outcome.STOPPED: 17,
    Outcome.PLATFORM_ERROR: EXIT_PLATFORM_ERROR,
}


class ReleaseError(Exception):
    """A release cannot go on; the message says what was wrong, with which value, and what to do next."""

    exit_code = EXIT_PLATFORM_ERROR


class BadInputError(ReleaseError):
    """What the user gave cannot be used; nothing has been touched."""

    exit_code = EXIT_BAD_INPUT


class PlatformError(ReleaseError):
    """The platform refused a call or could not be reached."""


class TransientError(PlatformError):
    """The platform did not do what it was asked, and may do it if it is asked again."""


class ProvisioningError(PlatformError):
    """A deployment did not become ready."""


class ConflictError(PlatformError):
    """The endpoint is not as this release left it: somebody else has changed it. The message shows both."""

    exit_code = EXIT_CODES[Outcome.FROZEN]


class Breach(Exception):  # noqa: N818 - not an error of the program: a limit that the candidate has broken
    """The candidate must not have (more) traffic; `outcome` says how the release ends, `next_action` what to do."""

    def __init__(self, outcome: Outcome, sentence: str, next_action: str) -> None:
        super().__init__(sentence)
        self.outcome = outcome
        self.sentence = sentence
        self.next_action = next_action

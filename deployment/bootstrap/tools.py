"""`az` and `gh` as child processes: what they print, and, where they fail, what to do about it."""

import json
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from deployment.outcomes import PlatformError
from deployment.programs import MissingProgramError, ProgramError, run_program

READING_TIMEOUT_S = 60.0
INSTALL = {
    "az": "install the Azure CLI (https://learn.microsoft.com/cli/azure/install-azure-cli) and log in by `az login`",
    "git": "install it: apt-get install git, or your system's own way",
    "gh": "install the GitHub CLI (https://cli.github.com) and log in by `gh auth login`",
}
ROLES_NEEDED = (
    "role assignments need the role Owner, User Access Administrator or Role Based Access Control Administrator on "
    "that scope: ask who has it to run this, or for the role"
)
# What stands in the words of az and gh, and what to do; the first that fits is told.
ADVICE: tuple[tuple[str, str], ...] = (
    (
        r"az login|AADSTS\d+|No subscription found|Interactive authentication",
        "log in by `az login`, then run this again",
    ),
    (r"gh auth login|HTTP 401|Bad credentials", "log in by `gh auth login`, then run this again"),
    (r"'ml' is misspelled|extension.*\bml\b.*not", "add the extension by `az extension add --name ml`"),
    (r"roleAssignments/write|roleDefinitions/write", ROLES_NEEDED),
    (
        r"Insufficient privileges|Authorization_RequestDenied",
        "app registrations need the role Application Developer in Microsoft Entra: ask for it, or leave --app out",
    ),
    (
        r"AuthorizationFailed|does not have authorization",
        (
            "making resources needs the role Contributor on the resource group, or on the subscription where the group "
            "is made too: ask for it, or let who has it run this"
        ),
    ),
    (r"RequestDisallowedByPolicy", "a policy of the subscription forbids this: ask who looks after it what is allowed"),
    (
        r"SubscriptionNotFound|doesn't exist in cloud",
        "`az account list` shows what you may use; name one by --subscription",
    ),
    (r"billing plan|Upgrade to GitHub", "private repositories have this on paid plans alone: pay, or make it public"),
    (r"rate limit", "GitHub answers no more for now: run this again in an hour"),
    (
        r"HTTP 403|Resource not accessible|Must have admin rights",
        (
            "that needs admin rights on the repository and a token with the scope repo (`gh auth refresh --scopes "
            "repo`), or a fine-grained one that may write Administration, Environments and Variables, and read Actions"
        ),
    ),
    (r"HTTP 404|Could not resolve to a", "look at --repository, and whether `gh auth status` names who may see it"),
    (
        r"No such remote|not a git repository",
        "the repository is that of the remote `origin`: add one, or name the repository by --repository OWNER/REPO",
    ),
)
ELSE = "mend that and run this again: what is done already is found and left as it is"


class ToolError(Exception):
    """A command that failed, with what it wrote."""

    @property
    def message(self) -> str:
        return str(self)


Run = Callable[[Sequence[str], float], str]


def run_tool(command: Sequence[str], timeout_s: float) -> str:
    """Run a command and return what it printed; raises ToolError, and PlatformError where there is no such program."""
    try:
        return run_program(command, timeout_s=timeout_s, environ={"GH_PROMPT_DISABLED": "1", "GH_PAGER": "cat"})
    except MissingProgramError as error:
        raise PlatformError(f"{error}; {INSTALL[command[0]]}") from error
    except ProgramError as error:
        raise ToolError(str(error)) from error


def advised(error: ToolError) -> PlatformError:
    """Return the error for whoever has to mend it."""
    advice = next((told for words, told in ADVICE if re.search(words, error.message, re.IGNORECASE)), ELSE)
    return PlatformError(f"{error.message}\n{advice}")


@dataclass(frozen=True)
class Reader:
    """Asks az and gh for JSON, each time for no longer than `timeout_s`."""

    run: Run
    timeout_s: float = READING_TIMEOUT_S

    def az(self, *arguments: str) -> Any:
        return self.json(("az", *arguments, "--output", "json", "--only-show-errors"))

    def gh(self, *arguments: str) -> Any:
        return self.json(("gh", *arguments))

    def text(self, command: Sequence[str]) -> str:
        """Return what a command prints; raises PlatformError with what to do."""
        try:
            return self.run(command, self.timeout_s)
        except ToolError as error:
            raise advised(error) from error

    def json(self, command: Sequence[str]) -> Any:
        """Return the answer of a command; raises PlatformError with what to do."""
        text = self.text(command)
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            raise PlatformError(
                f"{shlex.join(command)}: its answer is no JSON ({error}); update {command[0]}"
            ) from error

    def gh_if(self, *arguments: str, absent: str = "HTTP (403|404)") -> Any | None:
        """Return the answer; None where GitHub has no such thing, or not for whoever asks: what it says is `absent`."""
        try:
            return self.gh(*arguments)
        except PlatformError as error:
            if re.search(absent, str(error)):
                return None
            raise

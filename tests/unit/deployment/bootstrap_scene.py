"""A bootstrap over a recorded Azure and a recorded GitHub."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console

from deployment.bootstrap.run import bootstrap
from deployment.bootstrap.tools import Run, ToolError
from deployment.bootstrap.wishes import Wishes
from tests.lib import az_recorded, gh_recorded, git_recorded
from tests.lib.recorded import RefusedError, State


@dataclass
class Scene:
    """The two states, and what bootstrap does to them."""

    azure: State = field(default_factory=az_recorded.new_azure)
    github: State = field(default_factory=gh_recorded.new_github)
    output: str = ""
    around: Run | None = None  # what is called in place of `run`

    def run(self, command: Sequence[str], _timeout_s: float) -> str:
        """Answer a command as the three programs do."""
        program, *arguments = command
        answer, state = {
            "az": (az_recorded.answer, self.azure),
            "gh": (gh_recorded.answer, self.github),
            "git": (git_recorded.answer, self.github),
        }[program]
        try:
            return answer(state, arguments)
        except RefusedError as error:
            raise ToolError(f"{' '.join(command)}: exit code {error.exit_code}: {error}") from error

    def bootstrap(self, *, dry_run: bool = False, agree: bool = True, **wishes: Any) -> "Scene":
        """Run it, with those wishes."""
        text = io.StringIO()
        console = Console(file=text, width=200, soft_wrap=True)
        try:
            bootstrap(
                Wishes(**wishes),
                console,
                dry_run=dry_run,
                confirm=lambda: agree,
                run=self.around or self.run,
                environ={},
                pause_s=0,
            )
        finally:
            self.output = text.getvalue()
        return self

    @property
    def changes(self) -> list[list[str]]:
        """All that was changed so far, first Azure's, then GitHub's."""
        return [*self.azure.get("changes", []), *self.github.get("changes", [])]

    def forget_changes(self) -> None:
        self.azure["changes"], self.github["changes"] = [], []

    def fail(self, at: str, says: str, times: int = 1) -> None:
        """Let calls that look so fail."""
        state = self.azure if at.startswith("az ") else self.github
        state.setdefault("failures", []).append({"at": at, "says": says, "times": times})

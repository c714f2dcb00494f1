"""A bootstrap over a recorded Azure and a recorded GitHub."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from rich.console import Console

from deployment.bootstrap.run import bootstrap
from deployment.bootstrap.tools import Run, ToolError
from deployment.bootstrap.wishes import Wishes
from tests.lib import az_recorded, gh_recorded, git_recorded
from tests.lib.az_recorded import SUBSCRIPTION, a_group, a_registry, a_workspace
from tests.lib.recorded import RefusedError, State

PREFIX = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-hello-world"
REGISTRY = "crhelloworld40ca1b"
REGISTRY_ID = f"{PREFIX}/providers/Microsoft.ContainerRegistry/registries/{REGISTRY}"
WORKSPACE_ID = f"{PREFIX}/providers/Microsoft.MachineLearningServices/workspaces/mlw-hello-world"
QUIET = ["--output", "json", "--only-show-errors"]
OF_SUBSCRIPTION = ["--subscription", SUBSCRIPTION]
IMMUTABLE = "repo:octocat@583231/hello-world@1296269:environment"
ENVIRONMENTS = ["registry", "production", "production-unattended", "staging", "staging-unattended"]
ISSUER, AUDIENCE = "https://token.actions.githubusercontent.com", "api://AzureADTokenExchange"


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


def subjects(scene: Scene, owner: str = "id-hello-world-github") -> dict[str, str]:
    return {each["name"]: each["subject"] for each in scene.azure["credentials"].get(owner, [])}


def fields_of(call: list[str]) -> list[str]:
    return [value for flag, value in pairwise(call) if flag in ("-F", "-f")]


def put_of(scene: Scene, environment: str) -> list[str]:
    path = f"repos/octocat/hello-world/environments/{environment}"
    (put,) = [each for each in scene.github["changes"] if each[:5] == ["gh", "api", "--method", "PUT", path]]
    return list(put)


def with_workspace(scene: Scene, registry_id: str) -> None:
    scene.azure["groups"].append(a_group("models", "norwayeast"))
    scene.azure["registries"].append(a_registry("own12", "models"))
    scene.azure["workspaces"].append(a_workspace("ml", "models", registry_id, "norwayeast"))

"""A step of a workflow: the files that GitHub reads afterwards, and the variables that name them."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

FILES = ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_STEP_SUMMARY")
LONG = re.compile(r"^(?P<name>[\w-]+)<<(?P<end>\S+)\n(?P<value>.*?)\n(?P=end)$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Step:
    """What a command has left for GitHub Actions so far."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {"GITHUB_ACTIONS": "true", **{name: str(self.folder / name) for name in FILES}}

    @property
    def outputs(self) -> dict[str, str]:
        return assignments(self.read("GITHUB_OUTPUT"))

    @property
    def variables(self) -> dict[str, str]:
        return assignments(self.read("GITHUB_ENV"))

    @property
    def summary(self) -> str:
        return self.read("GITHUB_STEP_SUMMARY")

    def read(self, name: str) -> str:
        path = self.folder / name
        return path.read_text(encoding="utf-8") if path.exists() else ""


def assignments(text: str) -> dict[str, str]:
    """Read what GitHub would: lines of name=value, and values of several lines between marks."""
    found = {each["name"]: each["value"] for each in LONG.finditer(text)}
    return found | dict(line.split("=", 1) for line in LONG.sub("", text).splitlines() if line)


def a_step(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Step:
    """Return a step whose files are in the folder, and let this process be that step."""
    step = Step(folder / "step")
    step.folder.mkdir()
    for name, value in step.environment.items():
        monkeypatch.setenv(name, value)
    return step

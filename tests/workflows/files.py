"""The workflow files and composite actions of this repository, read."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # it ships no type information

from tests.lib.emulator import REPOSITORY

FOLDER = REPOSITORY / ".github"
USES = re.compile(r"uses: (?P<uses>[^\s#]+)(?:\s+# (?P<version>\S+))?\s*$", re.MULTILINE)
Step = Mapping[str, Any]
Job = Mapping[str, Any]


@dataclass(frozen=True)
class WorkflowFile:
    """A workflow file: its text, and what it says."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def document(self) -> dict[str, Any]:
        return dict(yaml.safe_load(self.text))

    @property
    def triggers(self) -> dict[str, Any]:
        """What starts it; YAML 1.1 takes the key `on` for true."""
        return dict(self.document[True])  # type: ignore[index]

    @property
    def jobs(self) -> dict[str, Job]:
        return dict(self.document["jobs"])


WORKFLOWS = {path.stem: WorkflowFile(path) for path in sorted((FOLDER / "workflows").glob("*.yml"))}
ACTIONS = {path.parent.name: path for path in sorted((FOLDER / "actions").glob("*/action.yml"))}


def jobs() -> Iterator[tuple[str, Job]]:
    """Answer every job of every workflow, under a name for messages."""
    for name, workflow in WORKFLOWS.items():
        for job_id, job in workflow.jobs.items():
            yield f"{name}.{job_id}", job


def steps() -> Iterator[tuple[str, Step]]:
    """Answer every step of every workflow and of every composite action, under a name for messages."""
    for name, job in jobs():
        for step in job["steps"]:
            yield f"{name}.{step.get('name')}", step
    for name, path in ACTIONS.items():
        for step in yaml.safe_load(path.read_text(encoding="utf-8"))["runs"]["steps"]:
            yield f"{name}.{step.get('name')}", step


def files() -> Iterator[Path]:
    """Answer every workflow file, and every composite action's."""
    yield from (each.path for each in WORKFLOWS.values())
    yield from ACTIONS.values()

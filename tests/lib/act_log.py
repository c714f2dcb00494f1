"""What `act --json -v` says: which jobs and steps really ran, how they ended, and what they left for people to read."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # it ships no type information

ENDED = re.compile(r"(?:Success|Failure) - Main (?P<name>.*?)(?: \[[^\]]*\])?$")
LEFT_OUT = re.compile(r"Skipping step '(?P<name>.*)' due to")
# These leave nothing out: act has copied the folder itself, and a composite action has no steps before or after it.
HARMLESS = re.compile(
    r"actions/checkout because workdir was already copied|no action model available|^Skipping (?:step|job) '"
)
STAND_IN = "Stand in for "
LEVELS = {"notice", "warning", "error"}


@dataclass(frozen=True)
class Step:
    """A step that ended, or was left out: success, failure or skipped."""

    name: str
    result: str


@dataclass(frozen=True)
class Annotation:
    """A message beside the run."""

    level: str
    title: str
    message: str


@dataclass
class Job:
    """One job, as far as act told."""

    result: str = ""
    steps: dict[tuple[str, ...], Step] = field(default_factory=dict)
    summary: str = ""
    annotations: list[Annotation] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    @property
    def own_steps(self) -> list[Step]:
        """The steps that the workflow names, without those inside of its composite actions."""
        return [step for path, step in self.steps.items() if len(path) == 1]

    @property
    def executed(self) -> list[str]:
        """The names of the workflow's steps that ran."""
        return [step.name for step in self.own_steps if step.result != "skipped"]

    @property
    def executed_inside(self) -> list[str]:
        """The names of the steps inside of this repository's composite actions that ran."""
        inside = [step for path, step in self.steps.items() if len(path) == 2]
        return [step.name for step in inside if step.result != "skipped" and not step.name.startswith(STAND_IN)]

    @property
    def failed(self) -> list[str]:
        """The names of the workflow's steps that failed."""
        return [step.name for step in self.own_steps if step.result == "failure"]

    @property
    def log(self) -> str:
        """What its steps printed."""
        return "".join(self.lines)


@dataclass(frozen=True)
class Told:
    """A whole run; `doubts` are reasons not to believe it."""

    jobs: Mapping[str, Job]
    doubts: Sequence[str]

    @property
    def results(self) -> dict[str, str]:
        return {name: job.result for name, job in self.jobs.items()}

    @property
    def summary(self) -> str:
        """The summaries of all jobs."""
        return "".join(job.summary for job in self.jobs.values())


def read_log(lines: Iterable[str], workflow: Path, *, cancelled: bool = False) -> Told:
    """Read what act printed about a workflow file.

    In doubt is a run in which a job of the file has no result, a step of a job that ran was neither run nor skipped,
    or act left out something by itself, as a job whose label it does not know. Cancelled, a step may be missing.
    """
    jobs: dict[str, Job] = {}
    doubts: list[str] = []
    for entry in entries(lines, doubts):
        if "jobID" in entry:
            take(jobs.setdefault(entry["jobID"], Job()), entry)
        message = str(entry.get("msg", ""))
        if (
            not entry.keys() & {"raw_output", "command"}
            and re.search(r"\b[Ss]kip", message)
            and is_doubtful(message, entry)
        ):
            doubts.append(f"{entry.get('jobID', 'act')}: {message.strip()}")
    declared = read_jobs(workflow)
    for name, document in declared.items():
        job = jobs.setdefault(name, Job())
        if not job.result:
            doubts.append(f"{name}: it has no result")
        if job.result in {"success", "failure"} and not cancelled:
            doubts += [f"{name}: {each} has no result" for each in unaccounted(job, document["steps"])]
    doubts += [f"{name}: it is not in {workflow.name}" for name in jobs.keys() - declared.keys()]
    return Told(jobs, doubts)


def is_doubtful(message: str, entry: Mapping[str, Any]) -> bool:
    # Below, act talks of how it evaluates expressions, some of which have the word in them.
    return entry.get("level") != "debug" and not HARMLESS.search(message)


def read_jobs(workflow: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"])


def entries(lines: Iterable[str], doubts: list[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            yield dict(json.loads(line))
        except ValueError:
            if line.strip():
                doubts.append(f"act: {line.strip()}")


def take(job: Job, entry: Mapping[str, Any]) -> None:
    if "jobResult" in entry:
        job.result = entry["jobResult"]
    if entry.get("raw_output"):
        job.lines.append(entry["msg"])
    elif entry.get("stage") == "Main" and "stepResult" in entry:
        named = ENDED.search(entry["msg"].strip()) or LEFT_OUT.search(entry["msg"])
        job.steps[tuple(entry["stepID"])] = Step(named["name"] if named else entry["step"], entry["stepResult"])
    match entry.get("command"):
        case "summary":
            job.summary += entry["content"]
        case "set-output":
            job.outputs[f"{'.'.join(entry['stepID'])}.{entry['name']}"] = entry["arg"]
        case level if level in LEVELS:
            given = entry.get("kvPairs") or {}
            job.annotations.append(Annotation(str(level), given.get("title", ""), entry.get("arg", "")))


def unaccounted(job: Job, steps: Sequence[Mapping[str, Any]]) -> list[str]:
    told = {step.name for step in job.own_steps}
    return [each["name"] for each in steps if each["name"] not in told]

"""One release from the command's arguments to its reports."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from deployment.endpoint_name import ENDPOINT_FILE
from deployment.evidence import Evidence
from deployment.journal import Journal, Watcher
from deployment.outcomes import BadInputError, Outcome
from deployment.patience import PatientPlatform
from deployment.platform import Platform
from deployment.release import Release, Result
from deployment.rollout import Rollout
from deployment.settings import PlatformSettings, ReleaseSettings, ShiftSettings
from load.report import ReleaseReport, render_comment, render_html, render_json, render_junit, render_markdown
from load.rows_file import read_rows

if TYPE_CHECKING:
    from deployment.azureml import AzureML


@dataclass(frozen=True)
class Paths:
    """The files that a release reads, the profile of its settings, and the folder that its reports go to."""

    settings_file: Path = Path("deployment/release.toml")
    profile: str | None = None
    endpoint_file: Path = ENDPOINT_FILE
    deployment_file: Path = Path("deployment/deployment.yml")
    reports_dir: Path = Path("reports")

    def evidence_of(self, release_id: str) -> Evidence:
        """Return the folder of one release's journal, rows and reports."""
        return Evidence(self.reports_dir / release_id)


def connect(paths: Paths, settings: PlatformSettings) -> "AzureML":
    """Return the platform of the workspace that the environment names, which the SDK reads when it is imported."""
    from deployment.azureml import AzureML, workspace_from  # noqa: PLC0415 - two seconds that only these commands need

    return AzureML(
        workspace_from(os.environ),
        endpoint_file=paths.endpoint_file,
        deployment_file=paths.deployment_file,
        provisioning_timeout_s=settings.provisioning_timeout_s,
        operation_timeout_s=settings.operation_timeout_s,
    )


def patiently(platform: Platform, settings: ReleaseSettings) -> PatientPlatform:
    return PatientPlatform(platform, settings.platform.patience_s)


def with_steps(settings: ReleaseSettings, steps: str) -> ReleaseSettings:
    """Return the settings with these steps of the traffic, written as 10,50,100; empty leaves those of the file.

    Raises BadInputError where the file would not be allowed to have them.
    """
    if not steps.strip():
        return settings
    try:
        percentages = [int(each) for each in steps.split(",")]
    except ValueError:
        raise BadInputError(
            f"--steps: {steps!r} is not percentages with commas between them, such as 10,50,100"
        ) from None
    try:
        shift = ShiftSettings.model_validate({**settings.shift.model_dump(), "steps_percent": percentages})
    except ValidationError as error:
        faults = "; ".join(fault["msg"] for fault in error.errors())
        raise BadInputError(f"--steps: {steps!r}: {faults}; give rising percentages, the last one 100") from error
    return settings.model_copy(update={"shift": shift})


def make_rollout(
    platform: Platform,
    settings: ReleaseSettings,
    release: Release,
    paths: Paths,
    watcher: Watcher,
    *,
    drill: bool | None = None,
) -> Rollout:
    """Return a release that has not begun, or goes on; its journal and rows are kept in the folder of its reports."""
    evidence = paths.evidence_of(release.release_id)
    journal = Journal(evidence.journal_path, watcher)
    journal.read_earlier()
    return Rollout(platform, settings, release, journal, evidence, drill=drill)


def write_reports(result: Result, release: Release, paths: Paths, facts: Mapping[str, str]) -> dict[str, str]:
    """Write the report for people and for machines; return what to show of them: label -> path."""
    folder = paths.evidence_of(release.release_id).folder
    folder.mkdir(parents=True, exist_ok=True)
    report = make_report(result, release, paths, facts)
    run = {"run": release.run_url} if release.run_url else {}
    written = {
        "report.html": render_html(report),
        "report.md": render_markdown(report),
        "comment.md": render_comment(report, run),
        "report.json": render_json(report),
        "junit.xml": render_junit(report),
    }
    for name, content in written.items():
        (folder / name).write_text(content, encoding="utf-8")
    return {
        "report": str(folder / "report.html"),
        "the same in Markdown": str(folder / "report.md"),
        "the same for machines": str(folder / "report.json"),
    }


def make_report(result: Result, release: Release, paths: Paths, facts: Mapping[str, str]) -> ReleaseReport:
    replay = None
    if result.rows_path is not None:
        of_profile = f" --profile {paths.profile}" if paths.profile else ""
        replay = f"python -m load gate {result.rows_path} {paths.settings_file}{of_profile}"
    return ReleaseReport(
        outcome=result.outcome.upper(),
        good=result.outcome in {Outcome.PROMOTED, Outcome.PASSED},
        sentence=result.sentence,
        next_action=result.next_action,
        endpoint=result.endpoint,
        finished_at=datetime.now(UTC),
        live=result.live,
        candidate=result.candidate,
        verdict=result.verdict,
        rows=read_rows(result.rows_path) if result.rows_path is not None else None,
        smoke=result.smoke,
        journal=result.journal,
        facts={
            **facts,
            "release": release.release_id,
            "model": f"{release.model.name} {release.model.version}",
            **result.facts,
            "image": release.image,
            "commit": release.git_sha,
            **({"run": release.run_url} if release.run_url else {}),
            "azure-ai-ml": version("azure-ai-ml"),
        },
        replay_command=replay,
        logs=result.logs,
        history=result.history,
    )


def git_sha() -> str:
    """Return the commit of the working folder, or `unknown` outside a repository."""
    found = subprocess.run(["git", "rev-parse", "HEAD"], check=False, capture_output=True, text=True)
    return found.stdout.strip() or "unknown"

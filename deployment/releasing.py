"""One release from the command's arguments to its reports."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from deployment.golden import ModelArtefacts
from deployment.journal import Journal, Watcher
from deployment.outcomes import Outcome, PlatformError
from deployment.platform import Platform
from deployment.release import Release, Result
from deployment.rollback import NoSafeWayError, roll_back
from deployment.rollout import Rollout
from deployment.scoring import ScoringClient
from deployment.settings import ReleaseSettings
from deployment.split import SplitCheck
from load.report import ReleaseReport, render_html, render_markdown
from load.rows import read_rows

ROWS_FILE = "rows.csv.gz"
JOURNAL_FILE = "journal.jsonl"
ROLLBACK_ROUTING_TIMEOUT_S = 300.0


@dataclass(frozen=True)
class Paths:
    """The files that a release reads, the profile of its settings, and the folder that its reports go to."""

    settings_file: Path = Path("deployment/release.toml")
    profile: str | None = None
    endpoint_file: Path = Path("deployment/endpoint.yml")
    deployment_file: Path = Path("deployment/deployment.yml")
    reports_dir: Path = Path("reports")

    def folder_of(self, release: Release) -> Path:
        """Return the folder of one release's journal, rows and reports."""
        return self.reports_dir / release.release_id


def run_release(
    platform: Platform, settings: ReleaseSettings, release: Release, paths: Paths, watcher: Watcher
) -> Result:
    """Take a release as far as it may go; its journal and rows are kept in the folder of its reports."""
    folder = paths.folder_of(release)
    folder.mkdir(parents=True, exist_ok=True)
    journal = Journal(folder / JOURNAL_FILE, watcher)
    return Rollout(platform, settings, release, journal, folder / ROWS_FILE).promote()


def write_reports(result: Result, release: Release, paths: Paths, facts: Mapping[str, str]) -> dict[str, str]:
    """Write report.html and its Markdown twin; return what to show of them: label -> path."""
    folder = paths.folder_of(release)
    report = make_report(result, release, paths, facts)
    html, markdown = folder / "report.html", folder / "report.md"
    html.write_text(render_html(report), encoding="utf-8")
    markdown.write_text(render_markdown(report), encoding="utf-8")
    return {"report": str(html), "the same in Markdown": str(markdown)}


def make_report(result: Result, release: Release, paths: Paths, facts: Mapping[str, str]) -> ReleaseReport:
    replay = None
    if result.rows_path is not None:
        of_profile = f" --profile {paths.profile}" if paths.profile else ""
        replay = f"python -m load gate {result.rows_path} {paths.settings_file}{of_profile}"
    return ReleaseReport(
        outcome=result.outcome.upper(),
        good=result.outcome is Outcome.PROMOTED,
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
            "image": release.image,
            "commit": release.git_sha,
            "azure-ai-ml": version("azure-ai-ml"),
            "Locust": version("locust"),
        },
        replay_command=replay,
    )


def go_back(platform: Platform, model: ModelArtefacts, name: str) -> SplitCheck:
    """Give one deployment all traffic, if it is healthy; raises PlatformError where it is not."""
    endpoint = platform.observe()
    if endpoint is None:
        raise PlatformError("endpoint: it does not exist, so there is nothing to roll back")
    with ScoringClient(endpoint.scoring_uri, platform.endpoint_key()) as client:
        try:
            return roll_back(
                platform, client, model.golden, target={name: 100}, routing_timeout_s=ROLLBACK_ROUTING_TIMEOUT_S
            )
        except NoSafeWayError as error:
            raise PlatformError(f"rollback: {error}; nothing was changed") from error


def git_sha() -> str:
    """Return the commit of the working folder, or `unknown` outside a repository."""
    found = subprocess.run(["git", "rev-parse", "HEAD"], check=False, capture_output=True, text=True)
    return found.stdout.strip() or "unknown"

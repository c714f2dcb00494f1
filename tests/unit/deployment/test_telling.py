"""What a release leaves for GitHub Actions, however it ended."""

from pathlib import Path

import pytest

from deployment.outcomes import Outcome
from deployment.release import Result
from deployment.releasing import Paths, write_reports
from deployment.telling import tell_github, tell_phase
from tests.lib.github_step import Step, a_step
from tests.lib.load_samples import Answers
from tests.lib.release_fakes import FakePlatform
from tests.unit.deployment.scene import Measured, a_release, a_rollout, an_endpoint

pytestmark = pytest.mark.unit

SLOW = Answers(median_ms=900)


@pytest.fixture
def step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Step:
    return a_step(tmp_path, monkeypatch)


def released(folder: Path, measured: Measured | None = None) -> tuple[Result, Path]:
    """Run a release to its end and write its report; return its folder too."""
    paths = Paths(reports_dir=folder)
    result = a_rollout(FakePlatform(an_endpoint()), folder / "r-2", measure=measured or Measured()).promote()
    write_reports(result, a_release(), paths, {})
    return result, folder / "r-2"


def test_a_promotion_leaves_its_report_and_no_annotation(
    tmp_path: Path, step: Step, capsys: pytest.CaptureFixture[str]
) -> None:
    result, folder = released(tmp_path)
    tell_github(result, "r-2", folder)
    assert step.outputs == {"outcome": "promoted", "release_id": "r-2", "report": str(folder / "report.html")}
    assert step.summary.strip() == (folder / "report.md").read_text(encoding="utf-8").strip()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("level", ["error", "warning"])
def test_a_refusal_is_annotated_with_its_sentence(
    level: str, tmp_path: Path, step: Step, capsys: pytest.CaptureFixture[str]
) -> None:
    result, folder = released(tmp_path, Measured(SLOW))
    assert result.outcome is Outcome.REFUSED_BY_GATE
    tell_github(result, "r-2", folder, level=level)  # type: ignore[arg-type]  # both are levels
    assert capsys.readouterr().out.startswith(f"::{level} title=r-2%3A refused by the gate::green is too slow")
    assert step.outputs["outcome"] == "refused by the gate"


@pytest.mark.parametrize("folder", [None, Path("nothing")])
def test_without_a_report_the_summary_says_how_it_ended(folder: Path | None, tmp_path: Path, step: Step) -> None:
    result = a_rollout(FakePlatform(an_endpoint()), tmp_path, measure=Measured(SLOW)).promote()
    tell_github(result, "r-2", folder)
    assert step.outputs["report"] == ""
    assert step.summary.startswith("## REFUSED BY THE GATE\n\n**green is too slow")
    assert "Next: Live keeps all traffic." in step.summary


def test_a_release_that_goes_on_says_how_far_it_is(step: Step) -> None:
    tell_phase("r-2", "smoked")
    assert step.outputs == {"outcome": "smoked", "release_id": "r-2"}
    assert "| r-2 | smoked |" in step.summary

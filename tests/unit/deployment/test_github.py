"""What is left for GitHub Actions: outputs, variables, the job's summary, annotations; nothing elsewhere."""

from pathlib import Path

import pytest

from deployment import github
from tests.lib.github_step import FILES, Step, a_step

pytestmark = pytest.mark.unit


@pytest.fixture
def step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Step:
    return a_step(tmp_path, monkeypatch)


def test_outputs_and_variables_are_added_to_their_files(step: Step) -> None:
    github.set_output("image", "name@sha256:1")
    github.set_output("empty", "")
    github.set_variable("RELEASE_ID", "run-1")
    assert step.outputs == {"image": "name@sha256:1", "empty": ""}
    assert step.variables == {"RELEASE_ID": "run-1"}


def test_a_value_of_several_lines_cannot_set_anything_else(step: Step) -> None:
    value = "first\nimage=another\nend\nEOF\nimage<<end"
    github.set_output("sentence", value)
    assert step.outputs == {"sentence": value}


def test_summaries_follow_each_other_with_an_empty_line_between(step: Step) -> None:
    github.add_summary("## One\n\n\n")
    github.add_summary("## Two")
    assert step.summary == "## One\n\n## Two\n\n"


def test_a_summary_that_github_would_drop_is_cut_and_says_so(step: Step) -> None:
    github.add_summary("first")
    github.add_summary("é" * github.MOST_SUMMARY_BYTES)
    taken = step.summary
    assert len(taken.encode()) <= github.MOST_SUMMARY_BYTES
    assert len(taken.encode()) > github.MOST_SUMMARY_BYTES - 10
    assert taken.startswith("first\n\né")
    assert taken.endswith(github.CUT_SHORT)
    github.add_summary("no room is left for this")
    assert step.summary == taken


def test_a_summary_with_half_a_character_is_written_all_the_same(step: Step) -> None:
    github.add_summary("a log that was cut \udcc3")
    assert step.summary == "a log that was cut ?\n\n"


def test_an_annotation_is_one_line_whatever_it_says(step: Step, capsys: pytest.CaptureFixture[str]) -> None:
    assert step.summary == ""
    github.annotate("error", "r-1: refused, why", "100 % slow\n::set-output name=x::y\r")
    assert capsys.readouterr().out == (
        "::error title=r-1%3A refused%2C why::100 %25 slow%0A::set-output name=x::y%0D\n"
    )


def test_outside_of_github_nothing_is_said_and_nothing_is_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("GITHUB_ACTIONS", *FILES):
        monkeypatch.delenv(name, raising=False)
    github.set_output("a", "b")
    github.set_variable("a", "b")
    github.add_summary("c")
    github.annotate("warning", "d", "e")
    assert not github.runs_here()
    assert capsys.readouterr().out == ""

"""Whether a run that is not what it seems is noticed: act leaves out silently what it does not know."""

from pathlib import Path

import pytest

from tests.lib.act import TOKEN, Event, Run, Surroundings, Workbench
from tests.lib.fork import Fork

pytestmark = pytest.mark.workflows

JOB = """
  {name}:
    runs-on: {label}
    steps:
      - name: First
        run: {command}
      - name: Second
        run: echo "second of {name}"
"""


@pytest.fixture
def fork(tmp_path: Path) -> Fork:
    fork = Fork(tmp_path / "fork")
    fork.folder.mkdir()
    fork.git("init", "--quiet", "--initial-branch=main")
    return fork


def run(workbench: Workbench, fork: Fork, jobs: str, *, cancelled: bool = False) -> Run:
    fork.write(".github/workflows/x.yml", f"name: x\non: [push]\njobs:{jobs}")
    fork.commit("a workflow")
    return workbench.start(fork, "x", Event("push", {}), Surroundings()).wait(cancelled=cancelled)


def job(name: str, command: str, label: str = "ubuntu-24.04") -> str:
    return JOB.format(name=name, command=command, label=label)


def test_what_ran_is_told_with_its_steps_output_summary_and_annotations(workbench: Workbench, fork: Fork) -> None:
    command = "echo '::warning title=Here::It rains' && echo '# Wet' >> \"$GITHUB_STEP_SUMMARY\""
    ended = run(workbench, fork, job("one", command))
    assert ended.told.doubts == []
    assert ended.told.results == {"one": "success"}
    one = ended.told.jobs["one"]
    assert one.executed == ["First", "Second"]
    assert (ended.summary, ended.annotations("warning")) == ("# Wet\n", ["It rains"])
    assert "second of one" in one.log


def test_a_failed_step_is_told_and_what_it_kept_from_running(workbench: Workbench, fork: Fork) -> None:
    ended = run(workbench, fork, job("one", "exit 3"))
    assert ended.exit_code == 1
    assert ended.told.doubts == []
    assert (ended.told.jobs["one"].failed, ended.told.jobs["one"].executed) == (["First"], ["First"])


def test_a_job_for_a_machine_that_act_does_not_know_is_in_doubt_though_act_is_content(
    workbench: Workbench, fork: Fork
) -> None:
    ended = run(workbench, fork, job("one", "true") + job("two", "true", "windows-2025"))
    assert ended.exit_code == 0
    assert ended.told.results == {"one": "success", "two": ""}
    assert [doubt.partition(":")[0] for doubt in ended.told.doubts] == ["two", "two"]
    assert "Skipping unsupported platform" in ended.told.doubts[0]


def test_an_action_without_a_stand_in_fails_the_job(workbench: Workbench, fork: Fork) -> None:
    uses = job("one", "true").replace("run: true", f"uses: somebody/something@{'0' * 40}")
    ended = run(workbench, fork, uses)
    assert ended.told.results == {"one": "failure"}
    assert ended.exit_code == 1


def test_no_variable_of_this_machine_reaches_a_step(
    workbench: Workbench, fork: Fork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "of-whoever-runs-the-tests")
    fork.write(".env", "FROM_A_FILE=1")
    fork.write(".secrets", "FROM_A_FILE=1")
    ended = run(workbench, fork, job("one", "env"))
    assert "GITHUB_RUN_ID=" in ended.told.jobs["one"].log
    assert "of-whoever-runs-the-tests" not in ended.told.jobs["one"].log
    assert "FROM_A_FILE" not in ended.told.jobs["one"].log


def test_a_secret_is_masked(workbench: Workbench, fork: Fork) -> None:
    ended = run(workbench, fork, job("one", 'echo "token ${{ secrets.GITHUB_TOKEN }}"'))
    assert "token ***" in ended.told.jobs["one"].log
    assert TOKEN not in ended.told.jobs["one"].log


def test_a_cancelled_run_still_does_what_is_to_be_done_always(workbench: Workbench, fork: Fork) -> None:
    steps = (
        job("one", "echo begun && sleep 60")
        + "      - name: Third\n        if: cancelled()\n        run: echo undone\n"
    )
    fork.write(".github/workflows/x.yml", f"name: x\non: [push]\njobs:{steps}")
    fork.commit("a workflow")
    started = workbench.start(fork, "x", Event("push", {}), Surroundings())
    started.wait_until("begun\n", 20)
    started.cancel()
    ended = started.wait(cancelled=True)
    assert ended.exit_code == 1
    assert ended.told.jobs["one"].executed == ["First", "Third"]
    assert ended.told.jobs["one"].log.endswith("undone\n")

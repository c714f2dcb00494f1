"""Whether the executed scenarios leave no workflow and no gate out, and whether each of them is played."""

import re

import pytest

from tests.lib.emulator import REPOSITORY
from tests.workflows import scenarios
from tests.workflows.files import WORKFLOWS, WorkflowFile

pytestmark = pytest.mark.workflows
BY_NAME = pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=list(WORKFLOWS))


@BY_NAME
def test_every_workflow_is_seen_green(workflow: WorkflowFile) -> None:
    assert [each.name for each in scenarios.ALL.values() if each.workflow == workflow.name and each.is_green]


@pytest.mark.parametrize("gate", scenarios.GATES, ids=".".join)
def test_every_gate_is_seen_stopping_something(gate: tuple[str, str, str]) -> None:
    workflow, job, step = gate
    assert step in {each["name"] for each in WORKFLOWS[workflow].jobs[job]["steps"]}
    assert [each for each in scenarios.ALL.values() if each.workflow == workflow and each.failed.get(job) == step]


@pytest.mark.parametrize("name", scenarios.ALL)
def test_a_scenario_is_about_a_workflow_as_it_is_and_some_test_plays_it(name: str) -> None:
    scenario = scenarios.ALL[name]
    assert scenario.jobs.keys() == WORKFLOWS[scenario.workflow].jobs.keys()
    named = {job: {step["name"] for step in each["steps"]} for job, each in WORKFLOWS[scenario.workflow].jobs.items()}
    for job, left_out in scenario.left_out.items():
        assert set(left_out) <= named[job]
    here = REPOSITORY / "tests" / "workflows"
    tests = "".join(path.read_text(encoding="utf-8") for path in [*here.glob("test_*.py"), here / "conftest.py"])
    assert re.search(rf"scenarios\.{name}\b", tests), "no test plays it"

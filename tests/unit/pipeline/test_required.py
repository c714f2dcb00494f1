"""The one check that branch protection asks for."""

import json

import pytest

from pipeline.errors import PipelineError
from pipeline.required import required
from tests.lib.github_step import Step

pytestmark = pytest.mark.unit


def needs(**results: str) -> dict[str, str]:
    return {"NEEDS": json.dumps({job: {"result": result, "outputs": {}} for job, result in results.items()})}


def test_jobs_that_all_succeeded_are_enough(step: Step) -> None:
    required(needs(lint="success", test="success"), [])
    assert "| lint | success |  |" in step.summary


def test_a_job_that_may_be_skipped_may_be(step: Step) -> None:
    required(needs(lint="success", comment="skipped"), ["comment"])
    assert "| comment | skipped |  |" in step.summary


@pytest.mark.parametrize("result", ["failure", "cancelled", "skipped", "something new"])
def test_a_job_that_did_not_succeed_is_named(result: str, step: Step) -> None:
    with pytest.raises(PipelineError, match=f"^job test: {result}, and it must succeed$") as raised:
        required(needs(lint="success", test=result), [])
    assert raised.value.exit_code == 1
    assert f"| test | {result} | must succeed |" in step.summary


@pytest.mark.parametrize("result", ["failure", "cancelled"])
def test_a_job_that_may_be_skipped_may_not_fail(result: str, step: Step) -> None:
    with pytest.raises(PipelineError, match=f"job comment: {result}"):
        required(needs(lint="success", comment=result), ["comment"])
    assert "must succeed" in step.summary


def test_every_job_that_did_not_succeed_is_named() -> None:
    with pytest.raises(PipelineError) as raised:
        required(needs(a="failure", b="success", c="skipped"), [])
    assert len(raised.value.messages) == 2


@pytest.mark.parametrize("text", ["{}", "null"])
def test_a_check_of_nothing_is_refused(text: str) -> None:
    with pytest.raises(PipelineError, match="NEEDS names no job"):
        required({"NEEDS": text}, [])


def test_a_job_that_is_let_off_and_not_needed_is_a_mistake() -> None:
    with pytest.raises(PipelineError, match="--may-skip coment: no such job is needed; there are lint, comment"):
        required(needs(lint="success", comment="skipped"), ["coment"])


def test_a_job_without_a_result_did_not_succeed() -> None:
    with pytest.raises(PipelineError, match="job a: without a result"):
        required({"NEEDS": '{"a": {}}'}, [])
    with pytest.raises(PipelineError, match="job a: without a result"):
        required({"NEEDS": '{"a": "success"}'}, [])

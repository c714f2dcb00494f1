"""What every workflow file promises, read and not run: the things that act and the linters do not see to."""

import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import typer

import deployment.cli
from pipeline.__main__ import parser as pipeline_parser
from tests.lib.act import ACT, LABELS
from tests.lib.emulator import REPOSITORY
from tests.workflows.files import ACTIONS, FOLDER, WORKFLOWS, Job, WorkflowFile, files, jobs, steps

pytestmark = pytest.mark.workflows
MAKE = re.compile(r'make (?P<target>[a-z-]+)(?: ARGS="(?P<args>[^"$`]*)")?')
DEPLOYMENT = re.compile(r"(?:exec )?\.venv/bin/python -m deployment (?P<command>[a-z-]+)(?P<rest>.*)", re.DOTALL)
# The one that needs the environment is named by it: it builds with it.
PIPELINE = re.compile(r"(?:python3|\.venv/bin/python) -m pipeline (?P<command>[a-z-]+)(?P<rest>.*)", re.DOTALL)
OPTION = re.compile(r'(?<!\S)(?P<option>--[a-z-]+)(?:[ =](?P<value>"[^"`]*"|[\w./,-]+))?')
INSIDE_SHELL = re.compile(r"[;&|<>`]|\$\(|\n")
GATHERED = re.compile(r"\$\{\{.*?\}\}", re.DOTALL)
BY_NAME = pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=list(WORKFLOWS))


@BY_NAME
def test_a_workflow_is_called_as_its_file_is(workflow: WorkflowFile) -> None:
    assert workflow.document["name"] == workflow.name


@BY_NAME
def test_nothing_is_permitted_to_all_jobs_and_each_permission_of_a_job_says_what_it_is_for(
    workflow: WorkflowFile,
) -> None:
    assert workflow.document["permissions"] == {}
    granted = [line for line in workflow.text.splitlines() if re.match(r"\s+[a-z-]+: (?:read|write)\b", line)]
    assert granted
    assert [line.strip() for line in granted if not re.search(r"# to \w+", line)] == []
    assert [name for name, job in workflow.jobs.items() if "permissions" not in job] == []


@BY_NAME
def test_runs_of_a_workflow_do_not_cross(workflow: WorkflowFile) -> None:
    concurrency = workflow.document["concurrency"]
    assert concurrency["group"]
    changes = {"promote", "rollback", "teardown", "guard", "load-test", "build-image"}
    assert concurrency["cancel-in-progress"] is (workflow.name not in changes)


def test_releases_load_tests_and_teardowns_of_an_endpoint_wait_for_each_other_and_rollbacks_for_nobody() -> None:
    groups = {name: each.document["concurrency"]["group"] for name, each in WORKFLOWS.items()}
    assert groups["promote"] == groups["teardown"] == groups["load-test"] == "release-${{ inputs.environment }}"
    assert groups["rollback"] not in {group for name, group in groups.items() if name != "rollback"}


def test_every_job_ends_in_time_on_a_machine_that_the_tests_know() -> None:
    assert {name: job["runs-on"] for name, job in jobs() if job["runs-on"] not in LABELS} == {}
    assert [name for name, job in jobs() if not 1 <= job["timeout-minutes"] <= 120] == []


def test_every_job_and_step_has_a_name() -> None:
    assert [name for name, job in jobs() if not job.get("name")] == []
    assert [name for name, step in steps() if not step.get("name")] == []


def test_a_step_of_a_job_is_named_once() -> None:
    for name, job in jobs():
        named = [step["name"] for step in job["steps"]]
        assert len(named) == len(set(named)), name


def test_every_step_runs_one_command_of_this_repository() -> None:
    for name, run in runs():
        assert not GATHERED.search(run), f"{name}: an expression in a command"
        assert not INSIDE_SHELL.search(run), f"{name}: more than one command"
        assert any(known.fullmatch(run) for known in (MAKE, DEPLOYMENT, PIPELINE)), f"{name}: {run}"


def test_every_make_target_exists() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    asked = {(name, found["target"]) for name, run in runs() if (found := MAKE.fullmatch(run))}
    assert asked
    assert [each for each in asked if not re.search(rf"^{each[1]}:", makefile, re.MULTILINE)] == []


def test_every_command_and_option_of_the_command_line_exists() -> None:
    group: Any = typer.main.get_command(deployment.cli.app)
    known = {
        name: {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
        for name, command in group.commands.items()
    }
    assert_known(DEPLOYMENT, known)


def test_every_command_and_option_of_the_pipeline_exists() -> None:
    (of_commands,) = [each for each in pipeline_parser()._actions if each.choices]  # noqa: SLF001 - argparse has no other way
    choices: Any = of_commands.choices
    known = {name: set(parser._option_string_actions) for name, parser in choices.items()}  # noqa: SLF001 - as above
    assert_known(PIPELINE, known)


def test_whatever_a_command_reads_from_the_environment_is_given_to_its_step_or_its_workflow() -> None:
    for name, job in jobs():
        around = set(WORKFLOWS[name.partition(".")[0]].document.get("env", {}))
        for step in job["steps"]:
            used = set(re.findall(r'"\$([A-Z_]+)"', step.get("run", "")))
            assert used <= around | set(step.get("env", {})), f"{name}.{step['name']}"


def test_only_jobs_of_an_environment_may_have_an_id_token_and_whoever_logs_in_may() -> None:
    for name, job in jobs():
        may = job["permissions"].get("id-token") == "write"
        logs_in = any("azure-login" in step.get("uses", "") for step in job["steps"])
        attests = any(step.get("uses", "").startswith("actions/attest@") for step in job["steps"])
        assert may is (logs_in or attests), name
        assert not may or job.get("environment"), name


def test_what_runs_the_code_of_a_pull_request_has_nothing_to_lose() -> None:
    of_pull_requests = [each for each in WORKFLOWS.values() if "pull_request" in each.triggers]
    assert {each.name for each in of_pull_requests} == {"image-tests", "security"}
    for workflow in of_pull_requests:
        for name, job in workflow.jobs.items():
            text = str(job)
            assert "id-token" not in job["permissions"], name
            assert "environment" not in job, name
            assert "secrets." not in text, name
            assert "vars" not in text, name
            writes = {key for key, value in job["permissions"].items() if value == "write"}
            assert writes <= ({"pull-requests"} if name == "comment" else set()), name
    assert not [each.name for each in WORKFLOWS.values() if "pull_request_target" in each.triggers]


def test_the_job_that_may_write_a_comment_runs_for_branches_of_this_repository_alone() -> None:
    comment = WORKFLOWS["image-tests"].jobs["comment"]
    assert "github.event.pull_request.head.repo.full_name == github.repository" in comment["if"]


def test_the_scanner_has_no_permission_at_all() -> None:
    scanning = {
        name: job for name, job in jobs() if any("scan-action" in str(step.get("uses")) for step in job["steps"])
    }
    assert scanning.keys() == {"build-image.scan", "security.scan"}
    for name, job in scanning.items():
        assert job["permissions"] == {}, name
        assert "environment" not in job, name


def test_people_are_asked_before_traffic_moves_and_before_an_endpoint_goes_and_nowhere_else() -> None:
    asked = {name for name, job in jobs() if environment_of(job) == "${{ inputs.environment }}"}
    assert asked == {"promote.shift", "teardown.teardown"}
    others = {environment_of(job) for name, job in jobs() if name not in asked}
    unattended = ("${{ inputs.environment }}-unattended", "${{ inputs.environment || 'production' }}-unattended")
    assert others == {"", "registry", *unattended}


def test_what_shifts_traffic_gives_it_back_itself_when_it_fails_or_is_cancelled() -> None:
    of_shift = {step["name"]: step for step in WORKFLOWS["promote"].jobs["shift"]["steps"]}
    assert of_shift["Roll back"]["if"] == "${{ (failure() || cancelled()) && steps.shift.outcome != 'skipped' }}"
    assert list(of_shift).index("Roll back") == list(of_shift).index("Shift") + 1


def test_what_holds_an_endpoint_is_told_of_a_cancellation_itself() -> None:
    # A shell that waits for it would get the signals in its place, and hand none on.
    held = {"deploy", "smoke", "load", "gate", "shift", "rollback", "load-test"}
    told = {name: run for name, run in runs() if (found := DEPLOYMENT.fullmatch(run)) and found["command"] in held}
    assert {DEPLOYMENT.fullmatch(run)["command"] for run in told.values()} == held  # type: ignore[index] # it did match
    assert [name for name, run in told.items() if not run.startswith("exec ")] == []


def test_a_job_that_can_log_in_to_azure_has_no_more_packages_than_it_needs() -> None:
    for name, job in jobs():
        used = {str(step.get("uses")): step.get("with", {}) for step in job["steps"]}
        if "./.github/actions/azure-login" in used:
            assert used["./.github/actions/setup"] == {"locks": "deployment load"}, name
            assert used["./.github/actions/azure-login"]["environment"] == environment_of(job), name


def test_whoever_moves_traffic_or_takes_an_endpoint_down_is_asked_about_again_in_that_very_job() -> None:
    for workflow in ("promote", "teardown"):
        for name, job in WORKFLOWS[workflow].jobs.items():
            named = [step["name"] for step in job["steps"]]
            assert ("What was asked for" in named) is (name in {"configured", "shift", "teardown"}), name


def test_every_needed_job_counts_for_the_required_one_and_the_comment_alone_may_be_left_out() -> None:
    image_tests = WORKFLOWS["image-tests"]
    required = image_tests.jobs["required"]
    assert set(required["needs"]) == set(image_tests.jobs) - {"required"}
    assert required["if"] == "always()"
    assert required["steps"][-1]["run"] == "python3 -m pipeline required --may-skip comment"
    assert "paths" not in str(image_tests.triggers)
    assert "merge_group" in image_tests.triggers


def test_act_finds_nothing_wrong_with_any_workflow() -> None:
    command = [str(ACT), "--validate", "--strict", "--workflows", str(FOLDER / "workflows")]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_workflow_or_action_is_left_out_of_these_tests() -> None:
    assert {path.suffix for path in (FOLDER / "workflows").iterdir()} == {".yml"}
    assert {path.name for path in (FOLDER / "actions").rglob("*") if path.is_file()} == {"action.yml"}
    assert len(list(files())) == len(WORKFLOWS) + len(ACTIONS)


def runs() -> Iterator[tuple[str, str]]:
    for name, step in steps():
        if "run" in step:
            yield name, str(step["run"]).strip()


def environment_of(job: Job) -> str:
    environment = job.get("environment", "")
    return str(environment["name"] if isinstance(environment, dict) else environment)


def assert_known(pattern: re.Pattern[str], known: dict[str, set[str]]) -> None:
    """Assert that each command that the workflows run is known, has their options, and takes nothing else."""
    asked = [(name, found) for name, run in runs() if (found := pattern.fullmatch(run))]
    assert asked
    for name, found in asked:
        assert found["command"] in known, f"{name}: there is no {found['command']}"
        options = {option["option"] for option in OPTION.finditer(found["rest"])}
        assert options <= known[found["command"]], f"{name}: {options - known[found['command']]}"
        assert OPTION.sub("", found["rest"]).strip() == "", f"{name}: {found['rest']}"

"""Every command of the README is executed by a test; this table says by which."""

import re
from pathlib import Path

import pytest

from tests.docs.test_commands import WALK as WALK_THROUGH

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]

DEMO = "tests/release/test_demo.py::"
COMMANDS = "tests/docs/test_commands.py::"
WALK = COMMANDS + "test_a_first_release_on_the_emulator_goes_as_the_readme_says"
EXECUTED_BY = {
    "make demo": DEMO + "test_the_demo_promotes_the_second_model_and_no_client_request_fails",
    "make demo CANDIDATE=slow": DEMO + "test_a_demo_of_a_refusal_leaves_live_at_100_percent_and_says_why_first",
    "make demo CANDIDATE=wrong": DEMO + "test_a_demo_of_a_refusal_leaves_live_at_100_percent_and_says_why_first",
    "make test": ".ci/run::make test",
    "CI=true make test": ".ci/run::make test",
    "make faults": "tests/faults/test_faults.py::"
    "test_releases_that_are_struck_at_any_call_keep_every_promise_and_are_repaired_by_the_next_run",
    "make calibrate": COMMANDS + "test_calibrating_prints_a_table_and_one_sentence_and_writes_the_figures",
    "make lint-workflows": COMMANDS + "test_the_workflows_are_linted_clean",
    "make doctor": COMMANDS + "test_the_doctor_finds_a_machine_that_can_release_and_nothing_connected",
    "make new-model NAME=churn KIND=classifier": COMMANDS + "test_a_new_model_is_trained_and_the_next_steps_are_told",
    "make model": WALK,
    "make bootstrap ARGS=--dry-run": COMMANDS + "test_the_plan_of_bootstrap_is_printed_and_nothing_is_touched",
    "make emulator": WALK,
    "image=$(.venv/bin/python -m deployment build --model-dir artifacts/model)": WALK,
    '.venv/bin/python -m deployment promote --image "$image" --model-dir artifacts/model --profile demo-first': WALK,
    ".venv/bin/python -m deployment status": WALK,
    ".venv/bin/python -m deployment promote --help": COMMANDS
    + "test_the_help_of_promote_names_its_options_and_exit_codes",
}


def readme_commands() -> set[str]:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    return {line.strip() for block in blocks for line in block.splitlines() if line.strip()}


def test_every_command_has_a_test_and_every_test_a_command() -> None:
    assert readme_commands() == set(EXECUTED_BY)


def test_the_walk_has_the_commands_as_they_stand_there() -> None:
    walked = {line for line in WALK_THROUGH.splitlines() if line and not line.startswith("set ")}
    assert walked == {command for command, where in EXECUTED_BY.items() if where == WALK} - {"make emulator"}


@pytest.mark.parametrize("where", sorted(set(EXECUTED_BY.values())))
def test_the_tests_of_the_table_exist(where: str) -> None:
    file, _, name = where.partition("::")
    assert name in (ROOT / file).read_text(encoding="utf-8")


def test_every_link_and_picture_leads_to_a_file() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert links
    assert not [link for link in links if not (ROOT / link).exists()]

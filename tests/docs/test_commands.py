"""The README's commands that no other test runs, as they stand there."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from deployment.manifests import read_endpoint
from deployment.outcomes import EXIT_CODES
from tests.lib.emulator import REPOSITORY
from tests.lib.fork import make_fork
from tests.lib.making import environment_for_make
from tests.lib.recorded_programs import put_on_path

pytestmark = pytest.mark.release

LAST_EXPORT = "AZUREML_WORKSPACE_NAME"
WALK = """
set -euo pipefail
make model
image=$(.venv/bin/python -m deployment build --model-dir artifacts/model)
.venv/bin/python -m deployment promote --image "$image" --model-dir artifacts/model --profile demo-first
.venv/bin/python -m deployment status
"""


@contextmanager
def make_emulator(state_dir: Path) -> Iterator[dict[str, str]]:
    """Run `make emulator`, yield what it tells to export, and end it as ^C does.

    It keeps its state in that folder: what somebody has released on their own emulator stays out of the test.
    """
    process = subprocess.Popen(
        ["make", "emulator", f"ARGS=--state-dir {state_dir}"],
        cwd=REPOSITORY,
        env=environment_for_make(),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        exports: dict[str, str] = {}
        for line in process.stdout:
            if line.startswith("export "):
                name, _, value = line.removeprefix("export ").strip().partition("=")
                exports[name] = value.strip("'\"")
            if LAST_EXPORT in exports:
                break
        assert LAST_EXPORT in exports, "the emulator ended early"
        yield exports
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)


def test_a_first_release_on_the_emulator_goes_as_the_readme_says(tmp_path: Path) -> None:
    with make_emulator(tmp_path) as exports:
        walked = subprocess.run(
            ["bash", "-c", WALK],
            cwd=REPOSITORY,
            env={**environment_for_make(), **exports},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=250,
            check=False,
        )
    assert walked.returncode == 0, walked.stdout
    assert "PROMOTED blue is the first release" in walked.stdout
    name = read_endpoint(REPOSITORY / "deployment" / "endpoint.yml", {}).name
    assert f"{name}: blue 100 %" in walked.stdout


def test_the_help_of_promote_names_its_options_and_exit_codes() -> None:
    command = [sys.executable, "-m", "deployment", "promote", "--help"]
    shown = subprocess.run(
        command, cwd=REPOSITORY, env={**os.environ, "COLUMNS": "200"}, check=True, capture_output=True, text=True
    ).stdout
    for option in ("--image", "--model-dir", "--settings", "--profile"):
        assert option in shown
    told = " ".join(shown.split())
    for outcome, code in EXIT_CODES.items():
        assert f"{code} {outcome}" in told


def test_calibrating_prints_a_table_and_one_sentence_and_writes_the_figures(tmp_path: Path) -> None:
    made = subprocess.run(
        ["make", "calibrate", f"REPORTS={tmp_path}", "ARGS=--runs 10 --truth '+50 %'"],
        cwd=REPOSITORY,
        env=environment_for_make(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    assert "what the candidate truly is" in made.stdout
    assert "0.00 % of the +50 % releases passed" in made.stdout
    figures = json.loads((tmp_path / "calibrate.json").read_text(encoding="utf-8"))["figures"]
    assert {"name": "+50 %: PASS", "value": 0.0, "unit": "ratio", "at_most": 0.0} in figures


def test_the_workflows_are_linted_clean() -> None:
    told = make_quietly("lint-workflows")
    for linter in ("actionlint", "zizmor", "workflow timeouts", "dependabot"):
        assert f"ok    {linter}" in told


def make_quietly(*words: str, folder: Path = REPOSITORY, variables: Mapping[str, str] | None = None) -> str:
    """Run make there with these variables beside those of nobody's Azure or GitHub, and return what it printed."""
    around = environment_for_make()
    own = {name: value for name, value in around.items() if not name.startswith(("AZURE", "ACR_", "ARM_", "GH_"))}
    ended = subprocess.run(
        ["make", *words], cwd=folder, env={**own, **(variables or {})}, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_the_doctor_finds_a_machine_that_can_release_and_nothing_connected(tmp_path: Path) -> None:
    told = make_quietly("doctor", "ARGS=--model-dir none", variables={"HOME": str(tmp_path)})
    for group in ("machine", "configuration", "emulator", "Azure", "GitHub"):
        assert f"\n{group}\n" in f"\n{told}"
    assert "not connected" in told
    assert " 0 fail" in told


def test_the_plan_of_bootstrap_is_printed_and_nothing_is_touched(tmp_path: Path) -> None:
    variables = put_on_path(tmp_path)
    told = make_quietly("bootstrap", "ARGS=--dry-run", variables=variables)
    for command in ("az group create", "az identity federated-credential create", "gh variable set AZURE_CLIENT_ID"):
        assert command in told
    assert "changes" not in json.loads(Path(variables["RECORDED"]).read_text(encoding="utf-8"))


def test_a_new_model_is_trained_and_the_next_steps_are_told(tmp_path: Path) -> None:
    fork = make_fork(tmp_path / "fork")
    (fork.folder / ".venv").symlink_to(REPOSITORY / ".venv")
    told = make_quietly("new-model", "NAME=churn", "KIND=classifier", folder=fork.folder)
    assert "churn" in told
    assert "make model" in told
    assert "churn" in fork.read("model/train.py")
    assert fork.read("model/MODEL_CARD.md").startswith("# churn")
    assert json.loads(fork.read("artifacts/model/metadata.json"))["task"] == "classification"

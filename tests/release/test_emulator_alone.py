"""The emulator started alone, and a program that knows nothing of it."""

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.lib.emulator import REPOSITORY, RunningEmulator, assert_nothing_is_left, running_emulator, write_bundle

pytestmark = pytest.mark.release
ALONE = ("deployment", "emulate")
APP = REPOSITORY / "tests" / "conformance" / "app.py"
SCRIPT = """
import json


def init():
    pass


def run(raw):
    return 2 * json.loads(raw)["x"]
"""


def run_program(emulator: RunningEmulator, folder: Path, *arguments: str) -> Any:
    """Run the program in a folder with nothing but a config.json, and answer what it printed last."""
    variables = emulator.variables
    config = {
        "subscription_id": variables["AZURE_SUBSCRIPTION_ID"],
        "resource_group": variables["AZURE_RESOURCE_GROUP"],
        "workspace_name": variables["AZUREML_WORKSPACE_NAME"],
    }
    (folder / "config.json").write_text(json.dumps(config))
    program = REPOSITORY / "tests" / "lib" / "plain_program.py"
    done = subprocess.run(
        [sys.executable, str(program), *arguments],
        cwd=folder,
        env=emulator.child_environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_program_that_knows_nothing_of_the_emulator_finds_all_again_after_a_restart(tmp_path: Path) -> None:
    home, code, model = tmp_path / "home", tmp_path / "code", tmp_path / "model"
    for each in (home, code, model):
        each.mkdir()
    (code / "score.py").write_text(SCRIPT)
    (model / "weights.txt").write_text("0.5")
    with running_emulator(tmp_path, entry=ALONE) as emulator:
        image = write_bundle(emulator.bundles_dir, APP.read_text())
        run_program(emulator, home, "deploy", image, str(code), str(model))
        first = run_program(emulator, home, "ask")
    assert first["traffic"] == {"blue": 100}
    assert first["scored"]["script"] == 42
    assert first["scored"]["model"] == {"model/weights.txt": "0.5"}
    with running_emulator(tmp_path, entry=ALONE) as emulator:
        assert run_program(emulator, home, "ask") == first
        assert run_program(emulator, home, "tidy") == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_what_to_export_and_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    state_dir, env_file = tmp_path / "state", tmp_path / "emulator.env"
    paths = ["--state-dir", str(state_dir), "--bundles", str(tmp_path / "bundles"), "--env-file", str(env_file)]
    command = [sys.executable, "-m", *ALONE, "--runtime", "processes", *paths]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        exported = {}
        while "AZUREML_WORKSPACE_NAME" not in exported:
            name, _, value = process.stdout.readline().removeprefix("export ").strip().partition("=")
            assert name, "the emulator ended early"
            exported[name] = shlex.split(value)[0]
        written = dict(line.split("=", 1) for line in env_file.read_text().splitlines())
        assert written == exported
        assert env_file.stat().st_mode & 0o777 == 0o600
    finally:
        os.kill(process.pid, number)
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert_nothing_is_left(state_dir, env_file)

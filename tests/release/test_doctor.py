"""`doctor` in the environment of an emulator: the real command, and the real SDK behind it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lib.emulator import REPOSITORY, RunningEmulator, running_emulator

pytestmark = pytest.mark.release
FOREIGN = "other.azurecr.io"
Rows = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    """An emulator with another registry, and too few cores for a release."""
    options = ("--foreign-registry", FOREIGN, "--core-quota", "6")
    with running_emulator(tmp_path_factory.mktemp("doctor"), options=options) as running:
        yield running


def doctor(environment: dict[str, str]) -> tuple[int, Rows, str]:
    """Run the command, and return its exit code, its rows by name, and all that it wrote."""
    ended = subprocess.run(
        [sys.executable, "-m", "deployment", "doctor", "--json", "--model-dir", "none"],
        cwd=REPOSITORY,
        env={**environment, "PATH": "/nowhere"},  # no az and no gh of this machine's
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    rows = {f"{row['group']} {row['name']}": row for row in json.loads(ended.stdout)}
    return ended.returncode, rows, ended.stdout + ended.stderr


def test_in_an_emulators_environment_azure_is_looked_at_and_the_quota_fails(emulator: RunningEmulator) -> None:
    exit_code, rows, written = doctor({**emulator.child_environment, "ACR_LOGIN_SERVER": FOREIGN})
    standings = {name: row["standing"] for name, row in rows.items() if name.startswith(("emulator", "Azure"))}
    assert standings == {
        "emulator environment": "ok",
        "emulator answers": "ok",
        "Azure settings": "ok",
        "Azure login": "ok",
        "Azure workspace": "ok",
        "Azure instances": "ok",
        "Azure core quota": "fail",
        "Azure live deployment": "ok",
        "Azure registry, AcrPull": "warn",
    }
    assert "= 6 left" in rows["Azure core quota"]["found"]
    assert "ask for more quota" in rows["Azure core quota"]["fix"]
    assert exit_code == 2
    assert emulator.variables["IDENTITY_HEADER"] not in written
    assert "eyJ" not in written


def test_where_the_emulator_is_gone_its_row_fails_and_azure_is_not_asked(emulator: RunningEmulator) -> None:
    gone = "https://127.0.0.1:1/metadata/endpoints?api-version=2019-05-01"
    environment = {**emulator.child_environment, "ARM_CLOUD_METADATA_URL": gone}
    exit_code, rows, _ = doctor(environment)
    assert rows["emulator answers"]["standing"] == "fail"
    assert "make emulator" in rows["emulator answers"]["fix"]
    assert rows["Azure workspace"]["standing"] == "skipped"
    assert exit_code == 2

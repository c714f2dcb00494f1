"""`doctor` as a whole: nothing configured, Azure in memory, an emulator that is gone, secrets, and time limits."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from typer.testing import CliRunner

from deployment.bootstrap.tools import ToolError
from deployment.cli import app
from deployment.doctor.connection import Connection, settings_rows
from deployment.doctor.diagnosis import diagnose
from deployment.doctor.emulation import emulator_rows, what_is_wrong
from deployment.doctor.limits import Lookup, found_by
from deployment.doctor.rows import Row, Standing, masked, ok
from deployment.outcomes import BadInputError, PlatformError
from deployment.releasing import Paths
from tests.lib.emulator import REPOSITORY
from tests.lib.programs import put_program
from tests.lib.shipped import SHIPPED
from tests.unit.deployment.preflight_scene import FakeCloud

pytestmark = pytest.mark.unit
CONNECTED = {"AZURE_SUBSCRIPTION_ID": "s", "AZURE_RESOURCE_GROUP": "r", "AZUREML_WORKSPACE_NAME": "w"}
EMULATED = {"ARM_CLOUD_METADATA_URL": "https://127.0.0.1:1/metadata/endpoints", "AZUREML_CURRENT_CLOUD": "LocalAzureML"}


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)


@pytest.fixture
def unconfigured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment with nothing of Azure, GitHub or an emulator in it, and git and make alone on PATH."""
    for name in tuple(os.environ):
        if name.startswith(("AZURE", "ARM_", "ACR_", "GITHUB_", "GH_", "IDENTITY_")):
            monkeypatch.delenv(name)
    for name in ("git", "make"):
        put_program(tmp_path / "bin", name)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


def run_nothing(command: Sequence[str], _timeout_s: float) -> str:
    raise PlatformError(f"{command[0]}: No such file or directory; install it")


def diagnosed(cloud: FakeCloud | None = None, run: Any = run_nothing, **environ: str) -> dict[str, Row]:
    def connected(_: Paths) -> Connection:
        assert cloud is not None, "Azure was asked"
        return Connection(cloud, cloud.observe)

    return {f"{row.group} {row.name}": row for row in diagnose(environ, run=run, connected=connected)}


def of_azure(rows: dict[str, Row]) -> dict[str, Standing]:
    return {name.removeprefix("Azure "): row.standing for name, row in rows.items() if row.group == "Azure"}


def test_with_nothing_configured_what_is_not_set_up_is_skipped_and_azure_is_not_asked() -> None:
    rows = diagnosed()
    skipped = {name: row.found for name, row in rows.items() if row.standing is Standing.SKIPPED}
    skipped.pop("configuration model", None)
    skipped.pop("machine Docker Engine", None)
    assert skipped == {
        "emulator environment": "points at none",
        "Azure settings": "not connected",
        "GitHub gh": "git not found",
    }
    assert rows["Azure settings"].fix == "make bootstrap, or make emulator to try without an account"
    assert all(row.fix for row in rows.values() if row.standing is not Standing.OK)


def test_a_connected_workspace_has_the_rows_of_preflight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(SHIPPED)
    rows = diagnosed(FakeCloud(), **CONNECTED, ACR_LOGIN_SERVER="own.azurecr.io")
    assert of_azure(rows) == {
        "settings": Standing.OK,
        "login": Standing.WARN,
        "workspace": Standing.OK,
        "instances": Standing.OK,
        "core quota": Standing.OK,
        "live deployment": Standing.OK,
        "registry, AcrPull": Standing.OK,
    }
    assert "az: No such file or directory" in rows["Azure login"].found
    assert "blue serves diabetes" in rows["Azure live deployment"].found


def test_who_az_is_logged_in_as_is_told() -> None:
    def run(command: Sequence[str], timeout_s: float) -> str:
        return "me@example.org\n" if command[0] == "az" else run_nothing(command, timeout_s)

    assert diagnosed(FakeCloud(), run, **CONNECTED)["Azure login"].found == "az is logged in as me@example.org"


def test_an_endpoint_that_may_not_pull_fails_with_the_command_that_lets_it() -> None:
    row = diagnosed(FakeCloud(), **CONNECTED, ACR_LOGIN_SERVER="other.azurecr.io")["Azure registry, AcrPull"]
    assert row.standing is Standing.FAIL
    assert "az role assignment create --role AcrPull --assignee-object-id principal-1" in row.fix


def test_without_a_registry_named_the_row_says_what_would_make_it_checkable() -> None:
    row = diagnosed(FakeCloud(), **CONNECTED)["Azure registry, AcrPull"]
    assert (row.standing, "export ACR_LOGIN_SERVER=" in row.fix) == (Standing.SKIPPED, True)


def test_a_workspace_that_does_not_answer_is_one_failure() -> None:
    rows = diagnosed(FakeCloud(broken=("workspace",)), **CONNECTED)
    assert of_azure(rows) == {"settings": Standing.OK, "login": Standing.WARN, "workspace": Standing.FAIL}
    assert "(AuthorizationFailed)" in rows["Azure workspace"].found


def test_what_azure_does_not_tell_is_a_warning() -> None:
    cloud = FakeCloud(broken=("usages", "registries", "observe"))
    rows = diagnosed(cloud, **CONNECTED, ACR_LOGIN_SERVER="own.azurecr.io")
    warned = {name for name, standing in of_azure(rows).items() if standing is Standing.WARN}
    assert warned == {"login", "core quota", "live deployment", "registry, AcrPull"}


def test_settings_by_half_fail_and_name_what_is_missing() -> None:
    (row,) = settings_rows({"AZURE_RESOURCE_GROUP": "r"})
    assert row.standing is Standing.FAIL
    assert "AZURE_SUBSCRIPTION_ID, AZUREML_WORKSPACE_NAME not set" in row.found


def test_where_the_emulator_is_gone_azure_is_not_asked() -> None:
    rows = diagnosed(None, run_nothing, **CONNECTED, **EMULATED)
    assert rows["emulator answers"].standing is Standing.FAIL
    assert of_azure(rows) == {"settings": Standing.OK, "workspace": Standing.SKIPPED}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"AZUREML_CURRENT_CLOUD": ""}, "the SDK would talk to the public Azure"),
        ({"ARM_CLOUD_METADATA_URL": ""}, "ARM_CLOUD_METADATA_URL is not set"),
    ],
    ids=["cloud", "address"],
)
def test_an_environment_of_an_emulator_by_half_fails(changes: dict[str, str], found: str) -> None:
    (row,) = emulator_rows({**EMULATED, **changes})
    assert row.standing is Standing.FAIL
    assert found in row.found


def test_an_emulator_that_answers_is_good_and_one_that_does_not_is_told() -> None:
    good, answers = emulator_rows(EMULATED, lambda *_: "")
    assert (good.standing, answers.standing) == (Standing.OK, Standing.OK)
    *_, answers = emulator_rows(EMULATED, lambda *_: "503, which is no emulator's answer")
    assert (answers.standing, answers.found) == (Standing.FAIL, "503, which is no emulator's answer")


def test_a_bundle_that_is_not_there_is_told_as_what_is_wrong() -> None:
    assert "no answer" in what_is_wrong("https://127.0.0.1:1/", "/no/such/bundle.pem")


SECRETS = {
    "GITHUB_TOKEN": "ghp_0123456789abcdefghijABCDEFGHIJ012345",
    "AZURE_CLIENT_SECRET": "plain-and-secret",
    "IDENTITY_HEADER": "0f0e0d0c0b0a",
    "HTTPS_PROXY": "http://somebody:hunter2@proxy.example:3128",
}


def test_no_row_has_a_secret_in_it() -> None:
    jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhYmNkZWZnaCJ9.c2lnbmF0dXJl"

    def run(command: Sequence[str], _timeout_s: float) -> str:
        raise ToolError(f"{command[0]}: {jwt} plain-and-secret 0f0e0d0c0b0a {SECRETS['GITHUB_TOKEN']}")

    rows = diagnosed(FakeCloud(), run, **CONNECTED, **SECRETS)
    told = json.dumps([[row.found, row.fix] for row in rows.values()])
    for secret in ("hunter2", "plain-and-secret", "0f0e0d0c0b0a", SECRETS["GITHUB_TOKEN"], jwt):
        assert secret not in told
    assert "HTTPS_PROXY=http://***@proxy.example:3128" in told
    assert "az: *** *** *** ***" in rows["Azure login"].found


def test_a_row_is_one_line_and_not_endless() -> None:
    row = masked(ok("g", "n", "one\n  two " + "x" * 2000), {})
    assert row.found.startswith("one two xxx")
    assert len(row.found) <= 600


def look_with(error: BaseException) -> Sequence[Row]:
    raise error


def test_a_lookup_that_takes_too_long_is_a_warning() -> None:
    released = Event()

    def look() -> Sequence[Row]:
        released.wait(30)
        return ()

    (row,) = found_by(Lookup("g", "n", look, 0.01))
    released.set()
    assert (row.standing, row.found) == (Standing.WARN, "no answer within 0.01 s")


def test_a_lookup_that_fails_is_a_row_with_what_to_do() -> None:
    (row,) = found_by(Lookup("g", "n", lambda: look_with(BadInputError("this is wrong; mend it")), 10))
    assert (row.standing, row.found, row.fix) == (Standing.FAIL, "this is wrong", "mend it")
    (row,) = found_by(Lookup("g", "n", lambda: look_with(OSError("no disk")), 10))
    assert (row.standing, row.found) == (Standing.FAIL, "no disk")


def test_an_error_of_the_program_itself_is_no_row() -> None:
    with pytest.raises(ZeroDivisionError):
        found_by(Lookup("g", "n", lambda: look_with(ZeroDivisionError()), 10))


@pytest.mark.usefixtures("unconfigured")
def test_the_command_prints_every_row_and_its_fix_unbroken_and_ends_with_0() -> None:
    ended = CliRunner().invoke(app, ["doctor", "--model-dir", "none"])
    assert ended.exit_code == 0, ended.output
    assert "\nmachine\n" in ended.output
    assert "-> make bootstrap, or make emulator to try without an account\n" in ended.output
    assert " 0 fail, " in ended.output


@pytest.mark.usefixtures("unconfigured")
def test_the_command_prints_json() -> None:
    ended = CliRunner().invoke(app, ["doctor", "--json", "--model-dir", "none"])
    rows = json.loads(ended.stdout)
    assert {"group", "name", "standing", "found", "fix"} == set(rows[0])
    assert {"machine", "configuration", "emulator", "Azure", "GitHub"} == {row["group"] for row in rows}


@pytest.mark.usefixtures("unconfigured")
def test_the_command_ends_with_2_where_something_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_RESOURCE_GROUP", "alone")
    assert CliRunner().invoke(app, ["doctor", "--model-dir", "none"]).exit_code == 2


@pytest.mark.usefixtures("unconfigured")
def test_where_nothing_is_connected_it_is_quick_as_the_sdk_is_not_loaded() -> None:
    command = "import sys, deployment.doctor.diagnosis as d; list(d.diagnose()); print('azure.ai.ml' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", command], check=True, capture_output=True, text=True, timeout=60)
    assert ended.stdout == "False\n"

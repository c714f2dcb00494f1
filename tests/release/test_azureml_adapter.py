"""The one way to Azure ML, on the wire: what the SDK would lose, hide or print is kept, told or held off."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.lib.emulator import REPOSITORY, running_emulator, write_bundle
from tests.lib.emulator_control import EmulatorControl

pytestmark = pytest.mark.release
SERVER = (REPOSITORY / "tests" / "lib" / "tiny_model_server.py").read_text(encoding="utf-8")
ENDPOINT = "diabetes-staging"
# It has another name than the endpoint: AZUREML_ENDPOINT_NAME goes before it.
ENDPOINT_YML = "name: diabetes\nauth_mode: key\ndescription: prices\ntags:\n  team: pricing\n  release_train: blue\n"


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the adapter saw, the calls that it made, and all that it printed beside its answer."""
    folder = tmp_path_factory.mktemp("adapter")
    endpoint_file = folder / "endpoint.yml"
    endpoint_file.write_text(ENDPOINT_YML, encoding="utf-8")
    with running_emulator(folder) as emulator, EmulatorControl(emulator.variables) as control:
        image = write_bundle(emulator.bundles_dir, SERVER)
        ended = subprocess.run(
            [sys.executable, "-m", "tests.lib.adapter_program", str(endpoint_file), image],
            cwd=REPOSITORY,
            env={**emulator.child_environment, "AZUREML_ENDPOINT_NAME": ENDPOINT},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        calls = [call.call for call in control.calls()]
    printed, _, answer = ended.stdout.rstrip("\n").rpartition("\n")
    return {**json.loads(answer), "printed": printed + ended.stderr, "calls": calls}


def test_an_update_of_the_endpoint_keeps_what_a_release_has_not_set(seen: dict[str, Any]) -> None:
    assert seen["mirrored"]["tags"] == {"team": "pricing", "release_train": "blue", "release_holder": "two"}
    assert seen["mirrored"]["routing"] == [{"blue": 100}, {"green": 20}]


def test_the_endpoint_is_the_one_that_the_environment_names(seen: dict[str, Any]) -> None:
    assert f"/{ENDPOINT}/" in seen["mirrored"]["scoring_uri"]


def test_the_state_is_told_in_the_platforms_word(seen: dict[str, Any]) -> None:
    assert seen["mirrored"]["state"] == "Succeeded"


def test_a_deployment_is_scaled_and_nothing_else_of_it_changes(seen: dict[str, Any]) -> None:
    assert seen["after"]["instances"] == {"blue": 1, "green": 2}
    assert seen["after"]["routing"] == seen["mirrored"]["routing"]


def test_a_write_of_a_process_that_was_overtaken_is_refused_with_both_names(seen: dict[str, Any]) -> None:
    assert seen["fenced"].startswith(
        f"ConflictError: endpoint {ENDPOINT}: it is held by two where this release left it to one"
    )


def test_a_write_onto_another_routing_than_expected_is_refused_with_both(seen: dict[str, Any]) -> None:
    told = "traffic is blue 100 %, mirrored: green 20 % where this release left blue 100 %"
    assert told in seen["changed"]


def test_a_write_of_what_is_there_already_has_no_effect_and_no_condition(seen: dict[str, Any]) -> None:
    assert seen["again"] == "done"


def test_an_operation_that_does_not_end_is_told_and_not_taken_for_done(seen: dict[str, Any]) -> None:
    assert seen["overdue"].startswith("TransientError: operation: not finished after 0 s")


def test_deleting_an_endpoint_twice_is_deleting_it(seen: dict[str, Any]) -> None:
    assert seen["gone"] is True


def test_the_sdk_prints_nothing(seen: dict[str, Any]) -> None:
    assert seen["printed"] == ""


def test_nothing_scores_through_the_sdk() -> None:
    callers = [path for path in (REPOSITORY / "deployment").rglob("*.py") if ".invoke(" in path.read_text("utf-8")]
    assert callers == []

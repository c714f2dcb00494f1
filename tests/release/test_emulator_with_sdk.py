import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.lib.emulator import running_emulator, write_bundle

pytestmark = pytest.mark.release
LIB = Path(__file__).parents[1] / "lib"


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the unmodified SDK saw in a whole blue/green release, in a process of its own."""
    with running_emulator(tmp_path_factory.mktemp("emulator")) as emulator:
        image = write_bundle(emulator.bundles_dir, (LIB / "tiny_server.py").read_text())
        child = subprocess.run(
            [sys.executable, str(LIB / "sdk_scenario.py"), image],
            env=emulator.child_environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert child.returncode == 0, child.stderr
    return dict(json.loads(child.stdout.splitlines()[-1]))


def test_the_sdk_deploys_two_colours_and_reads_back_what_it_asked_for(seen: dict[str, Any]) -> None:
    for name in ("blue", "green"):
        colour = seen[name]
        assert colour["state"] == "Succeeded"
        assert colour["tags"] == {"release": "1"}
        assert colour["request_timeout_ms"] == 3000
        assert colour["period"] == 10
    assert seen["listed"] == ["blue", "green"]
    assert seen["endpoints"] == ["diabetes"]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/endpoints/diabetes/score", seen["scoring_uri"])


def test_an_inline_environment_with_a_name_becomes_a_numbered_version(seen: dict[str, Any]) -> None:
    assert seen["blue"]["image_id"].endswith("/environments/diabetes-byoc/versions/1")
    assert seen["green"]["image_id"] == seen["blue"]["image_id"]


def test_the_sdk_splits_traffic_and_is_refused_what_cannot_be_routed(seen: dict[str, Any]) -> None:
    assert seen["traffic"] == {"blue": 90, "green": 10}
    assert seen["over_100"][:3] == ["HttpResponseError", 400, "BadRequest"]
    assert seen["unknown"][:3] == ["HttpResponseError", 400, "BadRequest"]
    assert seen["mirror"][:3] == ["HttpResponseError", 400, "BadRequest"]


def test_the_sdk_reads_and_regenerates_keys(seen: dict[str, Any]) -> None:
    assert seen["keys"] == [32, 32]
    assert seen["primary_changed"] is True


def test_the_sdk_invokes_a_colour_by_name(seen: dict[str, Any]) -> None:
    assert seen["invoked"]["name"] == "green"
    assert seen["invoked"]["path"] == "/score"
    assert json.loads(seen["invoked"]["body"]) == {"data": [[1]]}
    assert "authorization" not in seen["invoked"]["headers"]


def test_the_sdk_reads_the_logs_of_both_containers(seen: dict[str, Any]) -> None:
    assert seen["logs"].startswith("Instance status:\nSystemSetup: Succeeded\n")
    assert "tiny server starts" in seen["logs"]
    assert "tiny server starts" not in seen["initializer_logs"]


def test_an_image_that_cannot_be_had_surfaces_as_the_platforms_failure(seen: dict[str, Any]) -> None:
    assert seen["bad_image"][:3] == ["HttpResponseError", 200, "BadArgument"]
    assert "Unable to download user container image" in seen["bad_image"][3]
    assert "Delete and re-create" in seen["bad_image_again"][3]


def test_the_sdk_deletes_a_colour_only_without_traffic(seen: dict[str, Any]) -> None:
    assert seen["delete_live"][:3] == ["HttpResponseError", 400, "BadRequest"]
    assert seen["after_delete"] == ["blue"]


def test_what_is_absent_surfaces_as_not_found(seen: dict[str, Any]) -> None:
    for case in ("absent", "gone"):
        assert seen[case][:3] == ["ResourceNotFoundError", 404, "ResourceNotFound"]

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deployment.emulator.process_tree import marked_processes
from deployment.emulator.processes import MARK
from deployment.emulator.server import emulator_id
from tests.lib.emulator import REPOSITORY, write_bundle
from tests.lib.serving_contract import Client, Platform, ServingContract, serving_client

pytestmark = pytest.mark.release


@pytest.fixture(scope="module")
def platform() -> Platform:
    def instances_left(state_dir: Path) -> list[str]:
        return [str(process_id) for process_id in marked_processes(f"{MARK}={emulator_id(state_dir)}/")]

    return Platform("processes", write_bundle, instances_left)


@pytest.fixture(scope="module")
def client(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    yield from serving_client(platform, tmp_path_factory.mktemp("emulator"))


class TestServingOnProcesses(ServingContract):
    """The contract, held by an emulator whose instances are processes."""


def test_the_control_plane_does_not_speak_plain_http(client: Client) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(client.emulator.control_url.replace("https", "http") + "/metadata/endpoints", trust_env=False)


def test_no_secret_is_on_a_command_line_or_in_the_log(client: Client) -> None:
    secrets = [client.emulator.variables["IDENTITY_HEADER"], client.key()]
    command_line = Path(f"/proc/{client.emulator.process_id}/cmdline").read_text()
    log = (client.emulator.state_dir.parent / "emulator.log").read_text()
    assert not [secret for secret in secrets if secret in command_line + log]
    assert (client.emulator.state_dir.parent / "emulator.env").stat().st_mode & 0o777 == 0o600


def test_a_second_emulator_on_the_same_folder_is_refused(client: Client) -> None:
    paths = ["--state-dir", str(client.emulator.state_dir), "--bundles", str(client.emulator.bundles_dir)]
    command = [sys.executable, "-m", "deployment.emulator", "--runtime", "processes", *paths]
    second = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 1
    assert "another emulator is running on it" in second.stderr
    assert client.score("/score").status_code == 200

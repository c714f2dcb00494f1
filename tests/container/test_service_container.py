import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.probe import probe
from tests.lib.emulator import wait_until
from tests.lib.model_artefacts import rows, write_artefacts
from tests.lib.service_container import RunningContainer, running_container

pytestmark = pytest.mark.container


@pytest.fixture(scope="module")
def container(image: str) -> Iterator[RunningContainer]:
    """A container with the baked model, for tests that change nothing."""
    with running_container(image, RELEASE_ID="release-9") as started:
        started.wait_until_ready()
        yield started


def assert_golden_requests_are_answered(container: RunningContainer, model_dir: Path) -> None:
    golden = json.loads((model_dir / "golden_requests.json").read_text())
    for request in golden["requests"]:
        answer = container.score(request["body"])
        assert answer.status_code == 200
        assert answer.json() == pytest.approx(
            request["predictions"], rel=golden["relative_tolerance"], abs=golden["absolute_tolerance"]
        )


def test_the_baked_model_answers_its_golden_requests(container: RunningContainer, model_dir: Path) -> None:
    assert_golden_requests_are_answered(container, model_dir)
    answer = container.score(rows(1), "/predict")
    assert answer.json()["model"] == {"name": "diabetes", "version": "1"}
    assert answer.headers["x-release-id"] == "release-9"


def test_a_mounted_model_is_served_instead_of_the_baked_one(image: str, tmp_path: Path) -> None:
    mounted = write_artefacts(tmp_path / "model-2", version="2")
    with running_container(image, model_dir=mounted) as container:
        container.wait_until_ready()
        assert_golden_requests_are_answered(container, mounted)
        assert container.score(rows(1), "/predict").json()["model"] == {"name": "diabetes", "version": "2"}


def test_an_init_is_the_first_process_azmlinfsrv_its_child_and_uvicorn_that_ones_workers_child(
    container: RunningContainer,
) -> None:
    processes = container.processes()
    scorer = probe("127.0.0.1", container.port)
    assert scorer is not None
    worker = processes[scorer].parent
    azmlinfsrv = processes[worker].parent
    assert "service.uvicorn_server" in processes[scorer].command
    assert processes[azmlinfsrv].parent == 1
    assert processes[azmlinfsrv].command == processes[worker].command == "python -m service "
    assert processes[1].command.startswith("dumb-init")
    assert set(processes) == {1, azmlinfsrv, worker, scorer}


def test_no_process_is_root_and_the_scoring_port_alone_is_reachable(container: RunningContainer) -> None:
    assert container.run("id", "-u") == "10001"
    users = container.run(
        "python", "-c", "import os, glob; print({os.stat(p).st_uid for p in glob.glob('/proc/[0-9]*')})"
    )
    assert users == "{10001}"
    bound = container.run("python", "-c", "print(open('/proc/net/tcp').read())").splitlines()[1:]
    listening = {fields[1] for line in bound if (fields := line.split()) and fields[3] == "0A"}
    metrics = {"00000000:1F44"}  # 8004 everywhere
    assert listening - metrics == {"00000000:1F43", "0100007F:1389"}  # 8003 everywhere, 5001 on loopback


def test_the_log_tells_the_story_of_both_processes(container: RunningContainer) -> None:
    lines = container.log_lines()
    told = {(line["pid"], line["message"].partition(" from ")[0]) for line in lines}
    scorer = probe("127.0.0.1", container.port)
    assert scorer is not None
    worker = container.processes()[scorer].parent
    assert {
        (worker, f"score.init() started on PID {worker}"),
        (worker, f"uvicorn started as a child on PID {scorer} for port 8003"),
        (scorer, "model loaded: diabetes version 1"),
        (worker, f"ready on 8003 (PID {scorer})"),
    } <= told


def test_the_health_check_becomes_healthy(container: RunningContainer) -> None:
    wait_until(lambda: container.inspect("{{.State.Health.Status}}") == "healthy", 60)

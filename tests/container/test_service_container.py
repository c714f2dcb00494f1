import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from model.faulty import Variant
from service.probe import probe
from tests.lib.emulator import wait_until
from tests.lib.model_artefacts import rows, write_artefacts
from tests.lib.service_container import RunningContainer, docker, running_container

if TYPE_CHECKING:
    import httpx

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


def test_azmlinfsrv_is_the_parent_and_uvicorn_its_workers_child(container: RunningContainer) -> None:
    processes = container.processes()
    scorer = probe("127.0.0.1", container.port)
    assert scorer is not None
    worker, command = processes[scorer]
    assert "uvicorn" in command
    parent, command = processes[worker]
    assert "azmlinfsrv" in command
    assert parent == 1
    assert "azmlinfsrv" in processes[1][1]
    assert set(processes) == {1, worker, scorer}


def test_no_process_is_root_and_the_scoring_port_alone_is_reachable(container: RunningContainer) -> None:
    assert container.run("id", "-u") == "10001"
    users = container.run(
        "python", "-c", "import os, glob; print({os.stat(p).st_uid for p in glob.glob('/proc/[0-9]*')})"
    )
    assert users == "{10001}"
    bound = container.run("python", "-c", "print(open('/proc/net/tcp').read())").splitlines()[1:]
    listening = {fields[1] for line in bound if (fields := line.split()) and fields[3] == "0A"}
    assert listening == {"00000000:1F43", "0100007F:1389"}  # 8003 everywhere, 5001 on loopback


def test_the_log_tells_the_story_of_both_processes(container: RunningContainer) -> None:
    lines = [json.loads(line) for line in container.log.splitlines() if line.startswith("{")]
    told = {(line["pid"], line["message"].partition(" from ")[0]) for line in lines}
    scorer = probe("127.0.0.1", container.port)
    assert scorer is not None
    worker = container.processes()[scorer][0]
    assert {
        (worker, f"score.init() started on PID {worker}"),
        (worker, f"uvicorn started as a child on PID {scorer} for port 8003"),
        (scorer, "model loaded: diabetes version 1"),
        (worker, f"ready on 8003 (PID {scorer})"),
    } <= told


def test_the_health_check_becomes_healthy(container: RunningContainer) -> None:
    wait_until(lambda: container.inspect("{{.State.Health.Status}}") == "healthy", 60)


def test_sigterm_lets_the_request_in_flight_finish_and_ends_with_0(image: str, tmp_path: Path) -> None:
    slow = write_artefacts(tmp_path / "slow", version="3", variant=Variant.SLOW)
    with running_container(image, model_dir=slow) as container:
        container.wait_until_ready()
        answers: list[httpx.Response] = []
        request = threading.Thread(target=lambda: answers.append(container.score(rows(20))))
        request.start()
        wait_until(lambda: has_connection(container), 10)
        docker("kill", "--signal", "TERM", container.container_id)
        request.join()
        assert answers[0].status_code == 200
        assert len(answers[0].json()) == 20
        assert container.exit_code() == 0


def has_connection(container: RunningContainer) -> bool:
    """Say whether a client from outside is connected to the scoring port."""
    table = container.run("python", "-c", "print(open('/proc/net/tcp').read())").splitlines()[1:]
    fields = [line.split() for line in table if line.strip()]
    return any(line[1].endswith(":1F43") and line[3] == "01" and not line[2].startswith("0100007F") for line in fields)


def test_a_dead_uvicorn_takes_the_container_down_within_5_seconds(image: str) -> None:
    with running_container(image) as container:
        container.wait_until_ready()
        container.run("python", "-c", f"import os; os.kill({probe('127.0.0.1', container.port)}, 9)")
        wait_until(container.has_ended, 5)
        assert container.exit_code() == 3
        assert "the scoring server ended with exit code -9" in container.log


def test_a_killed_worker_is_replaced_with_a_uvicorn_of_its_own(image: str) -> None:
    with running_container(image) as container:
        container.wait_until_ready()
        scorer = probe("127.0.0.1", container.port)
        assert scorer is not None
        container.run("python", "-c", f"import os; os.kill({container.processes()[scorer][0]}, 9)")
        wait_until(lambda: probe("127.0.0.1", container.port) not in {None, scorer}, 30)
        assert len(container.processes()) == 3


def test_a_model_whose_checksum_does_not_match_ends_the_container_with_the_reason(image: str, tmp_path: Path) -> None:
    changed = write_artefacts(tmp_path / "changed")
    (changed / "model.joblib").write_bytes(b"another model")
    with running_container(image, model_dir=changed) as container:
        assert container.exit_code() == 3
        assert "is not the file that was trained" in container.log


def test_the_container_runs_as_whatever_user_the_platform_picks(image: str) -> None:
    with running_container(image, user="54321:0") as container:
        container.wait_until_ready()
        assert container.score(rows(1)).status_code == 200

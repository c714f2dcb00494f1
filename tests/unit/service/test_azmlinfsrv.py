"""The whole chain as processes: azmlinfsrv, its workers, uvicorn."""

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import httpx
import pytest

from deployment.image import build_bundle
from model.faulty import Variant
from tests.lib.emulator import wait_until
from tests.lib.model_artefacts import rows, write_artefacts
from tests.lib.service_process import RunningService, is_running, kill, started_service

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    model_dir = write_artefacts(folder / "model-1")
    digest = build_bundle(model_dir=model_dir, bundles_dir=folder / "bundles", name="test").partition("sha256:")[2]
    return folder / "bundles" / digest


@pytest.fixture(scope="module")
def running(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Yield a service that is ready, for tests that do nothing to it."""
    with started_service(bundle, tmp_path_factory.mktemp("running") / "log") as service:
        service.wait_until_ready()
        yield service


class Start(Protocol):
    def __call__(self, **variables: str) -> AbstractContextManager[RunningService]: ...


@pytest.fixture
def start(bundle: Path, tmp_path: Path) -> Start:
    def start_bundle(**variables: str) -> AbstractContextManager[RunningService]:
        return started_service(bundle, tmp_path / "log", **variables)

    return start_bundle


def score(service: RunningService, count: int = 1) -> httpx.Response:
    return httpx.post(f"http://127.0.0.1:{service.port}/score", json=rows(count), timeout=30)


def test_uvicorn_is_the_child_of_azmlinfsrvs_worker_and_both_listen_on_loopback_alone(running: RunningService) -> None:
    assert running.scorers == [running.probed()]
    assert score(running).status_code == 200
    assert listening_addresses({running.port, running.azmlinfsrv_port}) == {"0100007F"}


def listening_addresses(ports: set[int]) -> set[str]:
    """Return the addresses that the ports are bound to, as the kernel writes them."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    bound = [line[1].split(":") for line in lines if line[3] == "0A"]
    return {address for address, port in bound if int(port, 16) in ports}


def test_the_log_tells_the_story_with_process_ids_and_port(running: RunningService) -> None:
    lines = [json.loads(line) for line in running.log.splitlines()]
    (worker,), (scorer,) = running.workers, running.scorers
    told = {(line["pid"], line["message"].partition(" from ")[0]) for line in lines}
    assert {
        (worker, f"score.init() started on PID {worker}"),
        (worker, f"uvicorn started as a child on PID {scorer} for port {running.port}"),
        (scorer, "model loaded: diabetes version 1"),
        (worker, f"ready on {running.port} (PID {scorer})"),
    } <= told


def test_however_many_workers_there_is_one_uvicorn(start: Start) -> None:
    with start(WORKER_COUNT="3") as service:
        service.wait_until_ready()
        wait_until(lambda: service.log.count("ready for serving traffic") == 3, 60, service.log_path)
        assert len(service.workers) == 3
        assert service.scorers == [service.probed()]


def test_a_preloaded_application_starts_one_uvicorn_and_ends_it(start: Start) -> None:
    with start(WORKER_COUNT="2", WORKER_PRELOAD="true") as service:
        service.wait_until_ready()
        scorer = service.probed()
        assert scorer in service.workers  # init() ran in the master, so they are siblings
        service.process.terminate()
        assert service.exit_code() == 0
        assert scorer is not None
        assert not is_running(scorer)


@pytest.mark.parametrize("preload", ["true", "false"])
def test_sigterm_during_init_ends_it_with_0_and_leaves_nothing_behind(start: Start, preload: str) -> None:
    with start(WORKER_PRELOAD=preload) as service:
        wait_until(lambda: "uvicorn started as a child" in service.log, 60, service.log_path)
        processes = [*service.workers, *service.scorers]
        service.process.terminate()
        assert service.exit_code() == 0
        wait_until(lambda: not any(map(is_running, processes)), 10, service.log_path)


def test_sigterm_lets_the_request_in_flight_finish_and_ends_with_0(start: Start, tmp_path: Path) -> None:
    slow = write_artefacts(tmp_path / "slow", variant=Variant.SLOW)
    with start(AZUREML_MODEL_DIR=str(slow)) as service:
        service.wait_until_ready()
        (scorer,) = service.scorers
        answers: list[httpx.Response] = []
        request = threading.Thread(target=lambda: answers.append(score(service, count=10)))
        request.start()
        wait_until(lambda: has_connection(service.port), 10)
        service.process.terminate()
        request.join()
        assert answers[0].status_code == 200
        assert service.exit_code() == 0
        assert not is_running(scorer)


def has_connection(port: int) -> bool:
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(line[1].endswith(f":{port:04X}") and line[3] == "01" for line in lines)


def test_a_dead_uvicorn_takes_azmlinfsrv_down_within_5_seconds(start: Start) -> None:
    with start(WORKER_COUNT="2") as service:
        service.wait_until_ready()
        # While a worker still waits in init(), the same death is a failed start, with other words.
        wait_until(lambda: service.log.count("ready for serving traffic") == 2, 30, service.log_path)
        kill(service.scorers[0])
        wait_until(service.has_ended, 5, service.log_path)
        assert service.exit_code() == 3
        assert "the scoring server ended with exit code -9" in service.log


def test_a_killed_worker_takes_its_uvicorn_along_and_the_next_worker_starts_another(start: Start) -> None:
    with start() as service:
        service.wait_until_ready()
        (worker,), (scorer,) = service.workers, service.scorers
        kill(worker)
        wait_until(lambda: not is_running(scorer), 5, service.log_path)
        wait_until(lambda: service.probed() not in {None, scorer}, 30, service.log_path)
        assert service.scorers == [service.probed()]


def test_a_killed_azmlinfsrv_leaves_nothing_behind(start: Start) -> None:
    with start(WORKER_COUNT="2") as service:
        service.wait_until_ready()
        processes = [*service.workers, *service.scorers]
        kill(service.process.pid)
        wait_until(lambda: not any(map(is_running, processes)), 10, service.log_path)


def test_ctrl_c_for_the_whole_group_ends_it_with_0(start: Start) -> None:
    with start() as service:
        service.wait_until_ready()
        for process in (service.process.pid, *service.workers):
            kill(process, signal.SIGINT)
        assert service.exit_code() == 0


def test_a_changed_model_ends_azmlinfsrv_with_the_reason_in_its_log(start: Start, tmp_path: Path) -> None:
    folder = write_artefacts(tmp_path / "changed")
    (folder / "model.joblib").write_bytes(b"another model")
    with start(AZUREML_MODEL_DIR=str(folder)) as service:
        assert service.exit_code() == 3
        assert "is not the file that was trained" in service.log


def test_a_taken_port_ends_azmlinfsrv_with_the_reason_in_its_log(running: RunningService, start: Start) -> None:
    # Another folder for locks, as another user or container would have: the port itself is in the way.
    with start(API_SERVER_PORT=str(running.port)) as second:
        assert second.exit_code() == 3
        assert "address already in use" in second.log
    assert running.probed() is not None


def test_run_refuses_and_says_where_to_go(running: RunningService) -> None:
    answer = httpx.post(f"http://127.0.0.1:{running.azmlinfsrv_port}/score", json=rows(1), timeout=30)
    assert answer.status_code == 421
    assert answer.json()["error"]["code"] == "misdirected_request"
    assert f"port {running.port}" in answer.json()["error"]["message"]

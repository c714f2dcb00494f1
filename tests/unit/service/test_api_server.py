import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from deployment.emulator.processes import free_loopback_ports
from model.faulty import Variant
from service.api_server import ApiServer, ApiServerError
from service.probe import probe
from tests.lib.emulator import REPOSITORY, wait_until
from tests.lib.model_artefacts import rows, write_artefacts
from tests.lib.service_clients import hammering
from tests.lib.service_process import is_running, kill

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_artefacts(tmp_path_factory.mktemp("model")) / "model.joblib"


@pytest.fixture
def port() -> int:
    return free_loopback_ports(1)[0]


MakeServer = Callable[..., ApiServer]


@pytest.fixture
def ended() -> list[int]:
    return []


@pytest.fixture
def make_server(
    model_path: Path, port: int, ended: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MakeServer]:
    monkeypatch.setenv("AZUREML_MODEL_PATH", str(model_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    made: list[ApiServer] = []

    def make(start_timeout_s: float = 60) -> ApiServer:
        server = ApiServer(
            host="127.0.0.1",
            port=port,
            app_root=REPOSITORY,
            on_unexpected_end=ended.append,
            start_timeout_s=start_timeout_s,
            drain_timeout_s=10,
        )
        made.append(server)
        return server

    yield make
    for server in made:
        server.terminate()
    assert list(tmp_path.glob("*.lock")) == []


def test_start_returns_when_the_child_answers(make_server: MakeServer, port: int) -> None:
    server = make_server()
    assert not server.is_alive()
    server.start()
    assert server.is_alive()
    assert probe("127.0.0.1", port) == server.pid
    assert httpx.post(f"http://127.0.0.1:{port}/score", json=rows(2)).status_code == 200


def test_several_servers_for_one_port_make_one_child(make_server: MakeServer, port: int) -> None:
    servers = [make_server() for _ in range(4)]
    started, looked = threading.Semaphore(0), threading.Event()

    def start(server: ApiServer) -> None:
        server.start()
        started.release()
        # The kernel takes the end of the thread that started the child for the end of its parent.
        looked.wait(60)

    threads = [threading.Thread(target=start, args=(server,)) for server in servers]
    for thread in threads:
        thread.start()
    try:
        assert all(started.acquire(timeout=60) for _ in servers)
        assert [server.pid for server in servers if server.pid is not None] == [probe("127.0.0.1", port)]
        assert [server.is_alive() for server in servers].count(True) == 1
        for server in servers:
            server.terminate()
    finally:
        looked.set()
        for thread in threads:
            thread.join()


def test_terminate_lets_a_request_in_flight_finish_and_refuses_new_ones(
    make_server: MakeServer, port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ended: list[int]
) -> None:
    slow = write_artefacts(tmp_path / "slow", variant=Variant.SLOW)
    monkeypatch.setenv("AZUREML_MODEL_PATH", str(slow / "model.joblib"))
    server = make_server()
    server.start()
    answers: list[httpx.Response] = []
    url = f"http://127.0.0.1:{port}/score"
    request = threading.Thread(target=lambda: answers.append(httpx.post(url, json=rows(10), timeout=30)))
    request.start()
    wait_until(lambda: connections_to(port) > 0, 10)
    server.terminate()
    request.join()
    assert answers[0].status_code == 200
    assert len(answers[0].json()) == 10
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/")
    assert not server.is_alive()
    assert ended == []


def connections_to(port: int) -> int:
    """Count established connections to a port of this machine, from the kernel's table."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(line[1].endswith(f":{port:04X}") and line[3] == "01" for line in lines)


def test_an_idle_kept_connection_does_not_hold_up_the_end(make_server: MakeServer, port: int) -> None:
    server = make_server()
    server.start()
    with httpx.Client() as client:
        assert client.get(f"http://127.0.0.1:{port}/").status_code == 200
        started_s = time.monotonic()
        server.terminate()
        assert time.monotonic() - started_s < 5


def test_a_child_that_dies_is_reported_with_its_exit_code(make_server: MakeServer, ended: list[int]) -> None:
    server = make_server()
    server.start()
    assert server.pid is not None
    kill(server.pid)
    wait_until(lambda: bool(ended), 10)
    assert ended == [-signal.SIGKILL]
    assert not server.is_alive()
    assert not is_running(server.pid)


def test_a_port_that_somebody_else_has_is_named_with_the_childs_last_lines(make_server: MakeServer, port: int) -> None:
    with socket.create_server(("127.0.0.1", port)), pytest.raises(ApiServerError) as caught:
        make_server().start()
    assert f"uvicorn for port {port} ended with exit code" in str(caught.value)
    assert "address already in use" in str(caught.value)


def test_a_server_that_answers_for_somebody_else_is_not_taken_for_the_child(
    make_server: MakeServer, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.api_server.probe", lambda *_: os.getpid())
    with socket.create_server(("127.0.0.1", port)), pytest.raises(ApiServerError):
        make_server().start()


def test_a_model_that_cannot_be_served_is_named(
    make_server: MakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ended: list[int]
) -> None:
    folder = write_artefacts(tmp_path / "changed")
    (folder / "model.joblib").write_bytes(b"another model")
    monkeypatch.setenv("AZUREML_MODEL_PATH", str(folder / "model.joblib"))
    with pytest.raises(ApiServerError, match="not the file that was trained"):
        make_server().start()
    assert ended == []


def test_a_child_that_does_not_answer_in_time_is_ended(make_server: MakeServer) -> None:
    server = make_server(start_timeout_s=0.2)
    with pytest.raises(ApiServerError, match=r"did not answer in time \(limit 0.2 s\)"):
        server.start()
    assert server.pid is not None
    assert not is_running(server.pid)


CHILDREN = {
    "never answers": "import time; time.sleep(600)",
    "ends with 4": "print('model: wrong', flush=True); raise SystemExit(4)",
    "leaves a process": (
        "import subprocess, sys; print(subprocess.Popen(['sleep', '600']).pid, flush=True); raise SystemExit(1)"
    ),
}


def with_child(server: ApiServer, root: Path, program: str) -> ApiServer:
    """Have the server start another program in place of uvicorn."""
    (root / "service").mkdir(parents=True)
    (root / "service" / "__init__.py").touch()
    (root / "service" / "uvicorn_server.py").write_text(program)
    server._app_root = root  # noqa: SLF001 - what the child is, it has no other way to be told
    return server


def test_a_child_that_never_answers_is_ended(make_server: MakeServer, tmp_path: Path) -> None:
    server = with_child(make_server(start_timeout_s=1), tmp_path / "root", CHILDREN["never answers"])
    with pytest.raises(ApiServerError, match=r"did not answer in time \(limit 1 s\)"):
        server.start()
    assert server.pid is not None
    assert not is_running(server.pid)


def test_a_child_that_refuses_its_model_is_named_at_once_with_its_last_lines(
    make_server: MakeServer, tmp_path: Path
) -> None:
    server = with_child(make_server(), tmp_path / "root", CHILDREN["ends with 4"])
    started_s = time.monotonic()
    with pytest.raises(ApiServerError, match=r"exit code 4 \(the model was refused\)(.|\n)*last lines:\nmodel: wrong"):
        server.start()
    assert time.monotonic() - started_s < 10


def test_what_the_child_started_and_left_neither_lives_on_nor_hides_its_end(
    make_server: MakeServer, tmp_path: Path
) -> None:
    server = with_child(make_server(), tmp_path / "root", CHILDREN["leaves a process"])
    with pytest.raises(ApiServerError) as caught:
        server.start()
    left = int(str(caught.value).splitlines()[-1])
    wait_until(lambda: not is_running(left), 10)


def test_a_drain_under_load_fails_no_request_that_was_accepted(make_server: MakeServer, port: int) -> None:
    server = make_server()
    server.start()
    with hammering(port, clients=8) as seen:
        wait_until(lambda: len(seen.statuses) >= 50, 30)
        server.terminate()
    assert seen.failures == []
    assert set(seen.statuses) == {200}
    assert seen.told_to_close >= 8

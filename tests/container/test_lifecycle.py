"""The faults of a container's life, each on the image itself; service/README.md has the same list."""

import json
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from model.faulty import Variant
from service.probe import probe
from tests.lib.emulator import wait_until
from tests.lib.faulty_artefacts import (
    with_a_load_error,
    with_a_model_that_leaves_a_process,
    with_an_endless_load,
    with_another_checksum,
    with_wrong_golden_predictions,
)
from tests.lib.model_artefacts import rows, write_artefacts
from tests.lib.service_clients import hammering
from tests.lib.service_container import MODEL_MOUNT, RunningContainer, docker, running_container

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

pytestmark = [pytest.mark.container, pytest.mark.faults]

GRACE_PERIOD_S = 30


@pytest.mark.parametrize("preload", ["true", "false"])
def test_however_many_workers_there_is_one_uvicorn(image: str, preload: str) -> None:
    with running_container(image, WORKER_COUNT="3", WORKER_PRELOAD=preload) as container:
        container.wait_until_ready()
        wait_until(lambda: container.log.count("Booting worker with pid") == 3, 30)
        if preload == "false":
            wait_until(lambda: container.log.count("ready for serving traffic") == 3, 30)
        processes = container.processes()
        assert [pid for pid, process in processes.items() if "uvicorn_server" in process.command] == [
            probe("127.0.0.1", container.port)
        ]
        assert len(processes) == 6  # the init, azmlinfsrv, three workers, uvicorn
        assert "Z" not in {process.state for process in processes.values()}


REFUSED_MODELS: dict[str, tuple["Callable[[Path], Path]", str]] = {
    "its checksum is another": (with_another_checksum, "is not the file that was trained"),
    "loading raises": (with_a_load_error, "invalid literal for int"),
    "its golden requests are predicted otherwise": (with_wrong_golden_predictions, "golden"),
}


@pytest.mark.parametrize("fault", REFUSED_MODELS)
def test_a_model_that_is_refused_ends_the_container_with_the_reason(image: str, tmp_path: Path, fault: str) -> None:
    spoil, reason = REFUSED_MODELS[fault]
    model_dir = spoil(write_artefacts(tmp_path / "model"))
    with running_container(image, model_dir=model_dir) as container:
        assert container.exit_code() == 3
        raised, _, last_lines = why_init_failed(container).partition("its last lines:")
        assert "ended with exit code 4 (the model was refused)" in raised
        assert reason in last_lines


def why_init_failed(container: RunningContainer) -> str:
    """Return what score.init() raised, as azmlinfsrv logs it."""
    raised = [str(line["message"]) for line in container.log_lines() if "User's init function failed" not in str(line)]
    return next(message for message in raised if "service.api_server.ApiServerError" in message)


def test_a_model_that_is_not_there_ends_the_container_with_the_reason(image: str) -> None:
    with running_container(image, AZUREML_MODEL_DIR="/tmp/nothing") as container:  # noqa: S108 - inside the container
        assert container.exit_code() == 3
        assert any("/tmp/nothing" in str(line["message"]) for line in container.log_lines())  # noqa: S108 - as above


def test_a_port_that_is_taken_ends_the_container_with_the_reason(image: str) -> None:
    listen = "import socket, time; kept = socket.create_server(('', 8003)); print('listening'); time.sleep(600)"
    with running_container(image, command=("python", "-c", listen)) as first:
        wait_until(lambda: "listening" in first.log, 30)
        with running_container(image, network_of=first) as second:
            assert second.exit_code() == 3
            assert "address already in use" in why_init_failed(second).partition("its last lines:")[2]


def test_a_uvicorn_that_never_answers_is_ended_and_named(image: str, tmp_path: Path) -> None:
    model_dir = with_an_endless_load(write_artefacts(tmp_path / "model"))
    start = """
from pathlib import Path
from service.api_server import ApiServer, ApiServerError
server = ApiServer(host="127.0.0.1", port=8003, app_root=Path("/app"), on_unexpected_end=print, start_timeout_s=3)
try:
    server.start()
except ApiServerError as error:
    print(error)
print("alive:", server.is_alive())
"""
    with running_container(
        image,
        model_dir=model_dir,
        command=("python", "-c", start),
        AZUREML_MODEL_PATH=f"{MODEL_MOUNT}/{model_dir.name}/model.joblib",
    ) as container:
        assert container.exit_code() == 0
        assert "uvicorn for port 8003 did not answer in time (limit 3 s)" in container.log
        assert "alive: False" in container.log


def test_a_dead_uvicorn_takes_the_container_down_within_5_seconds(image: str) -> None:
    with running_container(image, WORKER_COUNT="2") as container:
        container.wait_until_ready()
        wait_until(lambda: container.log.count("ready for serving traffic") == 2, 30)
        scorer = probe("127.0.0.1", container.port)
        assert scorer is not None
        container.kill_inside(scorer)
        wait_until(container.has_ended, 5)
        assert container.exit_code() == 3
        assert "the scoring server ended with exit code -9" in container.log


def test_a_killed_worker_takes_its_uvicorn_along_and_both_are_replaced_within_10_seconds(image: str) -> None:
    with running_container(image) as container:
        container.wait_until_ready()
        scorer = probe("127.0.0.1", container.port)
        assert scorer is not None
        container.kill_inside(container.processes()[scorer].parent)
        wait_until(lambda: probe("127.0.0.1", container.port) not in {None, scorer}, 10)
        processes = container.processes()
        assert scorer not in processes
        assert len(processes) == 4  # the init, azmlinfsrv, its worker, uvicorn: no orphan
        assert "Z" not in {process.state for process in processes.values()}


def test_a_killed_azmlinfsrv_takes_the_container_down_within_5_seconds(image: str) -> None:
    with running_container(image) as container:
        container.wait_until_ready()
        scorer = probe("127.0.0.1", container.port)
        assert scorer is not None
        processes = container.processes()
        container.kill_inside(processes[processes[scorer].parent].parent)
        wait_until(container.has_ended, 5)
        assert container.exit_code() == 137


def test_what_a_model_started_ends_with_uvicorn(image: str, tmp_path: Path) -> None:
    model_dir = with_a_model_that_leaves_a_process(write_artefacts(tmp_path / "model"))
    with running_container(image, model_dir=model_dir) as container:
        container.wait_until_ready()
        assert [process for process in container.processes().values() if process.command.startswith("sleep")]
        scorer = probe("127.0.0.1", container.port)
        assert scorer is not None
        container.kill_inside(scorer)
        wait_until(container.has_ended, 5)
        assert container.exit_code() == 3


def test_an_orphan_is_read_by_the_init(image: str) -> None:
    with running_container(image) as container:
        container.wait_until_ready()
        container.run("python", "-c", "import os; os.fork() or os.execvp('sleep', ['sleep', '1'])")
        wait_until(lambda: not any("sleep" in process.command for process in container.processes().values()), 10)
        assert "Z" not in {process.state for process in container.processes().values()}


def test_a_signal_in_the_first_moments_is_not_lost(image: str) -> None:
    for after_s in (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8):
        with running_container(image) as container:
            threading.Event().wait(after_s)
            started_s = time.monotonic()
            docker("kill", "--signal", "TERM", container.container_id)
            assert container.exit_code() in {0, 143}  # 143 before Python runs
            assert time.monotonic() - started_s < 15


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


@pytest.mark.parametrize(("clients", "rows_a_request", "variant"), [(8, 1, Variant.GOOD), (6, 3, Variant.SLOW)])
def test_sigterm_under_load_fails_no_request_that_was_accepted(
    image: str, tmp_path: Path, clients: int, rows_a_request: int, variant: Variant
) -> None:
    model_dir = write_artefacts(tmp_path / "model", variant=variant)
    with running_container(image, model_dir=model_dir) as container:
        container.wait_until_ready()
        with hammering(container.port, clients, rows_a_request) as seen:
            wait_until(lambda: len(seen.statuses) >= 3 * clients, 30)
            asked_s = time.monotonic()
            docker("kill", "--signal", "TERM", container.container_id)
            wait_until(lambda: seen.refused_connections == clients or bool(seen.failures), GRACE_PERIOD_S)
        assert container.exit_code() == 0
        assert time.monotonic() - asked_s < GRACE_PERIOD_S
    assert seen.failures == []
    assert set(seen.statuses) == {200}
    assert seen.told_to_close >= clients


def test_it_runs_as_whatever_user_the_platform_picks_with_nothing_but_tmp_writable(image: str) -> None:
    with running_container(image, user="12345:0", WORKER_COUNT="2") as container:
        container.wait_until_ready()
        assert container.score(rows(1)).status_code == 200
        assert container.run("id", "-u") == "12345"
        written = container.run("find", "/tmp", "-type", "f").split()  # noqa: S108 - inside the container
        assert "/tmp/api-server-12345-8003.lock" in written  # noqa: S108 - as above


def test_every_line_of_the_log_is_json_from_start_to_end(image: str) -> None:
    with running_container(image, WORKER_COUNT="2") as container:
        container.wait_until_ready()
        wait_until(lambda: container.log.count("ready for serving traffic") == 2, 30)
        assert container.score("no rows").status_code == 422
        docker("kill", "--signal", "TERM", container.container_id)
        assert container.exit_code() == 0
        lines = container.log_lines()
    assert {"time", "level", "pid", "logger", "message"} <= set.intersection(*(set(line) for line in lines))
    loggers = {str(line["logger"]).partition(".")[0] for line in lines}
    assert {"service", "uvicorn", "azmlinfsrv", "gunicorn", "stdout"} <= loggers
    assert [line for line in lines if "refused" in str(line["message"]) and line.get("request_id")]


def test_log_level_is_honoured_by_both_processes(image: str) -> None:
    with running_container(image, LOG_LEVEL="warning") as container:
        wait_until(lambda: probe("127.0.0.1", container.port) is not None, 60)
        docker("kill", "--signal", "TERM", container.container_id)
        assert container.exit_code() == 0
        assert {line["level"] for line in container.log_lines()} <= {"warning"}


def test_a_warning_of_a_library_is_a_log_line(image: str) -> None:
    warn = "import logging.config, json, warnings; from pathlib import Path; "
    warn += "logging.config.dictConfig(json.loads(Path('service/logging.json').read_text())); warnings.warn('old')"
    printed = json.loads(docker("run", "--rm", image.partition("@")[2], "python", "-c", warn))
    assert printed["level"] == "warning"
    assert "UserWarning: old" in printed["message"]

"""What doctor says of a machine."""

import socket
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from deployment.doctor.machine import Machine, is_free, machine_rows, network_rows, read_machine
from deployment.doctor.rows import Row, Standing
from tests.lib.emulator import REPOSITORY
from tests.lib.programs import put_program

pytestmark = pytest.mark.unit
GOOD = Machine(
    python=(3, 12),
    stamp="abc",
    lock="abc",
    docker=("/usr/bin/docker",),
    engine="29.1.0",
    builder="/usr/bin/docker",
    builds=True,
    free_gb=40,
    cores=4,
    memory_gb=16,
    git="/usr/bin/git",
    make="/usr/bin/make",
    port_is_free=True,
    environ={},
)


def rows(machine: Machine) -> dict[str, Row]:
    return {row.name: row for row in machine_rows(machine)}


def test_a_machine_that_has_everything_has_only_good_rows() -> None:
    found = rows(GOOD)
    assert {row.standing for row in found.values()} == {Standing.OK}
    assert not any(row.fix for row in found.values())
    assert list(found) == [
        *("Python", "environment", "Docker Engine", "BuildKit", "disk", "size", "git", "make", "port 8003"),
        *("proxy", "CA bundle"),
    ]


@pytest.mark.parametrize(
    ("changes", "name", "standing", "found", "fix"),
    [
        ({"python": (3, 10)}, "Python", "fail", "3.10, where 3.11 to 3.13 are needed", "PYTHON="),
        ({"python": (3, 14)}, "Python", "fail", "3.14", "PYTHON="),
        ({"stamp": None}, "environment", "warn", "no environment that make has made", "make env"),
        ({"stamp": "old"}, "environment", "warn", "is not what requirements/dev.txt locks", "make env"),
        ({"docker": ()}, "Docker Engine", "skipped", "no docker on PATH", "RUNTIME=processes"),
        ({"engine": None}, "Docker Engine", "warn", "/usr/bin/docker: no engine answers", "start it"),
        ({"builds": False, "builder": "no BuildKit"}, "BuildKit", "warn", "no BuildKit", "docker-buildx"),
        ({"free_gb": 3.2}, "disk", "warn", "3 GB free", "make room"),
        ({"free_gb": 0.4}, "disk", "fail", "0.4 GB free", "make room"),
        ({"cores": 1}, "size", "warn", "1 cores, 16 GB", "trust no latency"),
        ({"memory_gb": 1.5}, "size", "warn", "2 GB of memory", "trust no latency"),
        ({"git": None}, "git", "fail", "not on PATH", "install it"),
        ({"make": None}, "make", "fail", "not on PATH", "install it"),
        ({"port_is_free": False}, "port 8003", "warn", "somebody listens there", "API_SERVER_PORT"),
        ({"environ": {"SSL_CERT_FILE": "/no/such"}}, "CA bundle", "fail", "SSL_CERT_FILE=/no/such", "unset it"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value) if isinstance(value, dict) else None,
)
def test_what_is_wrong_with_a_machine_is_told_with_what_to_do(
    changes: dict[str, object], name: str, standing: str, found: str, fix: str
) -> None:
    row = rows(replace(GOOD, **changes))[name]  # type: ignore[arg-type]
    assert row.standing == standing
    assert found in row.found
    assert fix in row.fix


def test_the_proxy_and_the_bundle_are_told(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.touch()
    environ = {"https_proxy": "http://proxy:3128", "NO_PROXY": "localhost", "SSL_CERT_FILE": str(bundle)}
    proxy, trusted = network_rows({**environ, "PIP_CERT": str(bundle)})
    assert proxy.found == "https_proxy=http://proxy:3128, NO_PROXY=localhost"
    assert trusted.found == f"{bundle} (PIP_CERT, SSL_CERT_FILE)"


def test_this_machine_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_program(tmp_path / "bin", "docker", prints="27.5.1\n")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    machine = read_machine({"PATH": str(tmp_path / "bin")}, REPOSITORY)
    assert machine.python == sys.version_info[:2]
    assert machine.engine == "27.5.1"
    # Its help offers no secrets.
    assert not machine.builds
    assert "has no BuildKit" in machine.builder
    assert machine.lock is not None
    assert machine.cores >= 1
    assert machine.memory_gb > 0.1
    assert machine.git is None


def test_an_engine_that_does_not_answer_is_none(tmp_path: Path) -> None:
    put_program(tmp_path / "bin", "docker", complains="Cannot connect to the Docker daemon", exit_code=1)
    assert read_machine({"PATH": str(tmp_path / "bin")}, tmp_path).engine is None


def test_a_port_with_a_listener_is_not_free() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert not is_free(port)
    assert is_free(port)

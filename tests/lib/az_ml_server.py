"""Runs tests.lib.az_ml_program for many calls: the SDK takes seconds to import, so it is imported once and forked.

Each call is a process of its own, as with az, so nothing of one is left for the next.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.lib.emulator import REPOSITORY, wait_until

# The whole `az` of PATH: it hands its arguments, environment, folder and output to the server, and ends as that says.
CLIENT = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    socket.send_fds(server, [b"-"], [1, 2])
    server.sendall(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]).encode())
    server.shutdown(socket.SHUT_WR)
    sys.exit(int(server.recv(8) or 70))
"""
PREFIX_BYTES = 1


@dataclass(frozen=True)
class Az:
    """An `az` to put on PATH, and what it was asked."""

    folder: Path
    log: Path

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the environment in which `az` is this one."""
        return {**environ, "PATH": f"{self.folder}:{environ['PATH']}", "AZ_LOG": str(self.log)}

    def calls(self) -> list[str]:
        """Return the calls so far, as they would be typed."""
        return self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []


@contextlib.contextmanager
def running_az(folder: Path, environ: Mapping[str, str]) -> Iterator[Az]:
    """Run the server in an environment that leads the SDK to an emulator, and yield its `az`."""
    address = folder / "az.socket"
    programs = folder / "az-bin"
    programs.mkdir(parents=True)
    (programs / "az").write_text(CLIENT.format(python=sys.executable, address=str(address)), encoding="utf-8")
    (programs / "az").chmod(0o755)
    log_path = folder / "az-server.log"
    command = [sys.executable, "-m", "tests.lib.az_ml_server", str(address)]
    with log_path.open("wb") as log:
        process = subprocess.Popen(command, cwd=REPOSITORY, env=dict(environ), stdout=log, stderr=log)
    try:
        wait_until(lambda: address.exists() or process.poll() is not None, 60, log_path)
        assert process.poll() is None, log_path.read_text(encoding="utf-8")
        yield Az(programs, folder / "az.log")
    finally:
        process.terminate()
        process.wait(20)


def serve(address: str) -> None:
    """Answer calls until this process is told to end."""
    from tests.lib import az_ml_program  # noqa: PLC0415 - seconds, and an environment, that only the server needs

    warm_up(az_ml_program.main)
    with socket.socket(socket.AF_UNIX) as listening:
        # Under another name first: once the address is there, it answers.
        listening.bind(f"{address}.new")
        listening.listen()
        Path(f"{address}.new").rename(address)
        while True:
            connection, _ = listening.accept()
            with connection:
                if os.fork() == 0:
                    os._exit(answer(connection, az_ml_program.main))
            reap()


def warm_up(main: Callable[[list[str]], int]) -> None:
    """Make a call here, after which the SDK has imported what it does not before it is used (IPython, among others)."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["AZ_LOG"] = f"{folder}/az.log"
        where = ["--resource-group", os.environ["AZURE_RESOURCE_GROUP"]]
        where += ["--workspace-name", os.environ["AZUREML_WORKSPACE_NAME"]]
        main(["ml", "online-deployment", "show", "--name", "none", "--endpoint-name", "none", *where])


def answer(connection: socket.socket, main: Callable[[list[str]], int]) -> int:
    """Carry out one call in this process, which is its own, and return 0."""
    _, descriptors, _, _ = socket.recv_fds(connection, PREFIX_BYTES, 2)
    for descriptor, standard in zip(descriptors, (1, 2), strict=True):
        os.dup2(descriptor, standard)
    arguments, environ, folder = json.loads(b"".join(iter(lambda: connection.recv(65536), b"")))
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(folder)
    exit_code = 1
    try:
        exit_code = main(arguments)
    except SystemExit as exit_:
        exit_code = exit_.code if isinstance(exit_.code, int) else 1
    except BaseException:  # noqa: BLE001 - whatever it was, az says so and ends with 1
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    connection.sendall(str(exit_code).encode())
    return 0


def reap() -> None:
    """Take note of calls that have ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


if __name__ == "__main__":
    serve(sys.argv[1])

"""The emulator as a child process, and a tiny bundle to deploy on it."""

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployment.emulator.process_tree import marked_processes
from deployment.emulator.processes import MARK
from deployment.emulator.server import emulator_id

REPOSITORY = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 60.0
# Variables of the surrounding shell that would lead the SDK elsewhere.
LEADING_ELSEWHERE = ("AZURE", "ARM_", "IDENTITY_", "REQUESTS_CA", "CURL_CA", "SSL_CERT", "HTTP", "http")


@dataclass(frozen=True, slots=True)
class RunningEmulator:
    """A running emulator: the variables to export, and where it keeps its files."""

    variables: Mapping[str, str]
    state_dir: Path
    bundles_dir: Path
    process_id: int

    @property
    def data_url(self) -> str:
        """The base URL of the data plane, without a slash at its end."""
        return self.variables["IDENTITY_ENDPOINT"].removesuffix("/msi/token")

    @property
    def control_url(self) -> str:
        """The base URL of the control plane, without a slash at its end."""
        return self.variables["ARM_CLOUD_METADATA_URL"].partition("/metadata/")[0]

    @property
    def child_environment(self) -> dict[str, str]:
        """The whole environment of a child process that is to use the SDK against this emulator."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(LEADING_ELSEWHERE)}
        return {**kept, **self.variables}


@contextlib.contextmanager
def running_emulator(
    folder: Path,
    *,
    runtime: str = "processes",
    options: tuple[str, ...] = (),
    entry: tuple[str, ...] = ("deployment.emulator",),
) -> Iterator[RunningEmulator]:
    """Run `python -m deployment.emulator` on free ports; stop it, and assert that nothing is left of it."""
    state_dir, bundles_dir, env_file = folder / "state", folder / "bundles", folder / "emulator.env"
    bundles_dir.mkdir(parents=True, exist_ok=True)
    # A relative state folder, as the command line's default is; whoever uses the emulator may be in another folder.
    paths = ["--state-dir", os.path.relpath(state_dir, REPOSITORY), "--bundles", str(bundles_dir)]
    paths += ["--env-file", str(env_file)]
    command = [sys.executable, "-m", *entry, "--runtime", runtime, *paths, *options]
    log_path = folder / "emulator.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=log)
    try:
        wait_until(lambda: env_file.exists() or process.poll() is not None, START_TIMEOUT_S, log_path)
        assert process.poll() is None, f"the emulator ended with {process.poll()}:\n{log_path.read_text()}"
        yield RunningEmulator(read_variables(env_file), state_dir, bundles_dir, process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            exit_code = process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
    assert exit_code == 0, f"the emulator ended with {exit_code}:\n{log_path.read_text()}"
    assert_nothing_is_left(state_dir, env_file)


def assert_nothing_is_left(state_dir: Path, env_file: Path) -> None:
    """Assert that no process of the emulator runs and no secret of it is on the disk."""
    assert not marked_processes(f"{MARK}={emulator_id(state_dir)}/")
    assert not env_file.exists()
    left = {path.name for path in state_dir.iterdir()}
    assert left <= {"emulator.sqlite", "traffic.jsonl", "logs", "blobs", "downloads"}, (
        f"left in the state folder: {left}"
    )


def read_variables(env_file: Path) -> dict[str, str]:
    """Read KEY=value lines."""
    pairs = (line.partition("=") for line in env_file.read_text().splitlines())
    return {name: value for name, _, value in pairs}


def wait_until(condition: Callable[[], bool], timeout_s: float, log_path: Path | None = None) -> None:
    """Return once the condition holds; fail with the log's tail otherwise."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline_s:
            tail = log_path.read_text()[-2000:] if log_path is not None else ""
            raise AssertionError(f"not true within {timeout_s:g} s\n{tail}")
        time.sleep(0.02)


def ask_tiny_server(host_port: int, path: str = "/") -> dict[str, Any]:
    """Answer what the tiny server says, once it answers."""
    said: list[bytes] = []

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{host_port}{path}", timeout=2) as response:
                said.append(response.read())
        except OSError:
            return False
        return True

    wait_until(answers, 30)
    return dict(json.loads(said[-1]))


def write_bundle(bundles_dir: Path, script: str, *, variables: Mapping[str, str] | None = None) -> str:
    """Write a bundle that runs a Python script with the scoring port as its argument; answer its image reference."""
    manifest = {"command": ["python", "app.py", "{scoring_port}"], "env": dict(variables or {})}
    content = json.dumps(manifest, sort_keys=True)
    digest = hashlib.sha256(f"{content}\n{script}".encode()).hexdigest()
    folder = bundles_dir / digest
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "app.py").write_text(script)
    (folder / "bundle.json").write_text(content)
    return f"tiny@sha256:{digest}"

"""An image registry on loopback, with a login or without: Debian's docker-registry."""

import base64
import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest

from deployment.emulator.processes import free_loopback_ports
from tests.lib.emulator import wait_until

USERNAME = "tests"
PASSWORD = "a test password"  # noqa: S105 - of a registry that lives as long as a test
# The registry takes bcrypt alone, which no library here can make.
HTPASSWD = f"{USERNAME}:$2b$04$Vugre2US.VaInfSBYLf4xuW7eZxWtjTnCWF3dY1Lp/z9Jb3DW7mXi\n"
CONFIG = """
version: 0.1
log: {{level: warn}}
storage:
  filesystem: {{rootdirectory: "{folder}/images"}}
http: {{addr: "127.0.0.1:{port}"}}
"""
LOGIN = """
auth:
  htpasswd: {{realm: tests, path: "{folder}/htpasswd"}}
"""


@dataclass(frozen=True)
class Registry:
    """A running registry."""

    host: str

    def push_manifest(self, repository: str) -> str:
        """Push an image without layers to an open registry, and answer its digest."""
        base = f"http://{self.host}/v2/{repository}"
        config = b"{}"
        config_digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
        with httpx.Client(trust_env=False) as client:
            upload = client.post(f"{base}/blobs/uploads/").raise_for_status().headers["location"]
            query = {"digest": config_digest}
            client.put(httpx.URL(upload).copy_merge_params(query), content=config).raise_for_status()
            kind = "application/vnd.docker.distribution.manifest.v2+json"
            described = {"mediaType": "application/octet-stream", "size": len(config), "digest": config_digest}
            manifest = {"schemaVersion": 2, "mediaType": kind, "config": described, "layers": []}
            content = json.dumps(manifest).encode()
            digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
            client.put(f"{base}/manifests/{digest}", content=content, headers={"content-type": kind}).raise_for_status()
        return digest

    def write_login(self, folder: Path) -> None:
        """Write what `docker login` writes."""
        login = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text(json.dumps({"auths": {self.host: {"auth": login}}}))


@contextlib.contextmanager
def running_registry(folder: Path, *, is_open: bool = False) -> Iterator[Registry]:
    """Run a registry that keeps its images in the folder; skips the test where there is none to run.

    Whoever knows USERNAME and PASSWORD may do anything, and everybody where it is open.
    """
    program = registry_program(folder)
    (port,) = free_loopback_ports(1)
    (folder / "htpasswd").write_text(HTPASSWD)
    config = CONFIG if is_open else CONFIG + LOGIN
    (folder / "config.yml").write_text(config.format(folder=folder, port=port))
    log_path = folder / "registry.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen([program, "serve", folder / "config.yml"], stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: answers(port) or process.poll() is not None, 20, log_path)
        assert process.poll() is None, log_path.read_text()
        yield Registry(f"127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(20)


def registry_program(folder: Path) -> str:
    """Answer the program of PATH, or that of Debian's package, unpacked without being installed."""
    program = shutil.which("docker-registry")
    if program is not None:
        return program
    if shutil.which("apt-get") is None:
        pytest.skip("no docker-registry, and no apt-get to fetch it with")
    fetch = ["apt-get", "download", "-qq", "docker-registry"]
    if subprocess.run(fetch, cwd=folder, capture_output=True, check=False, timeout=120).returncode != 0:
        update = [*([] if os.geteuid() == 0 else ["sudo", "-n"]), "apt-get", "update", "-qq"]
        subprocess.run(update, capture_output=True, check=False, timeout=200)
        fetched = subprocess.run(fetch, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
        if fetched.returncode != 0:
            assert "CI" not in os.environ, fetched.stderr
            pytest.skip("apt-get cannot fetch docker-registry")
    (package,) = folder.glob("docker-registry_*.deb")
    subprocess.run(["dpkg", "-x", package, folder / "unpacked"], check=True, timeout=60)
    return str(folder / "unpacked" / "usr" / "bin" / "docker-registry")


def answers(port: int) -> bool:
    """Whether the registry answers, be it with a refusal."""
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=2)
    except urllib.error.HTTPError as error:
        return error.code == HTTPStatus.UNAUTHORIZED
    except OSError:
        return False
    return True

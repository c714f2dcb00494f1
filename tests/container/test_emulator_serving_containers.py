import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployment.emulator.containers import LABEL
from deployment.emulator.server import emulator_id
from tests.lib.serving_contract import Client, Platform, ServingContract, serving_client

pytestmark = pytest.mark.container
BASE_IMAGE = os.environ.get("BASE_IMAGE", "byoc-base:trixie")
DOCKERFILE = f"""
FROM {BASE_IMAGE}
COPY app.py /app.py
CMD ["python3", "/app.py", "8003", "0.0.0.0"]
"""


def docker(*arguments: str) -> str:
    """Run the docker command and answer what it printed."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    if subprocess.run(["docker", "image", "inspect", BASE_IMAGE], capture_output=True, check=False).returncode != 0:
        pytest.skip(f"no engine answers, or it lacks the base image {BASE_IMAGE}")
    built: dict[str, str] = {}

    def image_of(_: Path, script: str) -> str:
        if script not in built:
            context = tmp_path_factory.mktemp("image")
            (context / "Dockerfile").write_text(DOCKERFILE)
            (context / "app.py").write_text(script)
            built[script] = docker("build", "--quiet", str(context))
            shutil.rmtree(context)
        return f"tiny@{built[script]}"

    def instances_left(state_dir: Path) -> list[str]:
        mark = f"label={LABEL}={emulator_id(state_dir)}"
        return docker("ps", "--all", "--quiet", "--filter", mark).splitlines()

    yield Platform("containers", image_of, instances_left)
    for image in built.values():
        docker("image", "rm", "--force", image)


@pytest.fixture(scope="module")
def client(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("emulator")
    yield from serving_client(platform, folder)
    assert platform.instances_left(folder / "state") == []


class TestServingOnContainers(ServingContract):
    """The contract, held by an emulator whose instances are containers."""

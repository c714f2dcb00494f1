import asyncio
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployment.emulator.containers import LABEL, ContainerRuntime
from deployment.emulator.errors import ImagePullError
from deployment.emulator.runtime import InstanceSpec
from deployment.emulator.server import emulator_id
from tests.lib.emulator import ask_tiny_server, running_emulator
from tests.lib.emulator_fakes import run

pytestmark = pytest.mark.container
LIB = Path(__file__).parents[1] / "lib"
BASE_IMAGE = os.environ.get("BASE_IMAGE", "byoc-base:trixie")
# In a container the server has to answer on the container's own address; the host publishes it on loopback alone.
DOCKERFILE = f"""
FROM {BASE_IMAGE}
COPY tiny_server.py /tiny_server.py
CMD ["python3", "/tiny_server.py", "8003", "0.0.0.0"]
"""


def docker(*arguments: str) -> str:
    """Run the docker command and answer what it printed."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def containers_of(mark: str) -> list[str]:
    return docker("ps", "--all", "--quiet", "--filter", f"label={LABEL}={mark}").splitlines()


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The tiny server as an image, named as a deployment names one that no registry holds."""
    if subprocess.run(["docker", "image", "inspect", BASE_IMAGE], capture_output=True, check=False).returncode != 0:
        pytest.skip(f"no engine answers, or it lacks the base image {BASE_IMAGE}")
    context = tmp_path_factory.mktemp("image")
    (context / "Dockerfile").write_text(DOCKERFILE)
    (context / "tiny_server.py").write_text((LIB / "tiny_server.py").read_text())
    image_id = docker("build", "--quiet", str(context))
    yield f"tiny@{image_id}"
    docker("image", "rm", "--force", image_id)


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[ContainerRuntime]:
    mark = f"test-{os.getpid()}"
    made = ContainerRuntime(tmp_path / "logs", mark)
    yield made
    run(made.remove_all())
    assert containers_of(mark) == []


def spec(image_id: str, **variables: str) -> InstanceSpec:
    return InstanceSpec("one", image_id, variables, 8003, frozenset({8003}))


def test_a_container_answers_on_loopback_alone_and_its_output_outlives_it(
    image: str, runtime: ContainerRuntime
) -> None:
    async def test() -> None:
        image_id = await runtime.pull(image)
        assert image == f"tiny@{image_id}"
        instance = await runtime.start(spec(image_id, NAME="blue"))
        assert ask_tiny_server(instance.host_ports[8003])["name"] == "blue"
        (container,) = containers_of(f"test-{os.getpid()}")
        bindings = json.loads(docker("inspect", "--format", "{{json .NetworkSettings.Ports}}", container))
        assert bindings == {"8003/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(instance.host_ports[8003])}]}
        assert await runtime.exit_code("one") is None
        assert "tiny server starts" in await runtime.logs("one", 50)
        await runtime.stop("one", 1)
        await runtime.stop("one", 1)
        assert containers_of(f"test-{os.getpid()}") == []
        assert "tiny server starts" in await runtime.logs("one", 50)

    run(test())


def test_a_container_that_exits_tells_how(image: str, runtime: ContainerRuntime) -> None:
    async def test() -> None:
        instance = await runtime.start(spec(await runtime.pull(image)))
        ask_tiny_server(instance.host_ports[8003])
        exit_now = f"http://127.0.0.1:{instance.host_ports[8003]}/exit/"
        with pytest.raises(OSError, match=r"closed|reset|Remote end"):
            await asyncio.to_thread(urllib.request.urlopen, exit_now, timeout=5)
        docker("wait", *containers_of(f"test-{os.getpid()}"))
        assert await runtime.exit_code("one") == 7

    run(test())


def test_an_image_that_the_engine_lacks_cannot_be_pulled(image: str, runtime: ContainerRuntime) -> None:
    async def test() -> None:
        assert image
        for absent in (f"tiny@sha256:{'0' * 64}", "absent/tiny:1"):
            with pytest.raises(ImagePullError):
                await runtime.pull(absent)

    run(test())


def test_another_runtime_with_the_same_id_removes_what_was_left(
    image: str, runtime: ContainerRuntime, tmp_path: Path
) -> None:
    async def test() -> None:
        await runtime.start(spec(await runtime.pull(image)))
        assert len(containers_of(f"test-{os.getpid()}")) == 1
        await ContainerRuntime(tmp_path / "logs", f"test-{os.getpid()}").remove_all()
        assert containers_of(f"test-{os.getpid()}") == []
        assert await runtime.exit_code("one") == 0

    run(test())


def test_the_sdk_releases_containers_as_it_does_processes(image: str, tmp_path: Path) -> None:
    with running_emulator(tmp_path, runtime="containers") as emulator:
        child = subprocess.run(
            [sys.executable, str(LIB / "sdk_scenario.py"), image],
            env=emulator.child_environment,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert child.returncode == 0, child.stderr
    seen = json.loads(child.stdout.splitlines()[-1])
    assert seen["listed"] == ["blue", "green"]
    assert seen["invoked"]["name"] == "green"
    assert "tiny server starts" in seen["logs"]
    assert "Unable to download user container image" in seen["bad_image"][3]
    assert seen["after_delete"] == ["blue"]
    assert containers_of(emulator_id(emulator.state_dir)) == []

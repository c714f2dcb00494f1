import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from deployment.emulator.containers import LABEL, ContainerRuntime
from deployment.emulator.server import emulator_id
from deployment.emulator.skus import sku_named
from tests.lib.emulator import ask_tiny_server, running_emulator
from tests.lib.emulator_fakes import run
from tests.lib.runtime_contract import Rig, RuntimeContract, spec

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
def rig(image: str, tmp_path: Path) -> Iterator[Rig]:
    mark = f"test-{os.getpid()}"

    def new_runtime() -> ContainerRuntime:
        return ContainerRuntime(tmp_path / "logs", mark)

    yield Rig(new_runtime, image, lambda: len(containers_of(mark)))
    run(new_runtime().remove_all())
    assert containers_of(mark) == []


class TestContainers(RuntimeContract):
    """The contract, held by containers."""


def inspected(wanted: str) -> Any:
    (container,) = containers_of(f"test-{os.getpid()}")
    return json.loads(docker("inspect", "--format", f"{{{{json {wanted}}}}}", container))


def test_a_container_is_published_on_loopback_alone(rig: Rig) -> None:
    async def test() -> None:
        runtime = rig.new_runtime()
        instance = await runtime.start(spec(await runtime.pull(rig.image)))
        ask_tiny_server(instance.host_ports[8003])
        bindings = inspected(".NetworkSettings.Ports")
        assert bindings == {"8003/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(instance.host_ports[8003])}]}
        await runtime.stop("one", 1)

    run(test())


def test_memory_and_cores_are_limited_by_the_instance_type(rig: Rig) -> None:
    async def test() -> None:
        runtime = rig.new_runtime()
        await runtime.start(spec(await runtime.pull(rig.image)))
        limits = inspected(".HostConfig")
        assert (limits["Memory"], limits["MemorySwap"], limits["NanoCpus"]) == (3.5 * 2**30, 3.5 * 2**30, 10**9)
        await runtime.stop("one", 1)
        # More cores than any machine of these tests has.
        await runtime.start(replace(spec(await runtime.pull(rig.image)), sku=sku_named("Standard_F72s_v2")))
        assert inspected(".HostConfig")["NanoCpus"] == int(docker("info", "--format", "{{.NCPU}}")) * 10**9
        await runtime.stop("one", 1)

    run(test())


def test_the_root_is_read_only_where_asked_for_and_tmp_is_not(rig: Rig) -> None:
    async def test() -> None:
        runtime = rig.new_runtime()
        image_id = await runtime.pull(rig.image)
        for read_only, said in ((False, "written"), (True, "Read-only file system")):
            instance = await runtime.start(replace(spec(image_id), read_only_root=read_only))
            port = instance.host_ports[8003]
            assert ask_tiny_server(port, "/write/new-file")["seen"] == said
            assert ask_tiny_server(port, "/write/tmp/new-file")["seen"] == "written"
            await runtime.stop("one", 1)

    run(test())


def test_model_and_code_cannot_be_written_to(rig: Rig, tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()

    async def test() -> None:
        runtime = rig.new_runtime()
        image_id = await runtime.pull(rig.image)
        instance = await runtime.start(
            replace(spec(image_id), model_dir=model, model_mount=PurePosixPath("/models"), code_dir=model)
        )
        for folder in ("models", "var/azureml-app/model"):
            said = ask_tiny_server(instance.host_ports[8003], f"/write/{folder}/new-file")["seen"]
            assert said == "Read-only file system"
        await runtime.stop("one", 1)

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

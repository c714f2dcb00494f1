import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker as sdk
import pytest

from deployment.emulator.containers import ContainerRuntime, RegistryLogin
from deployment.emulator.errors import ImagePullError
from tests.lib.emulator_fakes import run
from tests.lib.registry import PASSWORD, USERNAME, Registry, running_registry
from tests.lib.service_container import docker

pytestmark = pytest.mark.container


@dataclass(frozen=True)
class Pushed:
    """An image that the registry holds and the engine does not have under this name."""

    registry: Registry
    image: str
    image_id: str

    def runtime(self, folder: Path, login: RegistryLogin | None) -> ContainerRuntime:
        return ContainerRuntime(folder / "logs", "registry-tests", login)


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pushed]:
    folder = tmp_path_factory.mktemp("registry")
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY content /content\n")
    # An image of its own: the engine would know one of an earlier run by its digest.
    (folder / "content").write_text(str(uuid.uuid4()))
    with running_registry(folder) as registry:
        repository = f"{registry.host}/tiny"
        image_id = docker("build", "--quiet", "--tag", f"{repository}:1", str(folder)).splitlines()[-1]
        engine = sdk.from_env()
        engine.images.push(repository, "1", auth_config={"username": USERNAME, "password": PASSWORD})
        (named,) = [each for each in engine.images.get(image_id).attrs["RepoDigests"] if each.startswith(repository)]
        engine.close()
        docker("image", "rm", f"{repository}:1")
        yield Pushed(registry, named, image_id)
    left = docker("images", "--quiet", repository).splitlines()
    assert left == []


@pytest.fixture(autouse=True)
def forgetful_engine(pushed: Pushed) -> Iterator[None]:
    """Each test finds an engine that does not have the image."""
    subprocess.run(["docker", "image", "rm", "--force", pushed.image], capture_output=True, check=False)
    yield
    subprocess.run(["docker", "image", "rm", "--force", pushed.image], capture_output=True, check=False)


def test_an_image_is_pulled_by_digest_with_the_login_that_was_given(pushed: Pushed, tmp_path: Path) -> None:
    runtime = pushed.runtime(tmp_path, RegistryLogin(pushed.registry.host, USERNAME, PASSWORD))
    assert pushed.image.startswith(f"{pushed.registry.host}/tiny@sha256:")

    async def test() -> None:
        assert await runtime.pull(pushed.image) == pushed.image_id
        await runtime.remove_all()

    run(test())


def test_an_image_is_pulled_with_the_login_of_docker_itself(
    pushed: Pushed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    runtime = pushed.runtime(tmp_path, None)
    # Logged in after the emulator has started.
    pushed.registry.write_login(tmp_path / "docker")

    async def test() -> None:
        assert await runtime.pull(pushed.image) == pushed.image_id
        await runtime.remove_all()

    run(test())


@pytest.mark.parametrize("password", [None, "another password"])
def test_without_the_right_login_the_image_cannot_be_had(
    pushed: Pushed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, password: str | None
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "none"))
    login = None if password is None else RegistryLogin(pushed.registry.host, USERNAME, password)
    runtime = pushed.runtime(tmp_path, login)

    async def test() -> None:
        with pytest.raises(
            ImagePullError, match=r"Unable to download user container image .*(no basic auth|401|unauth)"
        ):
            await runtime.pull(pushed.image)
        await runtime.remove_all()

    run(test())


def test_a_login_is_not_shown_to_another_registry(
    pushed: Pushed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "none"))
    runtime = pushed.runtime(tmp_path, RegistryLogin("registry.example:5000", USERNAME, PASSWORD))
    assert PASSWORD not in repr(runtime._registry_login)  # noqa: SLF001 - a secret must not reach a log

    async def test() -> None:
        with pytest.raises(ImagePullError):
            await runtime.pull(pushed.image)
        await runtime.remove_all()

    run(test())


def test_a_digest_that_the_registry_lacks_cannot_be_had(pushed: Pushed, tmp_path: Path) -> None:
    runtime = pushed.runtime(tmp_path, RegistryLogin(pushed.registry.host, USERNAME, PASSWORD))

    async def test() -> None:
        with pytest.raises(ImagePullError, match="manifest unknown") as refused:
            await runtime.pull(f"{pushed.registry.host}/tiny@sha256:{'0' * 64}")
        assert refused.value.code == "BadArgument"
        await runtime.remove_all()

    run(test())

"""`python -m deployment publish` and `fetch` with a registry on this machine, open and with a login."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deployment import engine, publishing
from deployment.fetching import fetch, reference_of
from deployment.image import ImageError
from deployment.publishing import Published, publish
from tests.container.test_boot import run
from tests.lib.registry import Registry, running_registry
from tests.lib.service_container import docker

pytestmark = pytest.mark.container

IMAGE_NAME = "byoc-publish-tests"
# No more than what is fetched out of an image, so that pushing takes no time.
DOCKERFILE = """
FROM scratch
COPY model /app/model
LABEL org.opencontainers.image.revision=0123abcd
CMD ["nothing"]
"""
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """An open registry."""
    with running_registry(tmp_path_factory.mktemp("registry"), is_open=True) as started:
        yield started


@pytest.fixture(scope="module")
def image(engine: None, model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image with a model in it, by its id."""
    del engine
    context = tmp_path_factory.mktemp("context")
    shutil.copytree(model_dir, context / "model")
    (context / "Dockerfile").write_text(DOCKERFILE)
    (image_id,) = docker("build", "--quiet", "--tag", IMAGE_NAME, str(context)).splitlines()[-1:]
    yield f"{IMAGE_NAME}@{image_id}"
    docker("image", "rm", "--force", image_id)


@pytest.fixture(autouse=True)
def tidy_engine(registry: Registry) -> Iterator[None]:
    """The engine forgets what a test has tagged and pulled."""
    yield
    forget(registry)


def forget(registry: Registry) -> None:
    listed = docker("images", "--format", "{{.Repository}} {{.Tag}} {{.Digest}}", "--digests").splitlines()
    for line in listed:
        repository, tag, digest = line.split()
        if repository.startswith(f"{registry.host}/"):
            reference = f"{repository}@{digest}" if tag == "<none>" else f"{repository}:{tag}"
            docker("image", "rm", reference)


def publish_to(registry: Registry, image: str, *tags: str, tar: Path | None = None) -> Published:
    return publish(image, tar=tar, registry=registry.host, tags=tags, said=lambda _: None)


def manifest_at(registry: Registry, tag: str) -> tuple[str, str]:
    """Ask the registry itself for a tag's digest and for the digest of the configuration in its manifest."""
    url = f"http://{registry.host}/v2/{IMAGE_NAME}/manifests/{tag}"
    answer = httpx.get(url, headers={"accept": MANIFEST}, trust_env=False).raise_for_status()
    return answer.headers["docker-content-digest"], answer.json()["config"]["digest"]


def test_an_image_is_pushed_under_both_tags_and_its_digest_is_the_registrys(registry: Registry, image: str) -> None:
    done = publish_to(registry, image, "c0ffee", "main")
    image_id = image.partition("@")[2]
    assert done.pushed
    assert manifest_at(registry, "c0ffee") == manifest_at(registry, "main") == (done.digest, image_id)
    assert done.image == f"{registry.host}/{IMAGE_NAME}@{done.digest}"


def test_it_is_pushed_once(registry: Registry, image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = publish_to(registry, image, "once", "main")
    forget(registry)

    def refuse(*_: str) -> None:
        raise AssertionError("it is pushed again")

    monkeypatch.setattr(publishing, "push", refuse)
    again = publish_to(registry, image, "once", "main")
    assert (again.digest, again.pushed) == (first.digest, False)


def test_the_latest_of_main_is_fetched_by_digest_with_its_model(
    registry: Registry, image: str, model_dir: Path, tmp_path: Path
) -> None:
    done = publish_to(registry, image, "main")
    forget(registry)
    own = tmp_path / "own.yml"
    own.write_text(f"environment:\n  name: {IMAGE_NAME}\n")
    fetched = fetch(reference_of("", registry.host, own), tmp_path / "model")
    assert fetched.image == done.image
    assert (fetched.model.name, fetched.model.version, fetched.revision) == ("diabetes", "1", "0123abcd")
    for name in ("metadata.json", "golden_requests.json"):
        assert (tmp_path / "model" / name).read_bytes() == (model_dir / name).read_bytes()
    assert not (tmp_path / "model" / "model.joblib").exists()


def test_an_image_is_fetched_by_its_digest_and_told_to_the_workflow(
    registry: Registry, image: str, tmp_path: Path
) -> None:
    done = publish_to(registry, image, "digest")
    forget(registry)
    fetched = run("fetch", "--image", done.image, "--output", str(tmp_path / "model"), folder=tmp_path)
    assert fetched.returncode == 0, fetched.stderr
    assert (tmp_path / "out").read_text() == f"image={done.image}\nmodel=diabetes 1\n"
    assert json.loads((tmp_path / "model" / "metadata.json").read_text())["version"] == "1"


def test_a_digest_that_the_registry_lacks_is_refused(registry: Registry, tmp_path: Path) -> None:
    nothing = f"{registry.host}/{IMAGE_NAME}@sha256:{'0' * 64}"
    fetched = run("fetch", "--image", nothing, "--output", str(tmp_path / "model"), folder=tmp_path)
    assert fetched.returncode == 20
    assert "manifest unknown" in fetched.stderr or "not found" in fetched.stderr
    assert not (tmp_path / "out").exists()


def test_publishing_prints_the_image_and_gives_name_and_digest_to_the_workflow(
    registry: Registry, image: str, tmp_path: Path
) -> None:
    arguments = ("publish", "--image", image, "--also-tag", "feature/new", "--registry", registry.host)
    done = run(*arguments, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    digest, _ = manifest_at(registry, "feature-new")
    name = f"{registry.host}/{IMAGE_NAME}"
    assert done.stdout == f"{name}@{digest}\n"
    assert (tmp_path / "out").read_text() == f"image={name}@{digest}\nname={name}\ndigest={digest}\n"
    assert digest in (tmp_path / "sum").read_text()


def test_a_registry_with_a_login_takes_it_from_docker_and_without_one_says_how_to_log_in(
    image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    (tmp_path / "registry").mkdir()
    with running_registry(tmp_path / "registry") as closed:
        try:
            with pytest.raises(ImageError, match=r"no basic auth(.|\n)*python -m deployment login"):
                publish_to(closed, image, "c0ffee")
            closed.write_login(tmp_path / "docker")
            done = publish_to(closed, image, "c0ffee")
            assert engine.find_image(done.image) == image.partition("@")[2]
        finally:
            forget(closed)

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployment.image import build_image, choose_base_image, choose_ca_bundle
from tests.container.conftest import IMAGE_NAME
from tests.lib.docker_alone import build_with_docker_alone
from tests.lib.model_artefacts import write_artefacts
from tests.lib.service_container import ImageFile, docker, files_of

pytestmark = pytest.mark.container

SLIM = 290_000_000
PUBLIC_BASE_IMAGE = "python:3.13-slim"


@pytest.fixture(scope="module")
def files(image: str) -> dict[str, ImageFile]:
    return files_of(image)


@pytest.fixture
def built() -> Iterator[list[str]]:
    """Images to remove at the end of the test."""
    images: list[str] = []
    yield images
    for image in images:
        docker("image", "rm", "--force", image.partition("@")[2] or image)


def test_the_image_says_what_it_is(image: str) -> None:
    config = json.loads(inspected(image, "{{json .Config}}"))
    assert config["Labels"] == {
        "org.opencontainers.image.title": "diabetes",
        "org.opencontainers.image.version": "1",
        "org.opencontainers.image.revision": "0123abcd",
        "org.opencontainers.image.source": "https://example.org/byoc",
    }
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["dumb-init", "--single-child", "--"]
    assert config["Cmd"] == ["python", "-m", "service"]
    assert sorted(config["ExposedPorts"]) == ["8003/tcp", "8004/tcp"]
    assert "METRICS_PORT=8004" in config["Env"]


def inspected(image: str, template: str) -> str:
    return docker("image", "inspect", "--format", template, image.partition("@")[2] or image)


def test_the_same_input_is_the_same_image_and_another_model_shares_all_but_the_last_layer(
    image: str, model_dir: Path, tmp_path: Path, built: list[str]
) -> None:
    del image  # what is built here is in the cache
    first, second = (
        build_image(model_dir=model_dir, name=f"{IMAGE_NAME}-twice", base_image=choose_base_image()) for _ in range(2)
    )
    started_s = time.monotonic()
    model = write_artefacts(tmp_path / "other", version="2")
    other = build_image(model_dir=model, name=f"{IMAGE_NAME}-twice", base_image=choose_base_image())
    took_s = time.monotonic() - started_s
    built += [first, other]
    assert first == second
    assert layers(other)[:-1] == layers(first)[:-1]
    assert layers(other)[-1] != layers(first)[-1]
    assert took_s < 15


def added_files(files: dict[str, ImageFile]) -> dict[str, ImageFile]:
    """Return what the Dockerfile puts into the image."""
    return {path: file for path, file in files.items() if path.startswith(("opt/", "app/"))}


def layers(image: str) -> list[str]:
    listed: list[str] = json.loads(inspected(image, "{{json .RootFS.Layers}}"))
    return listed


def test_built_anew_without_a_cache_every_file_is_the_same_with_mode_and_date(
    files: dict[str, ImageFile], model_dir: Path, built: list[str]
) -> None:
    again = build_image(model_dir=model_dir, name=f"{IMAGE_NAME}-again", base_image=choose_base_image(), cached=False)
    built.append(again)
    before, after = added_files(files), added_files(files_of(again))
    assert before.keys() == after.keys()
    assert {path for path in before if before[path] != after[path]} == set()


def test_no_secret_compiler_cache_installer_or_test_is_left_in_the_image(
    image: str, files: dict[str, ImageFile]
) -> None:
    history = docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", image.partition("@")[2])
    assert "BEGIN CERTIFICATE" not in history
    installed = [path for path in files if path.startswith(("opt/", "app/"))]
    assert not [path for path in files if "/.cache/" in path or path.startswith(("run/secrets/", "build/"))]
    assert not [path for path in installed if "/tests/" in path or "/pip/" in path or path.endswith((".a", ".h"))]
    assert not [path for path in files if path.endswith(("/gcc", "/cc1", "/ld"))]
    assert {path for path in files if path.startswith("app/model/")} == {
        f"app/model/{name}" for name in ("model.joblib", "metadata.json", "golden_requests.json")
    }
    assert {Path(path).suffix for path in files if path.startswith("app/service/")} == {".py", ".pyc", ".json"}
    bundle = choose_ca_bundle()
    if bundle is not None:
        size = bundle.stat().st_size
        # Debian's own package puts its bundle into a base image.
        assert {path for path, file in files.items() if file.size == size} <= {"etc/ssl/certs/ca-certificates.crt"}


def test_each_module_of_the_service_and_its_libraries_is_compiled(files: dict[str, ImageFile]) -> None:
    compiled = {path for path in files if path.endswith(".pyc")}
    modules = [Path(path) for path in files if path.endswith(".py") and path.startswith(("opt/venv/lib/", "app/"))]
    missing = [
        module
        for module in modules
        if not any(
            str(module.parent / "__pycache__" / f"{module.stem}.cpython-3{minor}.pyc") in compiled
            for minor in (11, 12, 13)
        )
    ]
    assert not missing
    assert len(modules) > 1000


def test_the_service_adds_no_more_to_its_base_image_than_it_has_to(image: str) -> None:
    base_image = choose_base_image() or PUBLIC_BASE_IMAGE
    assert int(inspected(image, "{{.Size}}")) - int(inspected(base_image, "{{.Size}}")) < SLIM


def test_the_build_prints_the_images_size(model_dir: Path, image: str) -> None:
    said: list[str] = []
    build_image(
        model_dir=model_dir,
        name=IMAGE_NAME,
        base_image=choose_base_image(),
        revision="0123abcd",
        source="https://example.org/byoc",
        on_line=said.append,
    )
    assert said[-1] == f"{IMAGE_NAME}:1 has {int(inspected(image, '{{.Size}}')) / 1e6:.0f} MB"


def test_a_model_that_takes_data_frames_gets_pandas_and_no_other_does(
    files: dict[str, ImageFile], tmp_path: Path, built: list[str]
) -> None:
    model = write_artefacts(tmp_path / "frames")
    metadata = json.loads((model / "metadata.json").read_text())
    (model / "metadata.json").write_text(json.dumps({**metadata, "input": "data_frame"}))
    image = build_image(model_dir=model, name=f"{IMAGE_NAME}-frames", base_image=choose_base_image())
    built.append(image)
    printed = docker("run", "--rm", image.partition("@")[2], "python", "-c", "import pandas; print(pandas.DataFrame)")
    assert "DataFrame" in printed
    assert not [path for path in files if "/site-packages/pandas/" in path]


def test_docker_alone_builds_the_image_as_the_dockerfile_says(
    files: dict[str, ImageFile], model_dir: Path, tmp_path: Path, built: list[str]
) -> None:
    built.append(build_with_docker_alone(model_dir, tmp_path))
    before, after = added_files(files), added_files(files_of(built[0]))
    assert {(path, file.content) for path, file in before.items()} ^ {
        (path, file.content) for path, file in after.items()
    } == set()

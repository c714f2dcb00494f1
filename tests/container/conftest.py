from collections.abc import Iterator
from pathlib import Path

import pytest

from deployment.image import build_image, choose_base_image, engine_answers
from tests.lib.model_artefacts import write_artefacts
from tests.lib.service_container import docker, ensure_engine, in_ci

IMAGE_NAME = "byoc-container-tests"


@pytest.fixture(scope="session", autouse=True)
def engine() -> None:
    """A Docker Engine that answers; CI gets one, elsewhere the tests are skipped where there is none."""
    if in_ci():
        ensure_engine()
    elif not engine_answers():
        pytest.skip("no Docker Engine answers; start one, or: sudo scripts/docker-engine.sh ensure")


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model in the image."""
    return write_artefacts(tmp_path_factory.mktemp("baked"), version="1")


@pytest.fixture(scope="session")
def image(engine: None, model_dir: Path) -> Iterator[str]:
    """The service's image, built once."""
    del engine
    lines: list[str] = []
    built = build_image(
        model_dir=model_dir,
        name=IMAGE_NAME,
        base_image=choose_base_image(),
        revision="0123abcd",
        source="https://example.org/byoc",
        on_line=lines.append,
    )
    yield built
    docker("image", "rm", "--force", built.partition("@")[2])

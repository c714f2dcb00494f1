"""Images of models that are no regression on an array, and such a model in a folder that the platform mounts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deployment.golden import read_artefacts
from deployment.image import MODEL_FILES, build_image, choose_base_image, code_files_of
from model.faulty import Variant
from tests.container.conftest import IMAGE_NAME
from tests.lib.docker_alone import build_with_docker_alone
from tests.lib.own_models import write_example
from tests.lib.service_container import RunningContainer, docker, files_of, running_container

pytestmark = pytest.mark.container


@pytest.fixture
def built() -> Iterator[list[str]]:
    """Images to remove at the end of the test."""
    images: list[str] = []
    yield images
    for image in images:
        docker("image", "rm", "--force", image.partition("@")[2] or image)


def assert_golden_requests_are_answered(container: RunningContainer, model_dir: Path) -> None:
    golden = read_artefacts(model_dir).golden
    for request in golden.requests:
        answer = container.score(request.body)
        assert answer.status_code == 200, answer.text
        assert all(map(golden.matches, answer.json(), request.predictions)), request.id


@pytest.mark.parametrize(
    ("kind", "program", "printed"),
    [
        ("data_frame", "import pandas; print(pandas.DataFrame.__name__)", "DataFrame"),
        ("plain_object", "import importlib.util; print(importlib.util.find_spec('pandas'))", "None"),
    ],
)
def test_a_model_of_another_kind_is_served_by_its_image(
    built: list[str], tmp_path: Path, kind: str, program: str, printed: str
) -> None:
    model_dir = write_example(tmp_path / "model", kind)
    image = build_image(model_dir=model_dir, name=f"{IMAGE_NAME}-own", base_image=choose_base_image())
    built.append(image)
    with running_container(image) as container:
        container.wait_until_ready()
        assert container.run("python", "-c", program) == printed
        assert_golden_requests_are_answered(container, model_dir)


def test_a_mounted_model_brings_its_class_and_that_of_its_variant(image: str, tmp_path: Path) -> None:
    model_dir = write_example(tmp_path / "model", "plain_object", variant=Variant.SLOW)
    with running_container(image, model_dir=model_dir) as container:
        container.wait_until_ready()
        assert_golden_requests_are_answered(container, model_dir)


def test_docker_alone_puts_the_models_modules_into_the_image_and_no_cache(built: list[str], tmp_path: Path) -> None:
    model_dir = write_example(tmp_path / "model", "plain_object")
    (model_dir / "code" / "__pycache__").mkdir()
    (model_dir / "code" / "__pycache__" / "x.cpython-313.pyc").touch()
    (tmp_path / "context").mkdir()
    built.append(build_with_docker_alone(model_dir, tmp_path / "context"))
    found = {path for path in files_of(built[0]) if path.startswith("app/model/")}
    named = {*MODEL_FILES, *code_files_of(model_dir / "metadata.json")}
    assert found == {f"app/model/{name}" for name in named}

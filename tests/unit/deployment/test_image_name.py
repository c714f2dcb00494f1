"""What the image is called: the environment's name in deployment.yml, which a fork edits."""

from pathlib import Path

import pytest

from deployment.fetching import reference_of
from deployment.manifests import read_image_name
from deployment.outcomes import BadInputError
from tests.lib.shipped import DEPLOYMENT_FILE

pytestmark = pytest.mark.unit


def written(folder: Path, name: str) -> Path:
    path = folder / "deployment.yml"
    path.write_text(f"environment:\n  name: {name}\n", encoding="utf-8")
    return path


def test_the_template_ships_an_image_of_diabetes() -> None:
    assert read_image_name(DEPLOYMENT_FILE) == "diabetes-byoc"


@pytest.mark.parametrize("name", ["churn", "churn-risk.v2", "2nd_churn", "a--b", "a__b"])
def test_a_fork_names_it_and_fetches_by_that_name(name: str, tmp_path: Path) -> None:
    assert reference_of("", "mine.azurecr.io", written(tmp_path, name)) == f"mine.azurecr.io/{name}:main"


@pytest.mark.parametrize("name", ["Churn", "-churn", "churn-", "a..b", "a.-b", "team/churn", "'churn risk'", "''"])
def test_a_name_that_no_registry_takes_is_refused_with_those_that_it_does(name: str, tmp_path: Path) -> None:
    path = written(tmp_path, name)
    with pytest.raises(BadInputError, match="take lower case letters and digits, with dots, dashes") as raised:
        read_image_name(path)
    assert f"{path}: environment.name: " in str(raised.value)
    assert f"(it is {name.strip(chr(39))!r})" in str(raised.value)


def test_an_environment_that_has_no_name_of_its_own_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "deployment.yml"
    path.write_text("environment: azureml:shared@latest\n", encoding="utf-8")
    with pytest.raises(BadInputError, match=r"deployment\.yml: environment: "):
        read_image_name(path)

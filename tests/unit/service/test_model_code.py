"""A model that brings modules of its own along."""

import json
import pickle
import sys
from pathlib import Path

import pytest

from service.model_artefacts import ModelArtefactError, load_model, read_metadata
from tests.lib.faulty_artefacts import Calls, with_model
from tests.lib.model_artefacts import write_artefacts
from tests.lib.own_models import write_example

pytestmark = pytest.mark.unit
MODULE = "code/model/examples/code/hourly_medians.py"


@pytest.fixture(autouse=True)
def path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave sys.path as it was."""
    monkeypatch.setattr(sys, "path", [*sys.path])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_example(tmp_path / "model-1", "plain_object")


def test_its_folder_is_the_last_place_where_python_looks(folder: Path) -> None:
    before = [*sys.path]
    load_model(folder / "model.joblib")
    load_model(folder / "model.joblib")
    assert sys.path == [*before, str(folder / "code")]


def test_a_model_without_modules_leaves_pythons_path_alone(tmp_path: Path) -> None:
    before = [*sys.path]
    load_model(write_artefacts(tmp_path) / "model.joblib")
    assert sys.path == before


def test_a_changed_module_is_refused_with_both_checksums(folder: Path) -> None:
    with (folder / MODULE).open("a") as file:
        file.write("# changed\n")
    with pytest.raises(ModelArtefactError, match=r"hourly_medians\.py is not the module .* \(sha256 \w+ vs \w+\)"):
        load_model(folder / "model.joblib")
    assert str(folder / "code") not in sys.path


def test_a_missing_module_is_refused(folder: Path) -> None:
    (folder / MODULE).unlink()
    with pytest.raises(ModelArtefactError, match=r"hourly_medians\.py is missing.* deploy the folder that training"):
        load_model(folder / "model.joblib")


def test_a_module_that_training_did_not_write_is_refused(folder: Path) -> None:
    (folder / "code" / "json.py").write_text("")
    with pytest.raises(ModelArtefactError, match=r"code/json\.py is not of the model's modules"):
        load_model(folder / "model.joblib")


@pytest.mark.parametrize("name", ["../model.py", "/etc/passwd", "model/../x.py", "model.txt"])
def test_a_module_outside_the_folder_is_refused(folder: Path, name: str) -> None:
    path = folder / "metadata.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "code_files": {name: "0" * 64}}))
    with pytest.raises(ModelArtefactError, match="code_files"):
        read_metadata(folder)


def test_a_class_whose_module_is_not_there_is_refused_with_what_to_do(tmp_path: Path) -> None:
    folder = with_model(write_artefacts(tmp_path), Calls(__import__, "churn_rules"))
    with pytest.raises(
        ModelArtefactError,
        match=r"No module named 'churn_rules'\); install that module, by requirements/service\.txt, or put it into "
        r"model/code/, which travels with the model, and train again",
    ):
        load_model(folder / "model.joblib")


def test_a_class_of_the_training_script_is_refused_with_what_to_do(tmp_path: Path) -> None:
    folder = with_model(write_artefacts(tmp_path), Calls(pickle.loads, b"c__main__\nRules\n."))
    with pytest.raises(ModelArtefactError, match=r"__main__.*put it into model/code/"):
        load_model(folder / "model.joblib")

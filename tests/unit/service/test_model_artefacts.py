import hashlib
import json
from pathlib import Path

import pytest

from service.model_artefacts import ModelArtefactError, find_model, load_model
from service.settings import BAKED_MODEL_DIR, ServiceSettings, SettingsError
from tests.lib.model_artefacts import write_artefacts

pytestmark = pytest.mark.unit


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_artefacts(tmp_path / "registered" / "model-1")


def change_metadata(folder: Path, **changes: object) -> None:
    path = folder / "metadata.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_the_model_is_found_in_the_folder_and_in_its_single_sub_folder(folder: Path) -> None:
    assert find_model(folder) == folder / "model.joblib"
    assert find_model(folder.parent) == folder / "model.joblib"


def test_of_two_sub_folders_none_is_guessed(folder: Path) -> None:
    (folder.parent / "model-2").mkdir()
    with pytest.raises(ModelArtefactError, match=r"2 folders vs 1.*AZUREML_MODEL_DIR"):
        find_model(folder.parent)


def test_a_model_dir_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelArtefactError, match="nowhere is not a folder"):
        find_model(tmp_path / "nowhere")


def test_a_missing_model_file_is_named(folder: Path) -> None:
    (folder / "model.joblib").unlink()
    with pytest.raises(ModelArtefactError, match=r"model\.joblib does not exist"):
        find_model(folder)


def test_metadata_of_another_form_is_refused_with_the_fault(folder: Path) -> None:
    change_metadata(folder, model_sha256="short")
    with pytest.raises(ModelArtefactError, match="model_sha256"):
        find_model(folder)


@pytest.mark.parametrize("model_file", ["../model.joblib", "/etc/passwd", ""])
def test_a_model_file_outside_the_folder_is_refused(folder: Path, model_file: str) -> None:
    change_metadata(folder, model_file=model_file)
    with pytest.raises(ModelArtefactError, match="model_file"):
        find_model(folder)


def test_a_model_that_is_not_the_trained_one_is_not_opened(folder: Path) -> None:
    path = folder / "model.joblib"
    trained = path.read_bytes()
    path.write_bytes(trained[:-1] + bytes([trained[-1] ^ 1]))
    with pytest.raises(ModelArtefactError, match=r"not the file that was trained \(sha256 \w{64} vs \w{64}\)"):
        load_model(path)


def test_a_model_that_joblib_cannot_load_is_refused_with_the_reason(folder: Path) -> None:
    path = folder / "model.joblib"
    path.write_bytes(b"no pickle")
    change_metadata(folder, model_sha256=hashlib.sha256(b"no pickle").hexdigest())
    with pytest.raises(ModelArtefactError, match="joblib cannot load it"):
        load_model(path)


def test_without_a_model_dir_the_baked_model_is_served() -> None:
    assert ServiceSettings.from_environ({}).model_dir == BAKED_MODEL_DIR
    assert ServiceSettings.from_environ({"AZUREML_MODEL_DIR": "/models/7"}).model_dir == Path("/models/7")


def test_the_port_is_8003_on_loopback_unless_told_otherwise() -> None:
    settings = ServiceSettings.from_environ({})
    assert (settings.host, settings.port) == ("127.0.0.1", 8003)
    assert ServiceSettings.from_environ({"API_SERVER_PORT": "9000"}).port == 9000


@pytest.mark.parametrize("port", ["0", "65536", "eight", "-1", "8003.0", "\u0668"])
def test_a_port_that_is_none_is_refused_with_its_value(port: str) -> None:
    with pytest.raises(SettingsError, match="API_SERVER_PORT: not a whole number in range"):
        ServiceSettings.from_environ({"API_SERVER_PORT": port})

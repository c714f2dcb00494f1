import hashlib
import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from service.model_artefacts import ModelArtefactError, find_model, load_model, read_metadata
from service.settings import BAKED_MODEL_DIR, ServiceSettings, SettingsError
from tests.lib.model_artefacts import write_artefacts, write_model
from tests.lib.plain_model import Mean

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


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"features": [{"name": "a"}, {"name": "a"}]}, "named twice .'a'"),
        ({"features": [{"name": ""}]}, "features.0.name"),
        ({"features": [{"name": "a", "type": "integer"}]}, "features.0.type"),
        ({"features": [{"name": "a", "type": "string"}]}, "an array holds numbers alone"),
        ({"features": [{"name": "a", "minimum": 2, "maximum": 1}]}, "minimum is above maximum"),
        ({"features": []}, "features"),
        ({"input": "matrix"}, "input"),
        ({"task": "clustering"}, "task"),
        ({"golden_requests_file": "../golden.json"}, "golden_requests_file"),
    ],
)
def test_metadata_that_contradicts_itself_is_refused(folder: Path, changes: dict[str, Any], reason: str) -> None:
    change_metadata(folder, **changes)
    with pytest.raises(ModelArtefactError, match=rf"metadata.json is not valid .*{reason}"):
        read_metadata(folder)


def test_keys_that_training_may_leave_out_have_their_usual_values(tmp_path: Path) -> None:
    metadata = load_model(write_model(tmp_path, Mean(), [{"name": "a"}])).metadata
    assert (metadata.task, metadata.input, metadata.libraries) == ("regression", "array", {})
    assert metadata.golden_requests_file is None
    assert metadata.features[0].type == "number"
    assert not metadata.features[0].nullable


SKLEARN = version("scikit-learn")
MINOR = ".".join(SKLEARN.split(".")[:2])


@pytest.mark.parametrize("trained", ["1.2.0", "0.24", "unknown"])
def test_a_model_of_another_scikit_learn_is_refused_with_both_versions(folder: Path, trained: str) -> None:
    change_metadata(folder, libraries={"scikit-learn": trained})
    with pytest.raises(ModelArtefactError, match=rf"\({trained} vs {SKLEARN} installed\); train it again"):
        load_model(folder / "model.joblib")


def test_another_patch_of_scikit_learn_is_a_warning(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    change_metadata(folder, libraries={"scikit-learn": f"{MINOR}.99"})
    load_model(folder / "model.joblib")
    assert f"trained with scikit-learn {MINOR}.99, and {SKLEARN} is installed" in caplog.text


@pytest.mark.parametrize(
    ("libraries", "warned"),
    [
        ({"scikit-learn": SKLEARN, "numpy": version("numpy"), "python": "3.11.0"}, False),
        ({"numpy": version("numpy").split(".")[0] + ".0"}, False),
        ({"numpy": "1.26.4"}, True),
        ({"joblib": "0.17"}, True),
        ({"a-library-of-training-alone": "1.0"}, False),
    ],
)
def test_another_major_of_another_library_is_a_warning(
    folder: Path,
    caplog: pytest.LogCaptureFixture,
    libraries: dict[str, str],
    warned: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    change_metadata(folder, libraries=libraries)
    load_model(folder / "model.joblib")
    assert ("model was trained with" in caplog.text) is warned


def test_a_model_without_scikit_learn_needs_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.libraries.version", fail_to_find)
    load_model(write_model(tmp_path, Mean(), [{"name": "a"}], libraries={"numpy": "2.0"}))
    path = write_model(tmp_path, Mean(), [{"name": "a"}], libraries={"scikit-learn": "1.9.0"})
    with pytest.raises(ModelArtefactError, match=r"\(1.9.0 vs none installed\)"):
        load_model(path)


def fail_to_find(name: str) -> str:
    raise PackageNotFoundError(name)


def test_a_model_of_data_frames_says_so_where_there_is_no_pandas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_model(tmp_path, Mean(), [{"name": "a"}], input="data_frame")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ModelArtefactError, match=r"pandas is not installed; .*requirements/frames\.txt"):
        load_model(path)


def test_a_model_of_another_width_than_its_metadata_is_refused(tmp_path: Path) -> None:
    ridge = Ridge().fit([[0.0, 1.0], [1.0, 0.0]], [0.0, 1.0])
    with pytest.raises(ModelArtefactError, match=r"another number of features than the model was fitted on \(1 vs 2\)"):
        load_model(write_model(tmp_path, ridge, [{"name": "a"}]))


def test_a_model_of_named_columns_may_take_arrays_in_the_order_of_its_columns_alone(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [0.0, 1.0], "b": [1.0, 0.0]})
    ridge = Ridge().fit(frame, [0.0, 1.0])
    model = load_model(write_model(tmp_path, ridge, [{"name": "a"}, {"name": "b"}]))
    assert model.predictor.predict(frame.to_numpy()).tolist() == ridge.predict(frame).tolist()
    with pytest.raises(ModelArtefactError, match=r"in their order \(a, b vs b, a\)"):
        load_model(write_model(tmp_path, ridge, [{"name": "b"}, {"name": "a"}]))


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

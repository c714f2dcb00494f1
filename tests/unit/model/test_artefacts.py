"""What a training run writes, for a model of each kind."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.neighbors import KNeighborsRegressor
from sklearn.preprocessing import FunctionTransformer

from model.artefacts import write_artefacts
from model.errors import ModelError
from model.needed import needed_by
from model.trained import Trained, first_share
from service.engine.batch_plan import ALONE
from service.engine.startup import prepare_model
from service.request_body import BodyLimits
from tests.lib.own_models import KINDS, train_example

pytestmark = pytest.mark.unit


def metadata_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "metadata.json").read_text())
    return found


def golden_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "golden_requests.json").read_text())
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_the_service_loads_each_example_and_predicts_its_golden_requests_right(
    folders: Mapping[str, Path], kind: str
) -> None:
    ready = prepare_model(folders[kind] / "model.joblib", exact_predictors=True, limits=BodyLimits())
    assert ready.metadata.version == "7"
    assert len(golden_of(folders[kind])["requests"]) == 13
    assert (ready.classes is not None) == (kind in {"classifier", "data_frame"})


@pytest.mark.parametrize("kind", KINDS)
def test_the_metadata_names_the_digest_of_the_model_file_beside_it(folders: Mapping[str, Path], kind: str) -> None:
    metadata = metadata_of(folders[kind])
    file = folders[kind] / metadata["model_file"]
    assert metadata["model_sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()


def test_an_arrays_features_are_numbers_with_the_ranges_of_the_training_rows(
    folders: Mapping[str, Path], examples: Mapping[str, Trained]
) -> None:
    metadata = metadata_of(folders["regression"])
    rows: Any = examples["regression"].train_rows
    assert metadata["input"] == "array"
    assert metadata["features"][0] == {
        "name": "age",
        "type": "number",
        "minimum": rows[:, 0].min(),
        "maximum": rows[:, 0].max(),
    }
    assert len(metadata["features"]) == 10


def test_a_data_frames_features_have_their_types_and_say_which_may_be_missing(folders: Mapping[str, Path]) -> None:
    metadata = metadata_of(folders["data_frame"])
    assert metadata["input"] == "data_frame"
    types = {feature["name"]: (feature["type"], feature.get("nullable", False)) for feature in metadata["features"]}
    assert types == {
        "last_message": ("string", False),
        "plan": ("string", True),
        "country": ("string", False),
        "monthly_fee": ("number", True),
        "months": ("number", False),
        "pays_by_card": ("boolean", False),
    }
    assert "minimum" not in metadata["features"][0]


def test_a_data_frames_golden_requests_name_the_columns_and_one_has_a_gap(folders: Mapping[str, Path]) -> None:
    requests = golden_of(folders["data_frame"])["requests"]
    names = [feature["name"] for feature in metadata_of(folders["data_frame"])["features"]]
    assert all(request["body"]["columns"] == names for request in requests)
    assert any(None in row for request in requests for row in request["body"]["data"])


def test_the_task_and_the_labels_are_the_models(folders: Mapping[str, Path]) -> None:
    tasks = {kind: metadata_of(folders[kind])["task"] for kind in KINDS}
    assert tasks == {
        "regression": "regression",
        "classifier": "classification",
        "data_frame": "classification",
        "plain_object": "regression",
    }
    assert golden_of(folders["classifier"])["requests"][0]["predictions"] == ["virginica"]


def test_the_libraries_are_those_that_the_models_file_needs(folders: Mapping[str, Path]) -> None:
    libraries = {kind: set(metadata_of(folders[kind])["libraries"]) for kind in KINDS}
    assert libraries == {
        "regression": {"python", "joblib", "numpy", "scikit-learn"},
        "classifier": {"python", "joblib", "numpy", "scikit-learn"},
        "data_frame": {"python", "joblib", "numpy", "scikit-learn", "pandas"},
        "plain_object": {"python", "joblib", "numpy"},
    }
    assert metadata_of(folders["regression"])["libraries"]["scikit-learn"] == installed_version("scikit-learn")


def test_the_metrics_are_those_of_train_with_the_number_of_rows(
    folders: Mapping[str, Path], examples: Mapping[str, Trained]
) -> None:
    assert metadata_of(folders["regression"])["metrics"] == {
        **examples["regression"].metrics,
        "rows_trained": 353,
        "rows_tested": 89,
    }


@pytest.mark.parametrize(
    ("kind", "metric", "least"),
    [("regression", "r2", 0.3), ("classifier", "accuracy", 0.8), ("data_frame", "roc_auc", 0.8)],
)
def test_the_examples_do_better_on_unseen_rows_than_a_guess(
    examples: Mapping[str, Trained], kind: str, metric: str, least: float
) -> None:
    assert examples[kind].metrics[metric] > least


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_of_fewer_rows_is_another_one_with_the_same_requests(
    examples: Mapping[str, Trained], folders: Mapping[str, Path], tmp_path: Path, kind: str
) -> None:
    fewer = train_example(kind, 0.8)
    assert len(fewer.train_rows) == round(0.8 * len(examples[kind].train_rows))
    write_artefacts(tmp_path, version="7", trained=fewer)
    assert metadata_of(tmp_path)["model_sha256"] != metadata_of(folders[kind])["model_sha256"]
    bodies = [[request["body"] for request in golden_of(each)["requests"]] for each in (tmp_path, folders[kind])]
    assert bodies[0] == bodies[1]


def test_a_share_of_the_rows_is_never_empty() -> None:
    assert first_share([1, 2, 3], 0.01) == [1]
    assert first_share([1, 2, 3], 1.0) == [1, 2, 3]


def test_few_test_rows_make_few_golden_requests(examples: Mapping[str, Trained], tmp_path: Path) -> None:
    example = examples["regression"]
    write_artefacts(tmp_path, version="1", trained=replace(example, test_rows=example.test_rows[:3]))
    assert [len(request["predictions"]) for request in golden_of(tmp_path)["requests"]] == [1, 1, 1]


def test_a_class_of_ones_own_travels_with_the_model_under_its_own_name(folders: Mapping[str, Path]) -> None:
    folder = folders["plain_object"]
    code_files = metadata_of(folder)["code_files"]
    assert set(code_files) == {
        "model/__init__.py",
        "model/examples/__init__.py",
        "model/examples/code/__init__.py",
        "model/examples/code/hourly_medians.py",
    }
    for name, sha256 in code_files.items():
        assert hashlib.sha256((folder / "code" / name).read_bytes()).hexdigest() == sha256
    assert "code_files" not in metadata_of(folders["regression"])
    assert not (folders["regression"] / "code").exists()


def test_code_of_an_earlier_training_does_not_stay(
    folders: Mapping[str, Path], examples: Mapping[str, Trained], tmp_path: Path
) -> None:
    folder = shutil.copytree(folders["plain_object"], tmp_path / "model")
    write_artefacts(folder, version="8", trained=examples["classifier"])
    assert {path.name for path in folder.iterdir()} == {"model.joblib", "metadata.json", "golden_requests.json"}


def test_a_folder_of_somebody_elses_code_is_refused_and_nothing_of_it_is_lost(
    examples: Mapping[str, Trained], tmp_path: Path
) -> None:
    notes = tmp_path / "code" / "mine" / "notes.txt"
    notes.parent.mkdir(parents=True)
    notes.write_text("kept", encoding="utf-8")
    with pytest.raises(ModelError, match=r"notes\.txt is none of a trained model's; name another folder"):
        write_artefacts(tmp_path, version="1", trained=examples["regression"])
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [notes]


def test_the_stored_model_is_the_one_that_train_returned(
    folders: Mapping[str, Path], examples: Mapping[str, Trained]
) -> None:
    rows = examples["regression"].test_rows
    stored = joblib.load(folders["regression"] / "model.joblib")
    assert stored.predict(rows).tolist() == pytest.approx(examples["regression"].model.predict(rows).tolist())


def test_a_model_that_refuses_rows_outside_its_training_is_served_and_predicts_each_request_alone(
    folders: Mapping[str, Path],
) -> None:
    ready = prepare_model(folders["plain_object"] / "model.joblib", exact_predictors=True, limits=BodyLimits())
    assert ready.plan == ALONE


@pytest.mark.parametrize(
    "estimator",
    [HistGradientBoostingRegressor(max_iter=2), KNeighborsRegressor(), FunctionTransformer(np.log1p)],
    ids=["Cython's classes", "a tree in C", "a ufunc"],
)
def test_what_is_compiled_in_a_library_is_known_to_be_of_it(estimator: Any) -> None:
    rows = np.arange(40.0).reshape(20, 2)
    found = needed_by(estimator.fit(rows, rows[:, 0]), takes_frames=False)
    assert set(found.libraries) == {"python", "joblib", "numpy", "scikit-learn"}
    assert found.code == {}

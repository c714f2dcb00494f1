"""What a training run writes."""

import hashlib
import json
import math
from importlib.metadata import version as installed_version
from pathlib import Path
from time import perf_counter

import joblib
import pytest

from model.artefacts import write_artefacts
from model.faulty import PAUSE_PER_ROW_S, Variant, make_variant
from model.train import Dataset, evaluate, load_dataset, train

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return load_dataset()


def write(folder: Path, dataset: Dataset, variant: Variant) -> Path:
    trained = train(dataset, alpha=1.0)
    write_artefacts(
        folder,
        version="7",
        model=make_variant(trained, variant, dataset),
        golden_model=trained,
        dataset=dataset,
        metrics=evaluate(trained, dataset),
    )
    return folder


def test_the_metadata_names_the_digest_of_the_model_file_beside_it(tmp_path: Path, dataset: Dataset) -> None:
    folder = write(tmp_path / "new" / "folder", dataset, Variant.GOOD)
    metadata = json.loads((folder / "metadata.json").read_text())
    assert metadata["version"] == "7"
    assert metadata["model_sha256"] == hashlib.sha256((folder / metadata["model_file"]).read_bytes()).hexdigest()


def test_the_data_set_has_442_rows_of_10_features_with_their_ranges(tmp_path: Path, dataset: Dataset) -> None:
    metadata = json.loads((write(tmp_path, dataset, Variant.GOOD) / "metadata.json").read_text())
    assert len(dataset.train_rows) + len(dataset.test_rows) == 442
    assert [feature["name"] for feature in metadata["features"]] == list(dataset.features)
    assert len(metadata["features"]) == 10
    assert all(feature["minimum"] < feature["maximum"] for feature in metadata["features"])


def test_the_metadata_says_what_the_model_takes_and_what_it_was_trained_with(tmp_path: Path, dataset: Dataset) -> None:
    metadata = json.loads((write(tmp_path, dataset, Variant.GOOD) / "metadata.json").read_text())
    assert (metadata["task"], metadata["input"]) == ("regression", "array")
    assert {feature["type"] for feature in metadata["features"]} == {"number"}
    assert metadata["libraries"]["scikit-learn"] == installed_version("scikit-learn")


def test_the_model_does_better_on_unseen_rows_than_their_mean_would(dataset: Dataset) -> None:
    metrics = evaluate(train(dataset, alpha=1.0), dataset)
    assert metrics.r2 > 0.3
    assert metrics.rows_trained + metrics.rows_tested == 442


@pytest.mark.parametrize("variant", [Variant.GOOD, Variant.SLOW])
def test_the_stored_model_answers_its_golden_requests(tmp_path: Path, dataset: Dataset, variant: Variant) -> None:
    folder = write(tmp_path, dataset, variant)
    model = joblib.load(folder / "model.joblib")
    golden = json.loads((folder / "golden_requests.json").read_text())
    for request in golden["requests"][-2:]:
        predicted = model.predict(request["body"]["data"])
        assert all(
            math.isclose(value, expected, rel_tol=golden["relative_tolerance"])
            for value, expected in zip(predicted, request["predictions"], strict=True)
        )


def test_the_slow_variant_answers_late_for_each_row(dataset: Dataset) -> None:
    slow = make_variant(train(dataset, alpha=1.0), Variant.SLOW, dataset)
    before = perf_counter()
    slow.predict(dataset.test_rows[:2])
    assert perf_counter() - before >= 2 * PAUSE_PER_ROW_S


def test_the_wrong_variant_misses_its_golden_requests(tmp_path: Path, dataset: Dataset) -> None:
    folder = write(tmp_path, dataset, Variant.WRONG)
    request = json.loads((folder / "golden_requests.json").read_text())["requests"][0]
    predicted = joblib.load(folder / "model.joblib").predict(request["body"]["data"])
    assert abs(predicted[0] - request["predictions"][0]) > 1

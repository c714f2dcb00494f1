"""A model that does not answer its golden requests as in training never gets ready."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from model.faulty import Variant
from service.model_artefacts import ModelArtefactError, load_model
from service.model_predictor import ModelPredictor
from service.request_body import BodyLimits, RowSchema
from service.self_check import check_golden
from tests.lib.model_artefacts import write_artefacts, write_model
from tests.lib.plain_model import Mean

pytestmark = pytest.mark.unit

FEATURES = [{"name": "a"}, {"name": "b"}]


def check(path: Path) -> int:
    predictor = ModelPredictor()
    predictor.set_model(load_model(path))
    return check_golden(predictor, path.parent, RowSchema.of(predictor.metadata), BodyLimits())


def golden(*requests: tuple[Any, list[Any]], absolute: float = 0.0, relative: float = 1e-6) -> dict[str, Any]:
    named = [{"id": f"g-{n}", "body": body, "predictions": expected} for n, (body, expected) in enumerate(requests)]
    return {"absolute_tolerance": absolute, "relative_tolerance": relative, "requests": named}


def test_a_trained_model_answers_all_of_its_golden_requests(tmp_path: Path) -> None:
    assert check(write_artefacts(tmp_path) / "model.joblib") == 13


def test_a_model_that_answers_otherwise_than_in_training_is_named_with_both_numbers(tmp_path: Path) -> None:
    path = write_artefacts(tmp_path, variant=Variant.WRONG) / "model.joblib"
    with pytest.raises(ModelArtefactError, match=r"golden-00, row 0 is predicted \d+\.\d+ instead of \d+\.\d+ \(abs"):
        check(path)


def test_all_forms_of_body_are_golden_requests(tmp_path: Path) -> None:
    requests = golden(
        ({"data": [[1, 2], [3, 5]]}, [1.5, 4.0]),
        ({"columns": ["b", "a"], "data": [[1, 2]]}, [1.5]),
        ({"data": [{"b": 1, "a": 2}]}, [1.5]),
    )
    assert check(write_model(tmp_path, Mean(), FEATURES, golden=requests)) == 3


@pytest.mark.parametrize(("predicted", "right"), [(1.0, True), (1.0000009, True), (1.000002, False), (1, True)])
def test_a_number_is_right_within_the_tolerance(tmp_path: Path, predicted: float, right: bool) -> None:  # noqa: FBT001 - a parameter of the table
    path = write_model(tmp_path, Mean(), FEATURES, golden=golden(({"data": [[1, 1]]}, [predicted])))
    if right:
        assert check(path) == 1
    else:
        with pytest.raises(ModelArtefactError, match=r"row 0 is predicted 1.0 instead of 1.000002"):
            check(path)


def test_labels_are_equal_or_wrong(tmp_path: Path) -> None:
    rows = np.array([[0.0, 1.0], [1.0, 0.0]])
    model = LogisticRegression().fit(rows, [1_000_000, 1_000_001])
    right = golden(({"data": rows.tolist()}, [1_000_000, 1_000_001]), relative=0.1)
    wrong = golden(({"data": rows.tolist()}, [1_000_000, 1_000_000]), relative=0.1)
    assert check(write_model(tmp_path, model, FEATURES, golden=right, task="classification")) == 1
    path = write_model(tmp_path, model, FEATURES, golden=wrong, task="classification")
    with pytest.raises(ModelArtefactError, match="row 1 is predicted 1000001 instead of 1000000"):
        check(path)


def test_several_outputs_are_compared_one_by_one(tmp_path: Path) -> None:
    rows = np.array([[0.0, 1.0], [1.0, 0.0]])
    model = LinearRegression().fit(rows, rows)
    right = golden(({"data": [[0, 1]]}, [[0.0, 1.0]]), absolute=1e-9)
    wrong = golden(({"data": [[0, 1]]}, [[0.0, 1.1]]), absolute=1e-9)
    assert check(write_model(tmp_path, model, FEATURES, golden=right)) == 1
    path = write_model(tmp_path, model, FEATURES, golden=wrong)
    with pytest.raises(ModelArtefactError, match=r"row 0 is predicted \[.*\] instead of \[0.0, 1.1\]"):
        check(path)


@pytest.mark.parametrize(
    ("body", "expected", "reason"),
    [
        ({"data": [[1]]}, [1.0], r"g-0 is refused \(wrong_shape at data\[0\]"),
        ({"data": [[1, "2"]]}, [1.0], r"g-0 is refused \(wrong_type at data\[0\]\[1\]"),
        ({"data": [[1, 2]]}, [1.5, 1.5], r"another number of predictions than it has rows \(2 vs 1\)"),
        ({"data": [[1, 2]]}, ["1.5"], "row 0 is predicted 1.5 instead of '1.5'"),
        ({"data": [[1, 2]]}, [None], "row 0 is predicted 1.5 instead of None"),
        ({"data": [[1, 1]]}, [True], "row 0 is predicted 1.0 instead of True"),
        ({"data": [[1, 1]]}, [], "requests.0.predictions: "),
        ([[1, 1]], [1.0], "requests.0.body: "),
    ],
)
def test_golden_requests_that_do_not_fit_the_model_are_named(
    tmp_path: Path, body: Any, expected: list[Any], reason: str
) -> None:
    path = write_model(tmp_path, Mean(), FEATURES, golden=golden((body, expected)))
    with pytest.raises(ModelArtefactError, match=reason):
        check(path)


def test_a_golden_file_that_is_missing_or_not_json_is_named(tmp_path: Path) -> None:
    path = write_model(tmp_path, Mean(), FEATURES, golden={})
    (tmp_path / "golden_requests.json").write_text("{")
    with pytest.raises(ModelArtefactError, match=r"golden_requests\.json is not JSON"):
        check(path)
    (tmp_path / "golden_requests.json").unlink()
    with pytest.raises(ModelArtefactError, match=r"golden_requests\.json cannot be read"):
        check(path)


def test_without_golden_requests_a_line_warns_that_nothing_was_checked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_model(tmp_path, Mean(), FEATURES)
    with caplog.at_level(logging.WARNING):
        assert check(path) == 0
    assert "the model is not checked" in caplog.text

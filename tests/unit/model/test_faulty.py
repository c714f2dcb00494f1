"""The candidates that a release has to refuse, made from a model of each kind."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from model.faulty import PAUSE_PER_ROW_S, Variant, make_variant
from model.faulty.code.answers import Wrong
from model.golden import alike
from model.trained import Trained
from service.engine.startup import prepare_model
from service.model_artefacts import ModelArtefactError
from service.request_body import BodyLimits
from tests.lib.emulator import REPOSITORY
from tests.lib.own_models import KINDS, write_example

pytestmark = pytest.mark.unit
LOAD_ALONE = """
import sys
from pathlib import Path
from service.model_artefacts import load_model
print(type(load_model(Path(sys.argv[1], "model.joblib")).predictor).__name__)
"""


@pytest.mark.parametrize("kind", KINDS)
def test_the_slow_variant_answers_the_same_20_ms_later_for_each_row(examples: Mapping[str, Trained], kind: str) -> None:
    example = examples[kind]
    slow = make_variant(example.model, Variant.SLOW)
    rows = example.test_rows[:2]
    before = perf_counter()
    answer = slow.predict(rows)
    assert perf_counter() - before >= 2 * PAUSE_PER_ROW_S
    assert list(answer) == list(example.model.predict(rows))
    assert PAUSE_PER_ROW_S == 0.02


@pytest.mark.parametrize("kind", KINDS)
def test_the_service_refuses_the_wrong_variant_of_each_kind_by_its_first_golden_request(
    tmp_path: Path, kind: str
) -> None:
    folder = write_example(tmp_path, kind, variant=Variant.WRONG)
    with pytest.raises(ModelArtefactError, match="golden request golden-00, row 0 is predicted"):
        prepare_model(folder / "model.joblib", exact_predictors=True, limits=BodyLimits())


@pytest.mark.parametrize(
    "answer",
    [
        [1.5, -500.0, 1e9],
        [0, 1],
        [True, False],
        ["leaves", "stays"],
        [[1.0, 2.0], [3.0, 4.0]],
        np.array(["a", "b"]),
        np.array([1, 2]),
        pd.Series([1.5, 2.5]),
        pd.DataFrame({"a": [1.5, 2.5], "b": [True, False]}),
        sparse.csr_array(np.eye(2)),
    ],
    ids=["floats", "integers", "truths", "texts", "outputs", "array of texts", "array", "series", "frame", "sparse"],
)
def test_whatever_a_model_answers_the_wrong_variant_answers_something_else(answer: Any) -> None:
    class Answers:
        def predict(self, rows: Any) -> Any:
            del rows
            return answer

    expected = np.asarray(answer.toarray() if hasattr(answer, "toarray") else answer, dtype=object).tolist()
    predicted = Wrong(Answers()).predict(None)
    assert len(predicted) == len(expected)
    assert not any(alike(each, other) for each, other in zip(predicted, expected, strict=True))


def test_a_variant_has_what_else_the_model_has(examples: Mapping[str, Trained]) -> None:
    example = examples["classifier"]
    slow = make_variant(example.model, Variant.SLOW)
    rows = example.test_rows[:2]
    assert slow.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    assert slow.predict_proba(rows).tolist() == example.model.predict_proba(rows).tolist()
    assert not hasattr(make_variant(examples["plain_object"].model, Variant.SLOW), "predict_proba")


def test_the_good_variant_is_the_model_itself(examples: Mapping[str, Trained]) -> None:
    assert make_variant(examples["classifier"].model, Variant.GOOD) is examples["classifier"].model


def test_a_variant_of_a_class_of_ones_own_is_loaded_where_nothing_of_this_repository_is(tmp_path: Path) -> None:
    """Load it in a process that has the service alone, as a container has."""
    folder = write_example(tmp_path / "artefacts", "plain_object", variant=Variant.SLOW)
    assert {Path(name).name for name in json.loads((folder / "metadata.json").read_text())["code_files"]} == {
        "__init__.py",
        "answers.py",
        "hourly_medians.py",
    }
    (tmp_path / "app" / "model").mkdir(parents=True)
    (tmp_path / "app" / "service").symlink_to(REPOSITORY / "service")
    loaded = subprocess.run(
        [sys.executable, "-P", "-c", LOAD_ALONE, str(folder)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "app"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert loaded.stdout.strip() == "Late", loaded.stderr


def test_a_variant_can_be_stored_and_loaded_again(tmp_path: Path, examples: Mapping[str, Trained]) -> None:
    joblib.dump(make_variant(examples["regression"].model, Variant.SLOW), tmp_path / "slow")
    assert joblib.load(tmp_path / "slow").pause_per_row_s == PAUSE_PER_ROW_S

"""Models of every kind, from their file to the JSON of their answers."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from service.errors import RequestRefusedError
from service.model_artefacts import LoadedModel, ModelArtefactError, ModelMetadata, load_model
from service.model_predictor import ModelPredictor
from service.request_body import BodyLimits, RowSchema, decode
from tests.lib.model_artefacts import write_model
from tests.lib.plain_model import Mean

pytestmark = pytest.mark.unit

LIMITS = BodyLimits()
NUMBERS = [{"name": "a"}, {"name": "b"}]
ROWS = np.random.default_rng(1).normal(size=(60, 2))
NULLABLE: list[dict[str, Any]] = [{"name": "a", "nullable": True}, {"name": "b"}]
TICKETS: list[dict[str, Any]] = [
    {"name": "text", "type": "string"},
    {"name": "channel", "type": "string", "nullable": True},
    {"name": "age", "type": "number", "nullable": True},
    {"name": "urgent", "type": "boolean"},
]


def loaded(path: Path) -> ModelPredictor:
    predictor = ModelPredictor()
    predictor.set_model(load_model(path))
    return predictor


def answer(predictor: ModelPredictor, body: Any) -> Any:
    rows = decode(json.dumps(body).encode(), RowSchema.of(predictor.metadata), LIMITS)
    return orjson.loads(orjson.dumps(predictor.predict(rows).tolist()))


def tickets(rows: int) -> pd.DataFrame:
    random = np.random.default_rng(2)
    return pd.DataFrame(
        {
            "text": random.choice(["printer is on fire", "password forgotten", "printer has no paper"], rows),
            "channel": random.choice(np.array(["mail", "phone", np.nan], dtype=object), rows),
            "age": random.choice([20.0, 35.0, 50.0, np.nan], rows),
            "urgent": random.choice([True, False], rows),
        }
    )


def ticket_pipeline() -> Pipeline:
    columns = ColumnTransformer(
        [
            ("text", TfidfVectorizer(), "text"),
            ("channel", OneHotEncoder(handle_unknown="ignore"), ["channel"]),
            ("age", make_pipeline(SimpleImputer(), StandardScaler()), ["age"]),
        ],
        remainder="passthrough",
    )
    return Pipeline([("columns", columns), ("ridge", Ridge())])


def test_a_pipeline_on_text_categories_and_numbers_answers_as_on_its_own_data_frame(tmp_path: Path) -> None:
    frame = tickets(80)
    pipeline = ticket_pipeline().fit(frame, np.arange(80.0))
    predictor = loaded(write_model(tmp_path, pipeline, TICKETS, input="data_frame"))
    sent = json.loads(frame.to_json(orient="records"))
    expected = pytest.approx(pipeline.predict(frame).tolist(), rel=1e-12)
    assert None in {record["age"] for record in sent}
    assert answer(predictor, {"data": sent}) == expected
    assert answer(predictor, {"data": [list(record.values()) for record in sent]}) == expected
    backwards = [list(reversed(record.values())) for record in sent]
    assert answer(predictor, {"columns": list(reversed(sent[0])), "data": backwards}) == expected


@pytest.mark.parametrize("nulls", [[None, None], ["mail", None], ["mail", "phone"]])
def test_a_columns_type_does_not_depend_on_the_values_of_a_request(tmp_path: Path, nulls: list[Any]) -> None:
    features: list[dict[str, Any]] = [
        {"name": "channel", "type": "string", "nullable": True},
        {"name": "known", "type": "boolean"},
        {"name": "asked", "type": "boolean", "nullable": True},
    ]
    path = write_model(tmp_path, Mean(), features, input="data_frame")
    schema = RowSchema.of(load_model(path).metadata)
    body = {"data": [[null, True, null and True] for null in nulls]}
    frame = decode(json.dumps(body).encode(), schema, LIMITS)
    assert isinstance(frame, pd.DataFrame)
    assert frame.dtypes.tolist() == [pd.Series(["text"]).dtype, np.dtype(bool), np.dtype(object)]
    assert frame["channel"].isna().tolist() == [null is None for null in nulls]
    assert frame["asked"].isna().tolist() == [null is None for null in nulls]


def test_a_categorical_column_of_training_is_taken_as_strings(tmp_path: Path) -> None:
    frame = pd.DataFrame({"channel": pd.Categorical(["mail", "phone"] * 40), "age": np.arange(80.0)})
    model = HistGradientBoostingRegressor(max_iter=5).fit(frame, np.arange(80.0))
    features: list[dict[str, Any]] = [{"name": "channel", "type": "string"}, {"name": "age"}]
    predictor = loaded(write_model(tmp_path, model, features, input="data_frame"))
    sent = json.loads(frame.to_json(orient="records"))
    assert answer(predictor, {"data": sent}) == pytest.approx(model.predict(frame).tolist(), rel=1e-12)


def test_null_in_an_array_is_a_missing_value_where_the_feature_is_nullable(tmp_path: Path) -> None:
    model = HistGradientBoostingRegressor(max_iter=5).fit(ROWS, ROWS[:, 0])
    predictor = loaded(write_model(tmp_path, model, NULLABLE))
    assert answer(predictor, {"data": [[None, 1.0]]}) == model.predict([[np.nan, 1.0]]).tolist()
    with pytest.raises(RequestRefusedError) as refused:
        answer(predictor, {"data": [[None, None]]})
    assert (refused.value.code, refused.value.location) == ("wrong_type", "data[0][1]")


def test_a_classifier_answers_string_labels_and_the_probability_of_each_class(tmp_path: Path) -> None:
    model = LogisticRegression().fit(ROWS, np.where(ROWS[:, 0] > 0, "benign", "malign"))
    predictor = loaded(write_model(tmp_path, model, NUMBERS, task="classification"))
    assert answer(predictor, {"data": ROWS.tolist()}) == model.predict(ROWS).tolist()
    assert predictor.classes == ["benign", "malign"]
    probabilities = predictor.predict_proba(ROWS)
    assert probabilities is not None
    assert probabilities.tolist() == model.predict_proba(ROWS).tolist()


@pytest.mark.parametrize("labels", [np.array([3, 7]), np.array([False, True]), np.array([0.5, 1.5])], ids=str)
def test_labels_keep_their_json_type(labels: Any) -> None:
    # A classifier takes floats as labels only where they are whole; a dummy of ours stands in for one that does not.
    model = LabelsByFirstColumn(labels)
    predictor = ModelPredictor()
    predictor.set_model(LoadedModel(model, metadata(task="classification")))
    predicted = answer(predictor, {"data": [[-1, 0], [1, 0]]})
    assert predicted == labels.tolist()
    assert [type(value) for value in predicted] == [type(label) for label in labels.tolist()]
    assert predictor.classes == labels.tolist()


@pytest.mark.parametrize(
    "model",
    [
        RidgeClassifier().fit(ROWS, ROWS[:, 0] > 0),
        MultiOutputClassifier(LogisticRegression()).fit(ROWS, ROWS > 0),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_classifier_without_probabilities_of_one_output_has_no_classes_to_tell(model: Any) -> None:
    predictor = ModelPredictor()
    predictor.set_model(LoadedModel(model, metadata(task="classification")))
    assert predictor.classes is None
    assert predictor.predict_proba(ROWS) is None
    assert answer(predictor, {"data": ROWS.tolist()}) == model.predict(ROWS).tolist()


def test_a_regression_has_no_probabilities() -> None:
    predictor = ModelPredictor()
    predictor.set_model(LoadedModel(Ridge().fit(ROWS, ROWS[:, 0]), metadata()))
    assert predictor.predict_proba(ROWS) is None


def test_a_regressor_of_several_outputs_answers_a_list_a_row(tmp_path: Path) -> None:
    model = LinearRegression().fit(ROWS, np.column_stack([ROWS, ROWS[:, 0]]))
    predictor = loaded(write_model(tmp_path, model, NUMBERS))
    predicted = answer(predictor, {"data": ROWS[:3].tolist()})
    assert predicted == model.predict(ROWS[:3]).tolist()
    assert np.shape(predicted) == (3, 3)


def test_any_object_with_a_predict_is_served(tmp_path: Path) -> None:
    predictor = loaded(write_model(tmp_path, Mean(), NUMBERS))
    assert answer(predictor, {"data": [[1, 2], [3, 5]]}) == [1.5, 4.0]


def test_an_object_without_predict_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelArtefactError, match="a dict has no predict"):
        load_model(write_model(tmp_path, {"model": 1}, NUMBERS))


def test_pandas_is_imported_for_models_that_take_data_frames_alone(tmp_path: Path) -> None:
    array = write_model(tmp_path / "array", Mean(), NUMBERS)
    frame = write_model(tmp_path / "frame", Mean(), NUMBERS, input="data_frame")
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from service.model_artefacts import load_model\nfrom service.request_body import *\n"
        "schema = RowSchema.of(load_model(Path(sys.argv[1])).metadata)\n"
        "decode(b'{\"data\": [[1, 2]]}', schema, BodyLimits())\n"
        "print('pandas' in sys.modules)"
    )
    for path, imported in ((array, "False"), (frame, "True")):
        run = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
        assert run.stdout.strip() == imported


def test_before_a_model_is_set_requests_are_refused_as_too_early() -> None:
    with pytest.raises(RequestRefusedError) as refused:
        ModelPredictor().predict(ROWS)
    assert (refused.value.status, refused.value.code) == (503, "model_loading")
    assert ModelPredictor().metadata_or_none is None


class Answering:
    """A model that answers the same to whatever it is asked."""

    def __init__(self, answered: Any) -> None:
        self._answered = answered

    def predict(self, _: Any) -> Any:
        return self._answered


class LabelsByFirstColumn:
    """A classifier of two classes."""

    def __init__(self, classes: Any) -> None:
        self.classes_ = classes

    def predict(self, rows: Any) -> Any:
        return self.classes_[(rows[:, 0] > 0).astype(int)]

    def predict_proba(self, rows: Any) -> Any:
        return np.full((len(rows), 2), 0.5)


class WrongProbabilities(LabelsByFirstColumn):
    """A classifier with probabilities of one class more than it has."""

    def predict_proba(self, rows: Any) -> Any:
        return np.full((len(rows), 3), 1 / 3)


def metadata(**more: Any) -> ModelMetadata:
    document = {"name": "any", "version": "1", "model_file": "model", "model_sha256": "0" * 64, "features": NUMBERS}
    return ModelMetadata.model_validate({**document, **more})


def test_probabilities_that_do_not_fit_the_classes_are_refused() -> None:
    predictor = ModelPredictor()
    predictor.set_model(LoadedModel(WrongProbabilities(np.array(["a", "b"])), metadata(task="classification")))
    with pytest.raises(RequestRefusedError, match=r"not numbers of shape \(60, 2\)"):
        predictor.predict_proba(ROWS)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_answer_that_is_not_finite_is_refused_on_the_short_way_too(value: float) -> None:
    predictor = ModelPredictor()
    answered = np.arange(60.0)
    answered[7] = value
    predictor.set_model(LoadedModel(Answering(answered), metadata()))
    with pytest.raises(RequestRefusedError, match="row 7 is not a finite number"):
        predictor.predict(ROWS)


def test_predictions_whose_square_is_infinite_are_answered_all_the_same() -> None:
    predictor = ModelPredictor()
    predictor.set_model(LoadedModel(Answering(np.full(60, 1e300)), metadata()))
    assert predictor.predict(ROWS).tolist() == [1e300] * 60


class Picky:
    def predict(self, rows: Any) -> Any:
        raise ValueError(f"cannot take {rows}")


def test_rows_that_the_model_itself_refuses_are_the_callers_fault_and_not_quoted(tmp_path: Path) -> None:
    metadata = load_model(write_model(tmp_path, Mean(), [{"name": "left"}, {"name": "right"}])).metadata
    predictor = ModelPredictor()
    predictor.set_model(LoadedModel(Picky(), metadata))
    with pytest.raises(RequestRefusedError) as refusal:
        predictor.predict(np.array([[12345.5, 1.0]]))
    assert (refusal.value.status, refusal.value.code) == (422, "refused_by_model")
    assert "12345" not in refusal.value.message

"""Rows as training takes the service to hand them on are as the service does."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from model.features import features_of
from model.served import body_of, rows_served
from model.trained import Trained
from service.model_artefacts import read_metadata
from service.request_body import BodyLimits, decode
from service.row_schema import RowSchema
from tests.lib.own_models import KINDS

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("kind", KINDS)
def test_training_and_the_service_make_the_same_rows_of_a_request(
    examples: Mapping[str, Trained], folders: Mapping[str, Path], kind: str
) -> None:
    body = body_of(examples[kind].test_rows[:20], features_of(examples[kind]))
    served: Any = decode(json.dumps(body).encode(), RowSchema.of(read_metadata(folders[kind])), BodyLimits())
    ours: Any = rows_served(body, features_of(examples[kind]))
    if kind == "data_frame":
        pd.testing.assert_frame_equal(ours, served)
    else:
        assert np.array_equal(ours, served)
        assert ours.dtype == served.dtype


@pytest.mark.parametrize(
    ("values", "described", "dtype"),
    [
        (["a", None], {"type": "string", "nullable": True}, "str"),
        ([True, False], {"type": "boolean"}, "bool"),
        ([True, None], {"type": "boolean", "nullable": True}, "object"),
        ([1, 2], {"type": "number", "minimum": 1.0, "maximum": 2.0}, "float64"),
        ([1.5, None], {"type": "number", "nullable": True, "minimum": 1.5, "maximum": 1.5}, "float64"),
        (pd.Series([1, None], dtype="Int64"), {"type": "number", "nullable": True, "minimum": 1.0, "maximum": 1.0},
         "float64"),
        (pd.Series(["a", "b"], dtype="category"), {"type": "string"}, "str"),
        (pd.Series([True, None], dtype="boolean"), {"type": "boolean", "nullable": True}, "object"),
    ],
    ids=["strings", "truths", "truths, one missing", "whole numbers", "numbers", "Int64", "category", "boolean"],
)  # fmt: skip
def test_a_columns_type_gaps_and_range_come_from_its_values(
    examples: Mapping[str, Trained], values: Any, described: dict[str, Any], dtype: str
) -> None:
    frame = pd.DataFrame({"odd": pd.Series(values, dtype=getattr(values, "dtype", object))})
    features = features_of(replace(examples["data_frame"], train_rows=frame, test_rows=frame))
    assert features[0].described() == {"name": "odd", **described}
    served: Any = rows_served(body_of(frame, features), features)
    assert str(served["odd"].dtype) == dtype


def test_a_gap_in_the_test_rows_alone_makes_a_feature_nullable(examples: Mapping[str, Trained]) -> None:
    rows = np.array([[1.0], [2.0]])
    trained = replace(examples["regression"], features=("x",), train_rows=rows, test_rows=np.array([[np.nan]]))
    assert features_of(trained)[0].described() == {
        "name": "x",
        "type": "number",
        "nullable": True,
        "minimum": 1.0,
        "maximum": 2.0,
    }

"""A model's rows as requests carry them, and as the service hands them to predict() again."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from model.features import Feature, columns_of, is_frame
from model.trained import Rows


def body_of(rows: Rows, features: Sequence[Feature]) -> dict[str, Any]:
    """Return the request that asks for these rows; that of a data frame names its columns."""
    columns = columns_of(rows, [feature.name for feature in features])
    data = [list(row) for row in zip(*columns.values(), strict=True)]
    return {"columns": list(columns), "data": data} if is_frame(rows) else {"data": data}


def rows_served(body: dict[str, Any], features: Sequence[Feature]) -> Rows:
    """Return what the service makes of a request of body_of() and hands to predict().

    It is in service.row_schema, which is no part of this package; a test holds that both make the same.
    """
    if "columns" not in body:
        return np.array(body["data"], dtype=np.float64)
    import pandas as pd  # noqa: PLC0415 - models of arrays are trained without it

    columns = dict(zip(body["columns"], zip(*body["data"], strict=True), strict=True))
    return pd.DataFrame({feature.name: column_served(feature, columns[feature.name]) for feature in features})


def column_served(feature: Feature, values: Sequence[Any]) -> Any:
    import pandas as pd  # noqa: PLC0415 - as above

    if feature.type == "number":
        return np.array(values, dtype=np.float64)  # None becomes NaN
    if feature.type == "boolean" and not feature.nullable:
        return np.array(values, dtype=np.bool_)
    filled = np.empty(len(values), dtype=object)
    filled[:] = [np.nan if value is None else value for value in values]
    return pd.Series(filled, dtype=pd.Series([""]).dtype) if feature.type == "string" else filled

"""Two candidates that a release has to refuse; the demo and the tests make them from a good model.

The service itself refuses the wrong one, which misses the golden requests beside it, and never gets ready; the slow one
answers right, and the load gate refuses it.
"""

import copy
import time
from enum import StrEnum

import numpy as np
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from model.train import Dataset

PAUSE_PER_ROW_S = 0.02
SHIFT = 5.0


class Variant(StrEnum):
    """What is wrong with a candidate, if anything."""

    GOOD = "good"
    SLOW = "slow"
    WRONG = "wrong"


def make_variant(pipeline: Pipeline, variant: Variant, dataset: Dataset) -> Pipeline:
    """Return the pipeline as it is, or one that answers late, or one that answers differently."""
    match variant:
        case Variant.GOOD:
            return pipeline
        case Variant.SLOW:
            return answer_late(pipeline, dataset)
        case Variant.WRONG:
            return answer_differently(pipeline)


def answer_late(pipeline: Pipeline, dataset: Dataset) -> Pipeline:
    """Predict the same, PAUSE_PER_ROW_S later for each row.

    Only importable functions, so that the container, which has none of this code, can load the pipeline: each cell of a
    row is turned into its share of the pause, time.sleep takes it, and the columns it returns are dropped again.
    """
    columns = dataset.train_rows.shape[1]
    pause = make_pipeline(
        FunctionTransformer(np.full_like, kw_args={"fill_value": PAUSE_PER_ROW_S / columns}),
        FunctionTransformer(np.vectorize(time.sleep, otypes=[float], signature="()->()")),
        FunctionTransformer(np.delete, kw_args={"obj": slice(None), "axis": 1}),
    )
    unchanged = FunctionTransformer()
    late = FeatureUnion([("features", unchanged), ("pause", pause)])
    # Fitting on one row does not pause for all of them, and none of the steps learns anything from the rows.
    late.fit(dataset.train_rows[:1])
    return Pipeline([("late", late), *pipeline.steps])


def answer_differently(pipeline: Pipeline) -> Pipeline:
    """Predict SHIFT more than the pipeline that the golden requests were made with."""
    different = copy.deepcopy(pipeline)
    different[-1].intercept_ += SHIFT
    return different

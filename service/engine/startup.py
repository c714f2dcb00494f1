"""From a model's folder to a model that may answer: loaded, shortened, checked and measured."""

import logging
import platform
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from service.engine.batch_plan import ALONE, BatchPlan, plan_batches
from service.engine.exact import exact_model
from service.engine.scoring import ReadyModel
from service.errors import RequestRefusedError
from service.model_artefacts import LoadedModel, ModelMetadata, load_model
from service.model_predictor import Floats, ModelPredictor
from service.request_body import BodyLimits, RowSchema
from service.self_check import check_golden

SAMPLE_ROWS = 64
# As many as the largest batch has: a kernel may round one row in some hundred differently.
PLAN_ROWS = 4096
MAX_PLAN_VALUES = 400_000
# Beyond the range of training, where a direct predictor must hold as well.
WIDER_BY = 0.25

logger = logging.getLogger(__name__)


def prepare_model(model_path: Path, *, exact_predictors: bool, limits: BodyLimits) -> ReadyModel:
    """Return a model that has predicted its golden requests right.

    Takes as long as loading does, and up to half a second more. Raises ModelArtefactError where the model is not the
    one that was trained, cannot be loaded, or predicts otherwise than it did in training.
    """
    started_s = time.perf_counter()
    loaded = load_model(model_path)
    metadata = loaded.metadata
    logger.info(
        "model loaded: %s version %s from %s in %.0f ms, Python %s",
        *(metadata.name, metadata.version, model_path),
        (time.perf_counter() - started_s) * 1000,
        platform.python_version(),
    )
    schema = RowSchema.of(metadata)
    predictor = ModelPredictor()
    predictor.set_model(_shortened(loaded) if exact_predictors and metadata.input == "array" else loaded)
    checked = check_golden(predictor, model_path.parent, schema, limits)
    logger.info("golden requests: %d predicted right", checked)
    return ReadyModel(predictor, schema, _plan(predictor))


def _shortened(loaded: LoadedModel) -> LoadedModel:
    exact = exact_model(loaded.predictor, sample_rows(loaded.metadata))
    logger.info("predictor: %s", "direct, equal to model.predict" if exact else "model.predict")
    return replace(loaded, predictor=exact) if exact else loaded


def _plan(predictor: ModelPredictor) -> BatchPlan:
    if predictor.metadata.input != "array":
        return ALONE
    count = max(SAMPLE_ROWS, min(PLAN_ROWS, MAX_PLAN_VALUES // len(predictor.metadata.features)))
    try:
        plan = plan_batches(predictor.predict, sample_rows(predictor.metadata, count))
    except RequestRefusedError as error:
        # A model that takes whole numbers alone, or none beyond the range of training, is as good as any other.
        logger.warning("batches: every request is predicted alone, as the model refuses sampled rows (%s)", error.code)
        return ALONE
    logger.info(
        "batches: up to %d rows share a call, up to %d are predicted on the event loop (%.3f ms a call, %.4f ms a row)",
        *(plan.batch_rows, plan.inline_rows, plan.call_s * 1000, plan.row_s * 1000),
    )
    return plan


def sample_rows(metadata: ModelMetadata, count: int = SAMPLE_ROWS) -> Floats:
    """Return count x features, the same each time, from the ranges of training and somewhat beyond."""
    bounds = [
        (-1.0 if feature.minimum is None else feature.minimum, 1.0 if feature.maximum is None else feature.maximum)
        for feature in metadata.features
    ]
    lows, highs = np.array(bounds, dtype=np.float64).T
    margin = WIDER_BY * (highs - lows)
    return np.random.default_rng(0).uniform(lows - margin, highs + margin, (count, len(bounds)))

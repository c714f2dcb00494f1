"""The model in memory, and what it answers."""

import logging
import traceback
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from service.errors import RequestRefusedError
from service.model_artefacts import LoadedModel, ModelMetadata
from service.predictions import FLOAT64, Predictions, normalise, prediction_failed

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
# Rows x features, as the metadata's `input` says.
Rows: TypeAlias = "Floats | pd.DataFrame"

logger = logging.getLogger(__name__)


class ModelPredictor:
    """Holds the one model of this process."""

    def __init__(self) -> None:
        self._model: LoadedModel | None = None
        self._classes: list[Any] | None = None

    def set_model(self, model: LoadedModel) -> None:
        """Answer with this model from now on."""
        self._classes = _classes(model)
        self._model = model

    @property
    def metadata(self) -> ModelMetadata:
        """The model's name, version and features; raises RequestRefusedError (503) before there is a model."""
        return self._loaded().metadata

    @property
    def metadata_or_none(self) -> ModelMetadata | None:
        """The same, and None before there is a model."""
        return self._model.metadata if self._model else None

    @property
    def classes(self) -> list[Any] | None:
        """The classes that predict_proba() has columns for, in their order; None where the model has no probabilities.

        They are those of a classifier with one output, predict_proba and classes_.
        """
        return self._classes

    def predict(self, rows: Rows) -> Predictions:
        """Return one prediction, or one list of predictions, for each of the rows.

        Raises RequestRefusedError, 422 where the model raises ValueError, and 503 where it fails in another way or
        answers anything else; see service.predictions.
        """
        answer = self._call(self._loaded().predictor.predict, rows)
        if (
            type(answer) is np.ndarray
            and answer.dtype is FLOAT64
            and answer.shape == (len(rows),)
            and answer.flags.c_contiguous
            and np.count_nonzero(np.isfinite(answer)) == len(rows)  # a third of the cost of all()
        ):
            return answer
        return normalise(answer, len(rows))

    def predict_proba(self, rows: Rows) -> Floats | None:
        """Return rows x classes; None where the model has no probabilities.

        Raises RequestRefusedError (503) where the model fails or answers anything else.
        """
        model = self._loaded()
        if self._classes is None:
            return None
        probabilities = normalise(self._call(model.predictor.predict_proba, rows), len(rows))
        expected_shape = (len(rows), len(self._classes))
        if probabilities.dtype != FLOAT64 or probabilities.shape != expected_shape:
            raise prediction_failed(f"the model's probabilities are not numbers of shape {expected_shape}")
        return probabilities

    def _call(self, predict: Callable[[Rows], Any], rows: Rows) -> Any:
        try:
            return predict(rows)
        except ValueError as error:
            # scikit-learn's way to refuse data: a number beyond 32 bits for a tree, a category unknown in training.
            raise RequestRefusedError(
                HTTPStatus.UNPROCESSABLE_ENTITY, "refused_by_model", "The model takes no such rows.", "data"
            ) from error
        except Exception as error:
            # Not the exception's text: scikit-learn puts values of the request into it.
            frame = traceback.extract_tb(error.__traceback__)[-1]
            logger.error(  # noqa: TRY400 - for the same reason
                "prediction failed: %s in %s, line %s of %s",
                type(error).__name__,
                frame.name,
                frame.lineno,
                frame.filename,
            )
            raise prediction_failed(
                "the model failed on rows that are in order; its log line names the error"
            ) from error

    def _loaded(self) -> LoadedModel:
        if self._model is None:
            raise RequestRefusedError(
                HTTPStatus.SERVICE_UNAVAILABLE, "model_loading", "The model is not loaded yet.", "model"
            )
        return self._model


def _classes(model: LoadedModel) -> list[Any] | None:
    # A classifier of several outputs has a list of such arrays instead.
    classes = getattr(model.predictor, "classes_", None)
    has_probabilities = callable(getattr(model.predictor, "predict_proba", None))
    if model.metadata.task != "classification" or not has_probabilities or not isinstance(classes, np.ndarray):
        return None
    return normalise(classes, len(classes)).tolist() if classes.ndim == 1 else None

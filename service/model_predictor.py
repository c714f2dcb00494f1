"""The model in memory, and what it answers."""

import logging
import traceback
from http import HTTPStatus

import numpy as np
from numpy.typing import NDArray

from service.errors import RequestRefusedError
from service.model_artefacts import LoadedModel, ModelMetadata

Floats = NDArray[np.float64]

logger = logging.getLogger(__name__)


class ModelPredictor:
    """Holds the one model of this process."""

    def __init__(self) -> None:
        self._model: LoadedModel | None = None

    def set_model(self, model: LoadedModel) -> None:
        """Answer with this model from now on."""
        self._model = model

    @property
    def metadata(self) -> ModelMetadata:
        """The model's name, version and features; raises RequestRefusedError (503) before there is a model."""
        return self._loaded().metadata

    @property
    def metadata_or_none(self) -> ModelMetadata | None:
        """The same, and None before there is a model."""
        return self._model.metadata if self._model else None

    def predict(self, rows: Floats) -> list[float]:
        """Return one finite prediction for each of the rows (rows x features).

        Raises RequestRefusedError (503) where the model fails or answers anything else.
        """
        model = self._loaded()
        try:
            predictions = np.asarray(model.predictor.predict(rows), dtype=np.float64)
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
            raise _prediction_failed(
                "the model failed on rows that are in order; its log line names the error"
            ) from error
        if predictions.shape != (len(rows),):
            raise _prediction_failed(
                f"the model answered {predictions.shape} to {len(rows)} rows, one number a row expected"
            )
        finite = np.isfinite(predictions)
        if not finite.all():
            raise _prediction_failed(f"the model's prediction for row {int(np.argmin(finite))} is not a finite number")
        return list(map(float, predictions))

    def _loaded(self) -> LoadedModel:
        if self._model is None:
            raise RequestRefusedError(
                HTTPStatus.SERVICE_UNAVAILABLE, "model_not_loaded", "No model has been loaded.", "model"
            )
        return self._model


def _prediction_failed(message: str) -> RequestRefusedError:
    return RequestRefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "prediction_failed", message.capitalize() + ".", "model")

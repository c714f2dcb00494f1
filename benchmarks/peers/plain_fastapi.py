"""The plain FastAPI design: a pydantic model, a `def` endpoint, model.predict; served by `uvicorn` as it is."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import joblib
import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel


class ScoreRequest(BaseModel):
    """Rows of numbers."""

    data: list[list[float]]


class ModelPredictor:
    """The model of this process."""

    model: Any = None

    @classmethod
    def set_model(cls, model: Any) -> None:
        cls.model = model

    @classmethod
    def predict(cls, rows: list[list[float]]) -> list[float]:
        predictions: list[float] = cls.model.predict(np.array(rows)).tolist()
        return predictions


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    ModelPredictor.set_model(joblib.load(os.environ["AZUREML_MODEL_PATH"]))
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/")
def health() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/score")
def score(request: ScoreRequest) -> list[float]:
    return ModelPredictor.predict(request.data)

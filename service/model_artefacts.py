"""The folder that training wrote: where the model is, whether it is the one that was trained, and the model itself."""

import hashlib
import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import BaseModel, ConfigDict, Field, ValidationError

METADATA_FILE = "metadata.json"

logger = logging.getLogger(__name__)


class ModelArtefactError(Exception):
    """The model's folder cannot be served."""


class Feature(BaseModel):
    """One column of a request's rows."""

    model_config = ConfigDict(frozen=True)

    name: str


class ModelMetadata(BaseModel):
    """What the service needs of metadata.json; keys that are for others are ignored."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(pattern=r"^[\x21-\x7e]+$")  # they go out in response headers
    version: str = Field(pattern=r"^[\x21-\x7e]+$")
    model_file: str = Field(pattern=r"^[^/\\]+$")
    model_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    features: tuple[Feature, ...] = Field(min_length=1)


@dataclass(frozen=True)
class LoadedModel:
    """A model in memory; `predictor` has a predict() that takes rows x features."""

    predictor: Any
    metadata: ModelMetadata


def find_model(model_dir: Path) -> Path:
    """Return the model file in the folder, or in its single sub-folder, as a model registered as a folder has one.

    Raises ModelArtefactError where there is none.
    """
    folder = _artefact_folder(model_dir)
    model_path = folder / read_metadata(folder).model_file
    if not model_path.is_file():
        raise ModelArtefactError(f"model: {model_path} does not exist; {METADATA_FILE} beside it names it")
    return model_path


def read_metadata(folder: Path) -> ModelMetadata:
    """Raise ModelArtefactError where metadata.json is missing or not what training writes."""
    path = folder / METADATA_FILE
    try:
        return ModelMetadata.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ModelArtefactError(f"model: {path} cannot be read ({error.strerror}); train the model again") from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise ModelArtefactError(f"model: {path} is not valid ({faults}); train the model again") from error


def load_model(model_path: Path) -> LoadedModel:
    """Load the model with joblib, after its checksum matched: a pickle runs code, so only the trained one is opened.

    Raises ModelArtefactError where it is another file than was trained or cannot be loaded.
    """
    metadata = read_metadata(model_path.parent)
    try:
        with model_path.open("rb") as model_file:
            sha256 = hashlib.file_digest(model_file, "sha256").hexdigest()
            if sha256 != metadata.model_sha256:
                raise ModelArtefactError(
                    f"model: {model_path} is not the file that was trained "
                    f"(sha256 {sha256} vs {metadata.model_sha256}); deploy the folder that training wrote, unchanged"
                )
            model_file.seek(0)
            predictor = _load(model_file)
    except OSError as error:
        raise ModelArtefactError(f"model: {model_path} cannot be read ({error.strerror})") from error
    return LoadedModel(predictor, metadata)


def _artefact_folder(model_dir: Path) -> Path:
    if (model_dir / METADATA_FILE).is_file():
        return model_dir
    if not model_dir.is_dir():
        raise ModelArtefactError(
            f"model: {model_dir} is not a folder; set AZUREML_MODEL_DIR to the trained model's folder"
        )
    sub_folders = sorted(path for path in model_dir.iterdir() if path.is_dir())
    if len(sub_folders) == 1 and (sub_folders[0] / METADATA_FILE).is_file():
        return sub_folders[0]
    raise ModelArtefactError(
        f"model: no {METADATA_FILE} in {model_dir} or a single folder in it ({len(sub_folders)} folders vs 1); "
        "set AZUREML_MODEL_DIR to the trained model's folder"
    )


def _load(model_file: BinaryIO) -> Any:
    import joblib  # noqa: PLC0415 - only the engine loads; score.init() finds the model without this import's memory

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            predictor = joblib.load(model_file)
        except Exception as error:  # a pickle may raise anything
            raise ModelArtefactError(
                f"model: joblib cannot load it ({type(error).__name__}: {error}); "
                "train it with the library versions of requirements/service.txt"
            ) from error
    for warning in caught:
        logger.warning("model loads with a warning: %s", warning.message)
    return predictor

"""The folder that training wrote: where the model is, whether it is the one that was trained, and the model itself."""

import hashlib
import importlib.util
import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

from service.libraries import LibraryMismatchError, check_libraries
from service.model_code import ModelCodeError, make_importable

METADATA_FILE = "metadata.json"
CodePath = Annotated[str, Field(pattern=r"^(?:\w+/)*\w+\.py$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

logger = logging.getLogger(__name__)


class ModelArtefactError(Exception):
    """The model's folder cannot be served."""


class Feature(BaseModel):
    """One column of a request's rows.

    `minimum` and `maximum` are those of the training rows. A nullable feature takes null, which the model gets as NaN.
    """

    model_config = ConfigDict(frozen=True)

    name: str = Field(min_length=1)
    type: Literal["number", "string", "boolean"] = "number"
    nullable: bool = False
    minimum: FiniteFloat | None = None
    maximum: FiniteFloat | None = None

    @model_validator(mode="after")
    def _check_range(self) -> Self:
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"minimum is above maximum ({self.minimum} vs {self.maximum})")
        return self


class ModelMetadata(BaseModel):
    """What the service needs of metadata.json; keys that are for others are ignored.

    `input` is what the model's predict() takes: an array of float64 (rows x features), or a pandas data frame with the
    features' names in their order. `libraries` maps packages of training to their versions, `code_files` modules of the
    model's own, by their path within code/, to their checksums.
    """

    model_config = ConfigDict(frozen=True)

    name: str = Field(pattern=r"^[\x21-\x7e]+$")  # they go out in response headers
    version: str = Field(pattern=r"^[\x21-\x7e]+$")
    model_file: str = Field(pattern=r"^[^/\\]+$")
    model_sha256: Sha256
    golden_requests_file: str | None = Field(default=None, pattern=r"^[^/\\]+$")
    task: Literal["regression", "classification"] = "regression"
    input: Literal["array", "data_frame"] = "array"
    features: tuple[Feature, ...] = Field(min_length=1)
    libraries: dict[str, str] = Field(default_factory=dict)
    code_files: dict[CodePath, Sha256] = Field(default_factory=dict)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The columns' names, in their order."""
        return tuple(feature.name for feature in self.features)

    @model_validator(mode="after")
    def _check_features(self) -> Self:
        names = self.feature_names
        if len(set(names)) < len(names):
            raise ValueError(f"a feature is named twice ({next(name for name in names if names.count(name) > 1)!r})")
        if self.input == "array" and any(feature.type != "number" for feature in self.features):
            raise ValueError('an array holds numbers alone; features of another type need "input": "data_frame"')
        return self


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

    The same holds for modules that it brings along. Raises ModelArtefactError where one of these is another file than
    was trained, where it needs other libraries, or cannot be loaded.
    """
    metadata = read_metadata(model_path.parent)
    _check_environment(metadata)
    try:
        make_importable(model_path.parent, metadata.code_files)
        with model_path.open("rb") as model_file:
            sha256 = hashlib.file_digest(model_file, "sha256").hexdigest()
            if sha256 != metadata.model_sha256:
                raise ModelArtefactError(
                    f"model: {model_path} is not the file that was trained "
                    f"(sha256 {sha256} vs {metadata.model_sha256}); deploy the folder that training wrote, unchanged"
                )
            model_file.seek(0)
            predictor = _load(model_file)
    except ModelCodeError as error:
        raise ModelArtefactError(f"model: {error}") from error
    except OSError as error:
        raise ModelArtefactError(f"model: {model_path} cannot be read ({error.strerror})") from error
    _check_fit(predictor, metadata)
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


def _check_environment(metadata: ModelMetadata) -> None:
    try:
        check_libraries(metadata.libraries)
    except LibraryMismatchError as error:
        raise ModelArtefactError(f"model: {error}") from error
    if metadata.input == "data_frame" and importlib.util.find_spec("pandas") is None:
        raise ModelArtefactError(
            "model: it takes data frames, and pandas is not installed; build the image with requirements/frames.txt"
        )


def _check_fit(predictor: Any, metadata: ModelMetadata) -> None:
    """Hold what a scikit-learn model remembers of its training rows against the features that callers are told of."""
    if not callable(getattr(predictor, "predict", None)):
        raise ModelArtefactError(f"model: a {type(predictor).__name__} has no predict(); dump the model itself")
    if metadata.input == "data_frame":
        return  # by name, and a pipeline may leave columns out: the golden requests show whether it takes them
    width = getattr(predictor, "n_features_in_", None)
    if width is not None and width != len(metadata.features):
        raise ModelArtefactError(
            f"model: {METADATA_FILE} names another number of features than the model was fitted on "
            f"({len(metadata.features)} vs {width}); train the model again"
        )
    fitted_names = getattr(predictor, "feature_names_in_", None)
    if fitted_names is None:
        return
    if tuple(fitted_names) != metadata.feature_names:
        raise ModelArtefactError(
            f"model: it was fitted on a data frame whose columns are not {METADATA_FILE}'s features in their order "
            f"({', '.join(map(str, fitted_names))} vs {', '.join(metadata.feature_names)}); train the model again"
        )
    # The names are the same and in the same order; scikit-learn would say so with every prediction.
    warnings.filterwarnings("ignore", "X does not have valid feature names", UserWarning)


def _load(model_file: BinaryIO) -> Any:
    import joblib  # noqa: PLC0415 - only the engine loads; score.init() finds the model without this import's memory

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            predictor = joblib.load(model_file)
        except Exception as error:  # a pickle may raise anything
            # A class that is not found; a module of a library, and a class of it, mean that this is another version.
            advice = (
                "install that module, by requirements/service.txt, or put it into model/code/, which travels with the "
                "model, and train again"
                if isinstance(error, ModuleNotFoundError) or "__main__" in str(error)
                else "train it with the library versions of requirements/service.txt"
            )
            raise ModelArtefactError(
                f"model: joblib cannot load it ({type(error).__name__}: {error}); {advice}"
            ) from error
    for message in dict.fromkeys(str(warning.message) for warning in caught):  # a forest repeats it for each tree
        logger.warning("model loads with a warning: %s", message)
    return predictor

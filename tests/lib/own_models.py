"""The examples of model/examples by kind, as a fork would have them for its model."""

import importlib
from pathlib import Path

from model.artefacts import write_artefacts
from model.faulty import Variant
from model.trained import Trained

KINDS = ("regression", "classifier", "data_frame", "plain_object")


def train_example(kind: str, rows_share: float = 1.0) -> Trained:
    """Train an example."""
    trained = importlib.import_module(f"model.examples.{kind}").train(rows_share)
    assert isinstance(trained, Trained)
    return trained


def write_example(
    folder: Path, kind: str, version: str = "1", variant: Variant = Variant.GOOD, *, rows_share: float = 1.0
) -> Path:
    """Train an example, write its files into `folder` and return it."""
    write_artefacts(folder, version=version, trained=train_example(kind, rows_share), variant=variant)
    return folder

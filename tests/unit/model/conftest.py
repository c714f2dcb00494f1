import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from model.trained import Trained
from tests.lib.own_models import KINDS, train_example, write_example


@pytest.fixture(scope="package", autouse=True)
def path() -> Iterator[None]:
    """Leave sys.path as it was: the service adds the folders of the models that it loads."""
    before = [*sys.path]
    yield
    sys.path[:] = before


@pytest.fixture(scope="package")
def examples() -> Mapping[str, Trained]:
    """The examples by kind, trained once."""
    return {kind: train_example(kind) for kind in KINDS}


@pytest.fixture(scope="package")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """The folder of each example, for tests that only read it."""
    return {kind: write_example(tmp_path_factory.mktemp(kind), kind, "7") for kind in KINDS}

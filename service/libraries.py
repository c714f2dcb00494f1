"""The libraries that a model was trained with, held against those that are installed here."""

import logging
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

# Its pickles hold its own inner state: another minor version may load one and predict something else.
STRICT = "scikit-learn"

logger = logging.getLogger(__name__)


class LibraryMismatchError(Exception):
    """The model was trained with a library version that this process cannot stand in for."""


def check_libraries(trained_with: Mapping[str, str]) -> None:
    """Refuse another minor version of scikit-learn; warn of another patch of it, and of another major of the rest.

    `trained_with` maps names of packages to versions. Raises LibraryMismatchError.
    """
    for name, trained in trained_with.items():
        installed = _installed(name)
        if name == STRICT:
            _check_strict(name, trained, installed)
        elif installed is not None and _part(trained, 1) != _part(installed, 1):
            logger.warning("model was trained with %s %s, and %s is installed", name, trained, installed)


def _check_strict(name: str, trained: str, installed: str | None) -> None:
    if installed is None or _part(trained, 2) != _part(installed, 2):
        raise LibraryMismatchError(
            f"trained with another {name} ({trained} vs {installed or 'none'} installed); "
            f"train it again with {installed or 'the installed libraries'}, "
            f"or build the image with {name} {_part(trained, 2)}"
        )
    if trained != installed:
        logger.warning("model was trained with %s %s, and %s is installed", name, trained, installed)


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:  # not a package, as python; or one of training alone: if not, loading will say so
        return None


def _part(full: str, parts: int) -> str:
    return ".".join(full.split(".")[:parts])

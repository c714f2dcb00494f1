"""Modules that a model brings along: whether they are those that training wrote, and where Python finds them."""

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path

CODE_FOLDER = "code"
UNCHANGED = "deploy the folder that training wrote, unchanged"


class ModelCodeError(Exception):
    """The model's modules are not those that it was trained with."""


def make_importable(folder: Path, code_files: Mapping[str, str]) -> None:
    """Let Python find the modules in the model's folder, after everything else that it finds.

    `code_files` maps their paths within code/ to their checksums. Raises ModelCodeError where one is missing, another,
    or not among them.
    """
    if not code_files:
        return
    code = folder / CODE_FOLDER
    found = {path.relative_to(code).as_posix(): path for path in code.rglob("*.py")}
    if more := sorted(found.keys() - code_files.keys()):
        raise ModelCodeError(f"{code / more[0]} is not of the model's modules; {UNCHANGED}")
    for name, trained in code_files.items():
        if name not in found:
            raise ModelCodeError(f"{code / name} is missing, a module of the model; {UNCHANGED}")
        sha256 = hashlib.sha256(found[name].read_bytes()).hexdigest()
        if sha256 != trained:
            raise ModelCodeError(
                f"{code / name} is not the module that the model was trained with (sha256 {sha256} vs {trained}); "
                f"{UNCHANGED}"
            )
    if str(code) not in sys.path:
        # Last, so that none of them can stand in for a module of the service or of a library.
        sys.path.append(str(code))

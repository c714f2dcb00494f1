"""`python -m model new`: a whole model/train.py to edit, from the example of its kind."""

import ast
import re
import subprocess
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from model.artefacts import check_name
from model.errors import ModelError

ROOT = Path(__file__).resolve().parent.parent
TRAIN_FILE = "model/train.py"
CODE_FOLDER = "model/code"
EXAMPLES = "model/examples"
NEXT_STEPS = """Next:
  1. Edit {files}: read your rows, fit your model, say what it is for.
  2. make model         trains it into artifacts/model; what cannot be served is refused with the reason
  3. make model-card    writes model/MODEL_CARD.md anew
  4. make demo          releases it on this machine, beside one trained on fewer rows
  5. git add model && git commit -m "The model is {name}"
docs/model.md tells what a request looks like, and how a library or a class of your own gets into the image."""


class Kind(StrEnum):
    """Which example to begin with."""

    REGRESSION = "regression"
    CLASSIFIER = "classifier"
    DATA_FRAME = "data-frame"
    PLAIN_OBJECT = "plain-object"


def new_model(name: str, kind: Kind, *, force: bool = False, root: Path = ROOT) -> list[str]:
    """Write the files of a new model and return their paths from the root.

    Raises ModelError, before anything is written, for what is no name, and where a file has changes that git does not
    have; unless `force`.
    """
    check_name(name)
    files = files_of(name, kind, root)
    unsaved = [] if force else [path for path in files if would_be_lost(root, path)]
    if unsaved:
        raise ModelError(
            f"{', '.join(unsaved)}: git does not have all of what is there, and it would be lost; commit it or move it "
            "away, or give --force to write over it (make new-model ... ARGS=--force)"
        )
    for path, text in files.items():
        (root / path).write_text(text, encoding="utf-8")
    return list(files)


def files_of(name: str, kind: Kind, root: Path = ROOT) -> Mapping[str, str]:
    """Return the texts of a new model's files by their paths: train.py, and a module for a class of its own."""
    train = (root / EXAMPLES / f"{kind.replace('-', '_')}.py").read_text(encoding="utf-8")
    train = re.sub(r'(?m)^NAME = ".*"$', f'NAME = "{name}"', train, count=1)
    of_its_own = re.search(rf"from {EXAMPLES.replace('/', '.')}\.code\.(\w+) import", train)
    if of_its_own is None:
        return {TRAIN_FILE: train}
    module = f"{name.replace('-', '_').lower()}_model"
    code = (root / EXAMPLES / "code" / f"{of_its_own[1]}.py").read_text(encoding="utf-8")
    train = train.replace(of_its_own[0], f"from {CODE_FOLDER.replace('/', '.')}.{module} import")
    return {TRAIN_FILE: train, f"{CODE_FOLDER}/{module}.py": code}


def would_be_lost(root: Path, path: str) -> bool:
    """Say whether a file has something that git does not; without git, whether it is more than the name of an example.

    A file that is not there has nothing to lose.
    """
    if not (root / path).exists():
        return False
    asked = ["git", "status", "--porcelain", "--ignored", "--", path]
    try:
        status = subprocess.run(asked, cwd=root, capture_output=True, text=True, check=False)
    except OSError:  # no git here
        return defines_something(root / path)
    return bool(status.stdout) if status.returncode == 0 else defines_something(root / path)


def defines_something(path: Path) -> bool:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError:
        return True
    return any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) for node in ast.walk(tree))

"""`python -m model train` and `card`."""

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from model.__main__ import main, trained_by
from model.errors import ModelError
from tests.lib.own_models import train_example

pytestmark = pytest.mark.unit


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the command line in this process and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["python -m model", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_train_says_what_came_of_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--version", "3", "--output", str(tmp_path), "--module", "model.examples.classifier")
    assert run(monkeypatch, "train", *arguments, "--rows-share", "0.5") == 0
    assert capsys.readouterr().out.startswith("iris 3: accuracy ")
    metadata = json.loads((tmp_path / "metadata.json").read_text())
    assert metadata["version"] == "3"
    assert metadata["metrics"]["rows_trained"] == 60


def test_card_writes_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folders: dict[str, Path]) -> None:
    card = tmp_path / "card.md"
    assert run(monkeypatch, "card", "--model-dir", str(folders["classifier"]), "--output", str(card)) == 0
    assert "| version | 7 |" in card.read_text()


def test_an_expected_error_is_one_sentence_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "card", "--model-dir", str(tmp_path), "--output", str(tmp_path / "card.md")) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: card: ")
    assert len(said.err.splitlines()) == 1


@pytest.mark.parametrize("rows_share", ["0", "1.5"])
def test_a_share_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rows_share: str) -> None:
    assert run(monkeypatch, "train", "--version", "1", "--output", str(tmp_path), "--rows-share", rows_share) == 2


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (None, r"module: own has no train\(\)"),
        (lambda rows_share: {"rows": rows_share}, r"train\(\) of own answers a dict; let it answer a model\.trained"),
    ],
)
def test_a_module_that_trains_no_model_is_refused(monkeypatch: pytest.MonkeyPatch, train: Any, message: str) -> None:
    own = ModuleType("own")
    own.train = train  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "own", own)
    with pytest.raises(ModelError, match=message):
        trained_by("own", 1.0)


def test_a_module_that_is_not_there_is_named() -> None:
    with pytest.raises(ModelError, match=r"module: model\.gone cannot be imported"):
        trained_by("model.gone", 1.0)


def test_the_share_of_the_rows_reaches_train() -> None:
    trained = trained_by("model.examples.regression", 0.5)
    assert len(trained.train_rows) == len(train_example("regression", 0.5).train_rows) == 176

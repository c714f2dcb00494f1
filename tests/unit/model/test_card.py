"""The model card says what the metadata say, and the committed one what this commit trains."""

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from model.__main__ import CARD, OWN_MODULE, trained_by
from model.artefacts import write_artefacts
from model.card import card_of
from model.errors import ModelError
from tests.lib.own_models import KINDS

pytestmark = pytest.mark.unit
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]\d+)?")


def same_but_for_the_last_digits(card: str, other: str) -> bool:
    """Tell whether two cards have the same words, and numbers that another BLAS may make of the same rows."""
    numbers = zip(NUMBER.findall(card), NUMBER.findall(other), strict=False)
    return NUMBER.sub("0", card) == NUMBER.sub("0", other) and all(
        math.isclose(float(each), float(another), rel_tol=2e-3) for each, another in numbers
    )


def test_the_committed_card_is_of_the_model_that_is_trained_here(tmp_path: Path) -> None:
    write_artefacts(tmp_path, version="1", trained=trained_by(OWN_MODULE, 1.0))
    card = card_of(tmp_path, for_commit=True)
    assert same_but_for_the_last_digits(CARD.read_text(encoding="utf-8"), card), (
        f"{CARD.name} is not of the model that model/train.py trains; run: make model-card\n\n{card}"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_card_has_each_number_of_the_metadata(folders: Mapping[str, Path], kind: str) -> None:
    metadata = json.loads((folders[kind] / "metadata.json").read_text())
    card = card_of(folders[kind])
    for name, value in metadata["metrics"].items():
        assert f"| {name} | {value:.4g} |" in card
    for feature in metadata["features"]:
        missing = "yes" if feature.get("nullable") else "no"
        ends = f"{feature['minimum']:.4g} to {feature['maximum']:.4g}" if "minimum" in feature else "-"
        assert f"| {feature['name']} | {feature['type']} | {missing} | {ends} |" in card
    for key in ("name", "version", "task", "target", "data", "intended_use", "limits", "model_sha256", "trained_at"):
        assert metadata[key] in card
    for library, version in metadata["libraries"].items():
        assert f"{library} {version}" in card
    assert "13 requests with 20 rows" in card


def test_a_card_for_a_commit_leaves_out_what_the_next_training_changes(folders: Mapping[str, Path]) -> None:
    metadata = json.loads((folders["regression"] / "metadata.json").read_text())
    card = card_of(folders["regression"], for_commit=True)
    assert metadata["model_sha256"] not in card
    assert metadata["trained_at"] not in card
    assert "libraries" not in card
    assert "| version |" not in card


def test_a_card_is_told_from_another_by_one_number_or_one_word(folders: Mapping[str, Path]) -> None:
    card = card_of(folders["regression"])
    assert same_but_for_the_last_digits(card, card.replace("42.06", "42.07"))
    assert not same_but_for_the_last_digits(card, card.replace("42.06", "44.06"))
    assert not same_but_for_the_last_digits(card, card.replace("| age |", "| years |"))
    assert not same_but_for_the_last_digits(card, f"{card}1")


def test_text_in_a_cell_cannot_break_its_table(folders: Mapping[str, Path], tmp_path: Path) -> None:
    for name in ("metadata.json", "golden_requests.json"):
        text = (folders["regression"] / name).read_text()
        (tmp_path / name).write_text(text.replace("disease progression one year", "a | b\\none year"))
    assert r"| predicts | a \| b one year after" in card_of(tmp_path)


def test_a_folder_that_training_did_not_write_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"card: .*metadata\.json is not what training writes"):
        card_of(tmp_path)

"""What cannot be served is refused in training, with the column, the value and what to do."""

import datetime as dt
import importlib
import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from model import needed
from model.artefacts import write_artefacts
from model.errors import ModelError
from model.trained import Trained
from tests.lib.plain_model import Mean

pytestmark = pytest.mark.unit
FRAME = pd.DataFrame({"size": [1.0, 2.0, 3.0], "city": ["Bern", "Rome", "Rome"]})


class Told:
    """Answers what it is told to."""

    def __init__(self, answer: Callable[[Any], Any] = lambda rows: [1.0] * len(rows)) -> None:
        self.predict = answer


def trained(model: Any, rows: Any = FRAME, **changes: Any) -> Trained:
    return replace(
        Trained(
            name="any",
            model=model,
            task="regression",
            target="anything",
            train_rows=rows,
            test_rows=rows,
            metrics={},
            data="",
            intended_use="",
            limits="",
        ),
        **changes,
    )


def refused(trained_model: Trained, folder: Path, version_named: str = "1") -> str:
    """Return the one line that a model is refused with, before anything is written."""
    with pytest.raises(ModelError) as caught:
        write_artefacts(folder / "model", version=version_named, trained=trained_model)
    assert not (folder / "model").exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def move_mean(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """Let the class be one of that module."""
    monkeypatch.setattr(Mean, "__module__", module)
    monkeypatch.setattr(importlib.import_module(module), "Mean", Mean, raising=False)


def with_column(values: list[Any], **options: Any) -> Trained:
    return trained(Told(), FRAME.assign(odd=pd.Series(values, **options)))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            ["a", 2, "c"],
            (
                "column odd is 2 in train_rows, row 1 and 'a' in train_rows, row 0, values of two types; make all of "
                "them one before training, as by astype(str)"
            ),
        ),
        ([True, 1, False], "column odd is 1 in train_rows, row 1 and True in train_rows, row 0, values of two types"),
        (
            [dt.date(2026, 1, 5)] * 3,
            "column odd is datetime.date(2026, 1, 5) in train_rows, row 0, and JSON has no dates; make it a number",
        ),
        ([[1], [2], [3]], "column odd is [1] in train_rows, row 0, a list; numbers, strings and truth values"),
        ([1.0, np.inf, 2.0], "column odd is inf in train_rows, row 1, which JSON does not have; make it a missing"),
        ([None, None, None], "column odd has no value at all; leave it out"),
    ],
    ids=["mixed", "truth beside number", "dates", "lists", "infinite", "empty"],
)
def test_a_column_that_no_request_can_carry(tmp_path: Path, values: list[Any], message: str) -> None:
    assert message in refused(with_column(values, dtype=object), tmp_path)


def test_a_column_of_pandas_own_dates(tmp_path: Path) -> None:
    message = refused(with_column(["2026-01-05"] * 3, dtype="datetime64[ns]"), tmp_path)
    assert "column odd is Timestamp('2026-01-05 00:00:00')" in message
    assert "JSON has no dates" in message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test_rows": FRAME.rename(columns={"city": "town"})}, "test_rows has other columns than train_rows"),
        ({"test_rows": np.ones((2, 2))}, "train_rows and test_rows are not of one kind"),
        ({"test_rows": FRAME[:0]}, "test_rows has no row; hold some back"),
        ({"train_rows": FRAME.rename(columns={"city": 3})}, "the column 3 is no string"),
        ({"train_rows": FRAME.rename(columns={"city": "size"})}, "the column 'size' is there twice"),
        ({"metrics": {"r2": float("nan")}}, "metrics: r2 is nan, which JSON does not have"),
        ({"task": "ranking"}, "task: 'ranking' is none; it is regression or classification"),
        ({"name": "churn_1"}, "name: 'churn_1' is none; take up to 32 letters, digits and dashes, a letter first"),
    ],
    ids=["other columns", "two kinds", "no test row", "number as name", "name twice", "metric", "task", "name"],
)
def test_rows_names_and_metrics_that_do_not_fit(tmp_path: Path, changes: Mapping[str, Any], message: str) -> None:
    assert message in refused(trained(Told(), **changes), tmp_path)


def test_a_version_that_cannot_be_an_images_tag(tmp_path: Path) -> None:
    assert "version: 'a b' is none" in refused(trained(Told()), tmp_path, "a b")


@pytest.mark.parametrize(
    ("rows", "features", "message"),
    [
        (np.array([["a"], ["b"]]), ("x",), "of shape (2, 1) and type <U1 is no table of numbers; strings"),
        (np.ones(3), ("x",), "of shape (3,) and type float64 is no table"),
        (np.ones((3, 2)), ("x",), "1 names (1 different ones) for 2 columns; name each column of the array once"),
        (np.ones((3, 2)), ("x", "x"), "2 names (1 different ones) for 2 columns"),
    ],
    ids=["strings", "one dimension", "too few names", "a name twice"],
)
def test_an_array_that_is_no_table_of_named_numbers(
    tmp_path: Path, rows: Any, features: tuple[str, ...], message: str
) -> None:
    assert message in refused(trained(Told(), rows, features=features), tmp_path)


def test_a_model_without_predict(tmp_path: Path) -> None:
    assert "model: a dict has no predict(); give the model itself" in refused(trained({}), tmp_path)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda rows: np.full(len(rows), np.nan), "row 0 of a golden request is predicted nan (a float), which JSON"),
        (lambda rows: [None] * len(rows), "is predicted None (a NoneType), which JSON does not have"),
        (lambda rows: [dt.date(2026, 1, 5)] * len(rows), "is predicted datetime.date(2026, 1, 5) (a date)"),
        (lambda rows: [[]] * len(rows), "is predicted [] (a list)"),
        (lambda _: [1.0, 2.0], "predict() answers 2 predictions for 1 rows; answer one, or one list of them"),
        (lambda _: "yes", "predict() answers a str; make it an array, a data frame or a list"),
        (lambda rows: rows["gone"], "predict() fails on the rows of golden-00 as the service hands them (KeyError"),
    ],
    ids=["NaN", "nothing", "a date", "an empty list", "too many", "no list", "fails"],
)
def test_predictions_that_json_cannot_carry(tmp_path: Path, answer: Callable[[Any], Any], message: str) -> None:
    assert message in refused(trained(Told(answer)), tmp_path)


def test_predictions_that_differ_when_asked_twice(tmp_path: Path) -> None:
    numbers = count(1)
    message = refused(trained(Told(lambda rows: [next(numbers) for _ in range(len(rows))])), tmp_path)
    assert (
        "row 0 of golden-00 is predicted 1 and, asked again, 2; let predict() answer the same row the same" in message
    )


def test_a_model_that_tells_categories_from_strings(tmp_path: Path) -> None:
    rows = FRAME.assign(city=FRAME["city"].astype("category"))
    message = refused(trained(Told(lambda asked: [str(asked["city"].dtype)] * len(asked)), rows), tmp_path)
    assert "is predicted 'str' as the service hands it, and 'category' as it is in test_rows; train on rows" in message


def test_probabilities_that_are_not_one_for_each_class(tmp_path: Path) -> None:
    model = Told(lambda rows: ["a"] * len(rows))
    model.classes_ = np.array(["a", "b"])  # type: ignore[attr-defined]
    model.predict_proba = lambda rows: [[1.0]] * len(rows)  # type: ignore[attr-defined]
    message = refused(trained(model, task="classification"), tmp_path)
    assert "predict_proba() does not answer 2 probabilities a row" in message


@pytest.mark.parametrize("module", ["__main__", "model.train", "tests.lib.plain_model"])
def test_a_class_that_does_not_travel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    move_mean(monkeypatch, module)
    message = refused(trained(Mean(), np.ones((2, 1)), features=("x",)), tmp_path)
    assert f"Mean is in {module}, which is not where the model is served; move it to a module in model/code/" in message


def test_a_function_without_a_name(tmp_path: Path) -> None:
    message = refused(trained(Told()), tmp_path)
    assert message.startswith("model: it cannot be pickled (")
    assert "so move it to a module in model/code/" in message
    assert message.endswith("a lambda has none")


def test_a_library_that_is_not_in_the_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    move_mean(monkeypatch, "pytest")
    message = refused(trained(Mean(), np.ones((2, 1)), features=("x",)), tmp_path)
    assert "it needs pytest, which is not in requirements/service.txt" in message
    assert message.endswith("add it to the group service of pyproject.toml and run make lock")


# Modules that travel


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with the locks of this one, and nothing in model/code/ yet."""
    root = tmp_path / "repository"
    (root / "model" / "code").mkdir(parents=True)
    (root / "model" / "code" / "__init__.py").touch()
    (root / "requirements").mkdir()
    for lock in needed.LOCKS:
        (root / lock).write_text((needed.ROOT / lock).read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(needed, "ROOT", root)
    return root


def needed_with(monkeypatch: pytest.MonkeyPatch, repository: Path, **modules: str) -> needed.Needed:
    """Return what Mean needs where it is in model/code/own.py beside these modules."""
    for name, text in modules.items():
        path = repository / "model" / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(text, encoding="utf-8")
    monkeypatch.setitem(sys.modules, "model.code.own", ModuleType("model.code.own"))
    move_mean(monkeypatch, "model.code.own")
    return needed.needed_by(Mean(), takes_frames=False)


def test_all_of_a_code_package_travels_and_its_libraries_are_named(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = "import json\nimport numpy as np\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pandas\n"
    found = needed_with(monkeypatch, repository, code__own=own, code__deep__beside="from sklearn import base\n")
    assert set(found.code) == {
        "model/code/__init__.py",
        "model/code/own.py",
        "model/code/deep/__init__.py",
        "model/code/deep/beside.py",
    }
    assert set(found.libraries) == {"python", "joblib", "numpy", "scikit-learn"}


def test_a_code_package_that_another_imports_travels_too(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = needed_with(
        monkeypatch, repository, code__own="from ..shared.code import units\n", shared__code__units="METRES = 1\n"
    )
    assert "model/shared/code/units.py" in found.code


@pytest.mark.parametrize("line", ["import model.train", "from model import train", "from ..train import ALPHA"])
def test_a_module_that_travels_may_not_import_one_that_does_not(
    repository: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    with pytest.raises(ModelError, match=re.escape("model/code/own.py imports model.train, which is not where")):
        needed_with(monkeypatch, repository, code__own=f"{line}\n")


def test_a_library_that_only_a_module_of_ones_own_imports_has_to_be_in_the_image(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match=r"it needs pandas.*or give train_rows as a data frame"):
        needed_with(monkeypatch, repository, code__own="import pandas\n")


def test_parameters_of_any_kind_are_stored(tmp_path: Path, examples: Mapping[str, Trained]) -> None:
    parameters = {"alpha": np.float64(1.5), "columns": ["a"], "kernel": Mean}
    write_artefacts(tmp_path, version="1", trained=replace(examples["regression"], parameters=parameters))
    stored = json.loads((tmp_path / "metadata.json").read_text())["parameters"]
    assert stored["alpha"] == 1.5
    assert "Mean" in stored["kernel"]

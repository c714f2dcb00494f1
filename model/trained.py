"""What train() hands on: the one interface between a model and everything that is made of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

# Rows x features, as the model's predict() takes them: an array of numbers, or a data frame with the columns' names.
Rows: TypeAlias = "NDArray[Any] | pd.DataFrame"
RowsT = TypeVar("RowsT")


@dataclass(frozen=True)
class Trained:
    """A fitted model and what is known of it; `python -m model train` calls train() and stores what this says.

    model.artefacts derives the rest: the features with their types and ranges, the libraries, the golden requests.
    """

    name: str
    """Letters, digits and dashes, a letter first: what answers and reports call the model."""
    model: Any
    """Any object with a predict() that joblib can dump; its class is installed, or in a module in model/code/."""
    task: Literal["regression", "classification"]
    target: str
    """What is predicted, with its unit or its labels."""
    train_rows: Rows
    test_rows: Rows
    """Rows that training has not seen, one at least: the first of them become the golden requests."""
    metrics: Mapping[str, float]
    """How well the model does on the test rows."""
    data: str
    """Where the rows come from."""
    intended_use: str
    limits: str
    """What the model must not be used for, and where it is known to fail."""
    features: tuple[str, ...] = ()
    """The columns' names where the rows are an array; a data frame has its own."""
    parameters: Mapping[str, Any] | None = None
    """What was chosen by hand: penalties, depths, seeds."""


def first_share(rows: RowsT, rows_share: float) -> RowsT:
    """Return that share of the rows (above 0, up to 1), from the first; of arrays, data frames and lists alike."""
    count = max(1, round(len(rows) * rows_share))  # type: ignore[arg-type]  # whatever it is, it has a length
    shared: RowsT = rows[:count]  # type: ignore[index]  # and takes a slice
    return shared

"""Two candidates that a release has to refuse; the demo and the tests make them from any good model.

The service itself refuses the wrong one, which misses the golden requests beside it, and never gets ready; the slow one
answers right, and the load gate refuses it.
"""

from enum import StrEnum
from typing import Any

from model.faulty.code.answers import Late, Wrong

PAUSE_PER_ROW_S = 0.02


class Variant(StrEnum):
    """What is wrong with a candidate, if anything."""

    GOOD = "good"
    SLOW = "slow"
    WRONG = "wrong"


def make_variant(model: Any, variant: Variant) -> Any:
    """Return the model as it is, or one that answers late, or one that answers differently."""
    match variant:
        case Variant.GOOD:
            return model
        case Variant.SLOW:
            return Late(model, PAUSE_PER_ROW_S)
        case Variant.WRONG:
            return Wrong(model)

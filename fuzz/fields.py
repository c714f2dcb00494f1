"""The columns that bodies are made for."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

Kind = Literal["number", "string", "boolean"]


@dataclass(frozen=True)
class Field:
    """One feature of a model, as its metadata has it."""

    name: str
    kind: Kind = "number"
    nullable: bool = False

    def valid_cell(self, random: Random) -> Any:
        if self.nullable and random.random() < 0.2:  # noqa: PLR2004 - often enough
            return None
        match self.kind:
            case "boolean":
                return random.random() < 0.5  # noqa: PLR2004 - a coin
            case "string":
                return random.choice(["", "a", "north", "Zürich", "\u0000", "a\nb", '"', "\U0001f600"])
            case "number":
                return random.choice([random.uniform(-100, 100), random.randint(-1000, 1000), 0, -0.0, 1e-300, 0.1])


def metadata_features(fields: Sequence[Field]) -> list[dict[str, Any]]:
    """Return what metadata.json says of them."""
    return [
        {"name": field.name, "type": field.kind} | ({"nullable": True} if field.nullable else {}) for field in fields
    ]


NUMBERS = tuple(Field(name) for name in ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"))
MIXED = (Field("age"), Field("town", "string"), Field("smokes", "boolean"), Field("weight", nullable=True))

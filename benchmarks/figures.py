"""What a suite hands on: figures, each with what it must reach, and the file that holds them."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Figure:
    """A measured value; at most one of the bounds is set, and `value` is None where it could not be measured."""

    name: str
    value: float | None
    unit: str
    at_least: float | None = None
    at_most: float | None = None
    spread: tuple[float, float] | None = None
    note: str = ""

    @property
    def is_bounded(self) -> bool:
        return self.at_least is not None or self.at_most is not None

    @property
    def is_missed(self) -> bool:
        """Whether it misses its bound; a bounded figure that could not be measured does."""
        if not self.is_bounded:
            return False
        if self.value is None:
            return True
        return (self.at_least is not None and self.value < self.at_least) or (
            self.at_most is not None and self.value > self.at_most
        )

    @property
    def bound(self) -> str:
        if self.at_least is not None:
            return f">= {self.at_least:g}"
        return f"<= {self.at_most:g}" if self.at_most is not None else ""

    def as_json(self) -> dict[str, Any]:
        """Leave out what is not set."""
        document: dict[str, Any] = {"name": self.name, "value": self.value, "unit": self.unit}
        for key in ("at_least", "at_most", "spread"):
            if getattr(self, key) is not None:
                document[key] = getattr(self, key)
        return document | ({"note": self.note} if self.note else {})


@dataclass
class Results:
    """What a suite measured: its figures, and whatever else belongs into the file."""

    figures: list[Figure] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    summary: str = ""

    @property
    def missed(self) -> list[Figure]:
        return [figure for figure in self.figures if figure.is_missed]


def figure_of(
    name: str, values: Sequence[float], unit: str, *, at_least: float | None = None, at_most: float | None = None
) -> Figure:
    """Return the median of values, with their range; not measured where there are none."""
    if not values:
        return Figure(name, None, unit, at_least, at_most)
    spread = (_rounded(min(values)), _rounded(max(values)))
    return Figure(name, _rounded(statistics.median(values)), unit, at_least, at_most, spread)


def write_figures(path: Path, suites: dict[str, Results], about: dict[str, Any]) -> None:
    """Write all suites' figures into one JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "figures": [figure.as_json() for results in suites.values() for figure in results.figures],
        "about": about,
        "details": {name: results.details for name, results in suites.items()},
    }
    path.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")

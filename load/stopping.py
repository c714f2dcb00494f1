"""How a running load test is told to end: a file that appears."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Stop:
    """What the file says: how much of the run is judged, and why it was broken off (empty: it was not)."""

    judged_s: float
    broken_off: str = ""


def write_stop(path: Path, stop: Stop) -> None:
    """Write the file in one step, so that nobody reads half of it."""
    written = path.with_suffix(".new")
    written.write_text(json.dumps(asdict(stop)), encoding="utf-8")
    written.rename(path)


def read_stop(path: Path) -> Stop | None:
    """Return what the file says; None where there is none."""
    return Stop(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None

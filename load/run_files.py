"""How a running load test and whoever started it talk: the key by the environment, progress and the end by files."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

KEY_VARIABLE = "ENDPOINT_KEY"  # not an option: a process list shows those


@dataclass(frozen=True)
class Progress:
    """How far a run is: pairs sent, and requests failed or dropped; total_s leaves out the wait for last answers.

    All that was due before `ended_s` has been written. `live_ended` counts live's requests that have ended, or were
    dropped, `live_errors` those of them that failed.
    """

    elapsed_s: float
    total_s: float
    ended_s: float
    pairs: int
    errors: int
    live_ended: int = 0
    live_errors: int = 0


def write_progress(path: Path, progress: Progress) -> None:
    """Append a line."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(progress)) + "\n")


class ProgressReader:
    """Reads the lines as they come; a line of which only a part is there is left for the next time."""

    def __init__(self, path: Path) -> None:
        self._file = path.open(encoding="utf-8")
        self._begun = ""

    def read(self) -> list[Progress]:
        """Return what has been added since the last time."""
        *lines, self._begun = (self._begun + self._file.read()).split("\n")
        return [Progress(**json.loads(line)) for line in lines]

    def close(self) -> None:
        self._file.close()


@dataclass(frozen=True)
class Stop:
    """What ends a run: how much of it is judged, and why it was broken off (empty: it was not)."""

    judged_s: float
    broken_off: str = ""


def write_stop(path: Path, stop: Stop) -> None:
    """Write the file in one step, so that nobody reads half of it; the first to end a run says why."""
    if path.exists():
        return
    written = path.with_suffix(".new")
    written.write_text(json.dumps(asdict(stop)), encoding="utf-8")
    written.rename(path)


def read_stop(path: Path) -> Stop | None:
    """Return what the file says; None where there is none."""
    return Stop(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None

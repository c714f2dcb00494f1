"""The report's charts of latency as geometry, in the units of each SVG's view box; templates draw it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from load.rows import Floats, Rows

Latencies = Mapping[str, Floats]  # role -> milliseconds of its judged requests

LEAST_MS = 0.1  # what a logarithm can begin with
ROOM_BELOW, ROOM_ABOVE = 1.3, 1.25  # of a latency axis, so that a limit is not its edge
LEAST_REACH = 4  # times its lowest value that a latency axis reaches, so that noise does not look like mountains
Y_GAP, X_GAP = 18, 34  # between the labels of an axis
TICK_STEPS = ((1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8), (1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,))


@dataclass(frozen=True)
class Frame:
    """The size of a drawing, and of the plot in it.

    `kind` says where it is shown: beside another one (`half`), over the whole width (`full`), or on a phone (`narrow`).
    """

    kind: str
    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int

    @property
    def plot_width(self) -> int:
        return self.right - self.left

    @property
    def plot_height(self) -> int:
        return self.bottom - self.top


HALF = Frame("half", 520, 310, left=52, right=508, top=26, bottom=262)
FULL = Frame("full", 1064, 330, left=52, right=1052, top=26, bottom=282)
NARROW = Frame("narrow", 326, 270, left=44, right=318, top=26, bottom=222)


@dataclass(frozen=True)
class Tick:
    """A mark on an axis."""

    at: float
    label: str


@dataclass(frozen=True)
class Line:
    """A line of one role (`live`, `candidate`), drawn `strong` or faint."""

    role: str
    strong: bool
    path: str
    label: str


@dataclass(frozen=True)
class Shade:
    """A stretch of time whose requests are not judged."""

    left: float
    width: float


@dataclass(frozen=True)
class Lane:
    """Beneath the plot, how many of a role's requests failed when; the highest bar of all lanes fills its lane."""

    role: str
    top: int
    height: int
    path: str


@dataclass(frozen=True)
class Drawing:
    """What is seen of a chart in one frame; `unit` stands above the vertical axis, `looks` are those of the gate.

    `slo` is the path of that line, `guide` where the horizontal axis has what it is about.
    """

    frame: Frame
    x_label: str
    unit: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]
    slo: str | None = None
    guide: float | None = None
    filled: bool = False
    shades: tuple[Shade, ...] = ()
    lanes: tuple[Lane, ...] = ()
    looks: tuple[Tick, ...] = ()

    @property
    def floor(self) -> int:
        """Where the horizontal axis lies."""
        return max([self.frame.bottom, *(lane.top + lane.height for lane in self.lanes)])


@dataclass(frozen=True)
class Chart:
    """A chart, drawn for a desk and for a phone, what its signs mean, and the table behind it.

    `slo` names that line, where there is one; `legend` says the rest in words.
    """

    heading: str
    title: str
    drawings: tuple[Drawing, ...]
    header: tuple[str, ...]
    table: tuple[tuple[str, ...], ...]
    slo: str = ""
    legend: tuple[str, ...] = ()

    @property
    def wide(self) -> bool:
        """Whether it takes the whole width."""
        return any(drawing.frame.kind == FULL.kind for drawing in self.drawings)


@dataclass(frozen=True)
class Scale:
    """Maps low..high to from_..to, by logarithm."""

    low: float
    high: float
    from_: float
    to: float

    def at(self, value: float) -> float:
        """Return the place of a value, kept within the scale."""
        share = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        return round(self.from_ + min(1.0, share) * (self.to - self.from_), 1)


def judged_latencies(rows: Rows, judged_s: float) -> dict[str, Floats]:
    """Return in order the latencies that the verdict is about, of each role that has any."""
    seen, found = rows.until(judged_s), {}
    for role in rows_roles(rows):
        judged = seen.of(role)
        latency_ms = judged.latency_ms[judged.latency_known]
        if len(latency_ms):
            found[role] = np.sort(latency_ms)
    return found


def rows_roles(rows: Rows) -> tuple[str, ...]:
    return ("live", "candidate") if rows.plan.live is not None else ("candidate",)


def latency_scale(values: Iterable[float], slo_ms: float | None, frame: Frame) -> Scale:
    """Return a vertical scale on which all values, and the SLO, find a place."""
    found = list(values)
    low = max(LEAST_MS, min(found) / ROOM_BELOW)
    high = max(*found, slo_ms or 0.0, low * LEAST_REACH) * ROOM_ABOVE
    return Scale(low, high, frame.bottom, frame.top)


def latency_ticks(scale: Scale, least_gap: float) -> tuple[Tick, ...]:
    """Return as many round values as there is room for."""
    ticks: list[Tick] = []
    for steps in TICK_STEPS:
        values = [step * 10.0**power for power in range(-1, 7) for step in steps]
        ticks = [Tick(scale.at(value), f"{value:g}") for value in values if scale.low <= value <= scale.high]
        if all(abs(after.at - before.at) >= least_gap for before, after in pairwise(ticks)):
            break
    return tuple(ticks)


def slo_label(slo_ms: float | None) -> str:
    return f"SLO p95 {slo_ms:g} ms" if slo_ms else ""


def path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points)

"""Latency and failures over a run, as geometry of a chart."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise

import numpy as np

from load.charts import (
    FULL,
    NARROW,
    Y_GAP,
    Chart,
    Drawing,
    Frame,
    Lane,
    Line,
    Shade,
    Tick,
    latency_scale,
    latency_ticks,
    path,
    rows_roles,
    slo_label,
)
from load.intervals import quantile
from load.rows import Rows
from load.wording import number, percent

MOST_BUCKETS = 30
TIME_GAP, MOST_TIME_TICKS = 46, 12  # between the labels of the axis, and how many of them
TIME_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200)
MINUTES_FROM_S = 900  # a longer run is told in minutes
LANE_HEIGHT, LANE_GAP = 16, 6
LEAST_BAR = 2.5  # what one failed request among many is drawn as
LOOK_GAP = 50  # what the label of a look takes


@dataclass(frozen=True)
class Cell:
    """One role's requests that were due in a stretch of time; no latencies where none is known."""

    asked: int
    failed: int
    p50_ms: float | None = None
    p95_ms: float | None = None


@dataclass(frozen=True)
class Run:
    """A run cut into stretches of one length, and what of it is judged."""

    total_s: float
    bucket_s: float
    judged_from_s: float
    judged_until_s: float
    cells: Mapping[str, tuple[Cell, ...]]

    @property
    def starts_s(self) -> tuple[float, ...]:
        return tuple(index * self.bucket_s for index in range(math.ceil(self.total_s / self.bucket_s - 1e-9)))

    @property
    def worst_failing(self) -> float:
        """The largest share of a role's requests that failed within a stretch."""
        return max((cell.failed / cell.asked for cell in self.all_cells if cell.failed), default=0.0)

    @property
    def known_ms(self) -> list[float]:
        """All that a line goes through."""
        return [value for cell in self.all_cells for value in (cell.p50_ms, cell.p95_ms) if value is not None]

    @property
    def all_cells(self) -> Iterator[Cell]:
        return chain.from_iterable(self.cells.values())


def timeline(rows: Rows, judged_s: float, slo_ms: float | None, looks_s: Sequence[float] = ()) -> Chart:
    """Draw p50 and p95 over the run, warm-up included, how many requests failed, and when the gate looked."""
    run = cut(rows, judged_s)
    failing = [role for role, cells in run.cells.items() if any(cell.failed for cell in cells)]
    return Chart(
        heading="While the load ran",
        title=f"Latency over the run, by {run.bucket_s:g} s, " + " and ".join(run.cells),
        drawings=tuple(drawn(run, slo_ms, looks_s, failing, frame) for frame in (FULL, NARROW)),
        header=("seconds", *(f"{role} {name}" for role in run.cells for name in ("p50", "p95", "failed"))),
        table=tuple(
            (f"{start_s:g} to {min(start_s + run.bucket_s, run.total_s):g}", *told(run, index))
            for index, start_s in enumerate(run.starts_s)
        ),
        slo=slo_label(slo_ms),
        legend=(
            "thick p95, thin p50",
            *(("grey: not judged",) if run.judged_from_s > 0 or run.judged_until_s < run.total_s else ()),
            *((f"bars below: failed requests, up to {percent(run.worst_failing)} of a role's",) if failing else ()),
        ),
    )


def cut(rows: Rows, judged_s: float) -> Run:
    """Return the run in stretches: as much of it as was sent, whether or not it is judged."""
    warmup_s = rows.plan.warmup_s
    if rows.end is not None and not rows.end.broken_off:
        total_s = warmup_s + rows.end.judged_s
    else:
        total_s = min(warmup_s + rows.plan.duration_s, math.ceil(rows.intended_s.max(initial=0.0)))
    total_s = max(1.0, total_s)
    bucket_s = max(1.0, math.ceil(total_s / MOST_BUCKETS))
    run = Run(total_s, bucket_s, min(warmup_s, total_s), min(warmup_s + judged_s, total_s), {})
    return replace(run, cells={role: cells_of(rows, role, run) for role in rows_roles(rows)})


def cells_of(rows: Rows, role: str, run: Run) -> tuple[Cell, ...]:
    mine = rows.where((rows.role == role) & (rows.intended_s < run.total_s))
    bucket, known, failed = (mine.intended_s // run.bucket_s).astype(int), mine.latency_known, mine.error != ""
    latency_ms = mine.latency_ms
    cells = []
    for index in range(len(run.starts_s)):
        here = bucket == index
        values = latency_ms[here & known]
        cell = Cell(asked=int(here.sum()), failed=int((here & failed).sum()))
        if len(values):
            cell = replace(cell, p50_ms=quantile(values, 0.5), p95_ms=quantile(values, 0.95))
        cells.append(cell)
    return tuple(cells)


def told(run: Run, index: int) -> Iterator[str]:
    """Yield the cells of a row of the table."""
    for cells in run.cells.values():
        cell = cells[index]
        yield from (number(cell.p50_ms, "ms"), number(cell.p95_ms, "ms"), str(cell.failed or ""))


def drawn(run: Run, slo_ms: float | None, looks_s: Sequence[float], failing: Sequence[str], whole: Frame) -> Drawing:
    frame = replace(whole, bottom=whole.bottom - len(failing) * (LANE_HEIGHT + LANE_GAP))
    y = latency_scale(run.known_ms or [1.0, 100.0], slo_ms, frame)

    def x(at_s: float) -> float:
        return round(frame.left + frame.plot_width * min(at_s, run.total_s) / run.total_s, 1)

    def line(role: str, name: str) -> Line | None:
        middles_s = (start_s + min(run.bucket_s, run.total_s - start_s) / 2 for start_s in run.starts_s)
        values_ms = (getattr(cell, f"{name}_ms") for cell in run.cells[role])
        points = [(x(at_s), y.at(ms)) for at_s, ms in zip(middles_s, values_ms, strict=True) if ms is not None]
        return Line(role, strong=name == "p95", path=path(points), label=f"{role} {name}") if points else None

    lines = [line(role, name) for role in run.cells for name in ("p50", "p95")]
    judged = [(0.0, run.judged_from_s), (run.judged_until_s, run.total_s)]
    label, ticks = time_axis(run.total_s, frame)
    return Drawing(
        frame=frame,
        x_label=label,
        unit="ms",
        x_ticks=tuple(Tick(x(at_s), text) for at_s, text in ticks),
        y_ticks=latency_ticks(y, Y_GAP),
        lines=tuple(each for each in lines if each is not None),
        slo=f"M{frame.left} {y.at(slo_ms):g}H{frame.right}" if slo_ms else None,
        shades=tuple(Shade(x(from_s), round(x(to_s) - x(from_s), 1)) for from_s, to_s in judged if to_s > from_s),
        lanes=tuple(lane(run, role, number, frame) for number, role in enumerate(failing)),
        looks=look_marks([x(run.judged_from_s + at_s) for at_s in looks_s]),
    )


def time_axis(total_s: float, frame: Frame) -> tuple[str, list[tuple[float, str]]]:
    """Return what the axis is called, and its marks: when, and what stands there."""
    most = min(MOST_TIME_TICKS, frame.plot_width / TIME_GAP)
    step_s = next((each for each in TIME_STEPS_S if total_s / each <= most), TIME_STEPS_S[-1])
    divisor, unit = (60, "minutes") if total_s > MINUTES_FROM_S else (1, "seconds")
    marks = [(float(at_s), f"{at_s / divisor:g}") for at_s in np.arange(0, total_s + 1e-9, step_s).tolist()]
    return f"{unit} from the start", marks


def look_marks(places: Sequence[float]) -> tuple[Tick, ...]:
    """Return a mark for each look of the gate; of one at the end alone there is nothing to tell."""
    if len(places) < 2:  # noqa: PLR2004 - one look is the end
        return ()
    crowded = min(after - before for before, after in pairwise(places)) < LOOK_GAP
    return tuple(Tick(at, f"{number}" if crowded else f"look {number}") for number, at in enumerate(places, start=1))


def lane(run: Run, role: str, number: int, frame: Frame) -> Lane:
    top = frame.bottom + LANE_GAP + number * (LANE_HEIGHT + LANE_GAP)
    scale = frame.plot_width / run.total_s
    bars = []
    for start_s, cell in zip(run.starts_s, run.cells[role], strict=True):
        if cell.failed:
            height = round(max(LEAST_BAR, LANE_HEIGHT * cell.failed / cell.asked / run.worst_failing), 1)
            width = round(min(run.bucket_s, run.total_s - start_s) * scale - 1, 1)
            bars.append(f"M{frame.left + start_s * scale:.1f} {top + LANE_HEIGHT}v{-height:g}h{width:g}v{height:g}z")
    return Lane(role, top, LANE_HEIGHT, "".join(bars))

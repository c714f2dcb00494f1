"""The report's charts of latency as geometry, in the units of each SVG's view box; templates draw it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from load.intervals import quantile
from load.rows import Floats, Rows
from load.wording import number

WIDTH, HEIGHT = 520, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 508, 18, 262
CURVE_POINTS = 90
MOST_BUCKETS = 30
MOST_TIME_TICKS = 10
TIME_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800)
TAIL_SAMPLES = 3000  # fewer than this and a 99.9th percentile is one or two requests
PERCENTILES = (0.5, 0.75, 0.9, 0.95, 0.99, 0.999)
NARROW = 1.5  # decades below which the latency axis needs ticks between 1, 2 and 5


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
class Mark:
    """Failed requests on the timeline; those that one could not tell apart are one mark."""

    role: str
    x: float


@dataclass(frozen=True)
class Chart:
    """A chart and the table behind it; `slo_y` is None where the limit is off the scale, `warmup_x` where none was.

    `looks` are the times at which the gate looked at the rows; `unit` stands above the vertical axis.
    """

    heading: str
    title: str
    x_label: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]
    marks: tuple[Mark, ...]
    slo_y: float | None
    slo_label: str
    warmup_x: float | None
    header: tuple[str, ...]
    table: tuple[tuple[str, ...], ...]
    looks: tuple[Tick, ...] = ()
    unit: str = "ms"
    slo_vertical: bool = False


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


def percentile_curve(rows: Rows, roles: Sequence[str], slo_ms: float | None) -> Chart:
    """Draw latency over percentile, the axis stretched towards the slowest requests (1 / (1 - p))."""
    latencies = {role: latency_of(rows, role) for role in roles}
    latencies = {role: values for role, values in latencies.items() if len(values)}
    most = max((len(values) for values in latencies.values()), default=100)
    last = 0.999 if most >= TAIL_SAMPLES else 0.99
    x = Scale(1.0, 1 / (1 - last), LEFT, RIGHT)
    shown = np.concatenate(
        [np.quantile(values, [0.0, last]) for values in latencies.values()] or [np.array([1.0, 100.0])]
    )
    y = latency_scale(shown, slo_ms)
    lines = []
    for role, values in latencies.items():
        shares = 1 - np.geomspace(1, 1 - last, CURVE_POINTS)
        points = [(x.at(1 / (1 - share)), y.at(quantile(values, share))) for share in shares]
        lines.append(Line(role, True, path(points), role))  # noqa: FBT003 - a record, named above
    return Chart(
        heading="How long requests took",
        title="Latency by percentile, " + " and ".join(roles),
        x_label="percentile of requests",
        x_ticks=tuple(Tick(x.at(1 / (1 - p)), f"p{p * 100:g}") for p in PERCENTILES if p <= last),
        y_ticks=latency_ticks(y),
        lines=tuple(lines),
        marks=(),
        slo_y=y.at(slo_ms) if slo_ms else None,
        slo_label=f"SLO p95 {slo_ms:g} ms" if slo_ms else "",
        warmup_x=None,
        header=("percentile", *latencies),
        table=tuple(
            (f"p{p * 100:g}", *(number(quantile(values, p), "ms") for values in latencies.values()))
            for p in PERCENTILES
            if p <= last
        ),
    )


def timeline(rows: Rows, roles: Sequence[str], slo_ms: float | None, looks_s: Sequence[float] = ()) -> Chart:
    """Draw p50 and p95 over the run, warm-up included, with a mark for each failed request and each look."""
    total_s = rows.plan.warmup_s + (rows.end.judged_s if rows.end else rows.plan.duration_s)
    bucket_s = max(1.0, math.ceil(total_s / MOST_BUCKETS))
    starts = np.arange(0, total_s, bucket_s)
    cells: dict[tuple[str, int], tuple[float, float]] = {}
    for role in roles:
        mine = rows.where((rows.role == role) & rows.latency_known)
        index = np.minimum(mine.intended_s // bucket_s, len(starts) - 1).astype(int)
        for bucket in range(len(starts)):
            values = mine.latency_ms[index == bucket]
            if len(values):
                cells[role, bucket] = (quantile(values, 0.5), quantile(values, 0.95))
    y = latency_scale(np.array([value for pair in cells.values() for value in pair] or [1.0, 100.0]), slo_ms)

    def x(at_s: float) -> float:
        return round(LEFT + (RIGHT - LEFT) * at_s / total_s, 1)

    lines = []
    for role in roles:
        for which, name in ((1, "p95"), (0, "p50")):
            points = [
                (x(min(start + bucket_s / 2, total_s)), y.at(cells[role, bucket][which]))
                for bucket, start in enumerate(starts)
                if (role, bucket) in cells
            ]
            if points:
                lines.append(Line(role, which == 1, path(points), f"{role} {name}"))
    failed = rows.where(rows.error != "")
    step_s = next(step for step in TIME_STEPS_S if total_s <= MOST_TIME_TICKS * step or step == TIME_STEPS_S[-1])
    return Chart(
        heading="While the load ran",
        title=f"Latency over the run, by {bucket_s:g} s, " + " and ".join(roles),
        x_label="seconds from the start",
        x_ticks=tuple(Tick(x(at), f"{at:g}") for at in np.arange(0, total_s + 1e-9, step_s)),
        y_ticks=latency_ticks(y),
        lines=tuple(lines),
        marks=tuple(
            sorted(
                {Mark(str(role), round(x(min(at, total_s)))) for role, at in zip(failed.role, failed.intended_s, strict=True)},
                key=lambda mark: (mark.role, mark.x),
            )
        ),
        slo_y=y.at(slo_ms) if slo_ms else None,
        slo_label=f"SLO p95 {slo_ms:g} ms" if slo_ms else "",
        warmup_x=x(rows.plan.warmup_s) if rows.plan.warmup_s else None,
        header=("seconds", *(f"{role} {name}" for role in roles for name in ("p50", "p95"))),
        table=tuple(
            (
                f"{start:g} to {min(start + bucket_s, total_s):g}",
                *(
                    number(cells[role, bucket][which], "ms") if (role, bucket) in cells else ""
                    for role in roles
                    for which in (0, 1)
                ),
            )
            for bucket, start in enumerate(starts)
        ),
        looks=tuple(
            Tick(x(rows.plan.warmup_s + at_s), f"look {number}")
            for number, at_s in enumerate(looks_s, start=1)
            if len(looks_s) > 1
        ),
    )


def latency_of(rows: Rows, role: str) -> Floats:
    judged = rows.of(role)
    return judged.where(judged.latency_known).latency_ms


def latency_scale(values: Floats, slo_ms: float | None) -> Scale:
    low = max(0.1, float(values.min()) / 1.3)
    high = max(float(values.max()), slo_ms or 0.0, low * 4) * 1.25
    return Scale(low, high, BOTTOM, TOP)


def latency_ticks(scale: Scale) -> tuple[Tick, ...]:
    steps = (1, 2, 5) if math.log10(scale.high / scale.low) > NARROW else (1, 1.5, 2, 3, 5, 7)
    values = [step * 10.0**power for power in range(-1, 7) for step in steps]
    return tuple(Tick(scale.at(value), f"{value:g}") for value in values if scale.low <= value <= scale.high)


def path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points)

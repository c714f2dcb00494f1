"""Latency over percentile, as geometry of a chart."""

import numpy as np

from load.charts import (
    HALF,
    NARROW,
    Y_GAP,
    Chart,
    Drawing,
    Frame,
    Latencies,
    Line,
    Scale,
    Tick,
    latency_scale,
    latency_ticks,
    path,
    slo_label,
)
from load.intervals import quantile
from load.wording import number

PERCENTILES = (0.5, 0.75, 0.9, 0.95, 0.99, 0.999)
LEAST_BEYOND = 3  # requests beyond a percentile, below which it is one or two requests and no percentile
CURVE_POINTS = 90
SLO_SHARE = 0.95


def percentile_curve(latencies: Latencies, slo_ms: float | None) -> Chart:
    """Draw latency over percentile, the axis stretched towards the slowest requests (1 / (1 - p))."""
    shares = told_percentiles(latencies)
    return Chart(
        heading="How long requests took",
        title="Latency by percentile, " + " and ".join(latencies),
        drawings=tuple(drawn(latencies, slo_ms, shares[-1], frame) for frame in (HALF, NARROW)),
        header=("percentile", *latencies),
        table=tuple(
            (percentile_name(share), *(number(quantile(values, share), "ms") for values in latencies.values()))
            for share in shares
        ),
        slo=slo_label(slo_ms),
    )


def told_percentiles(latencies: Latencies) -> tuple[float, ...]:
    """Return the percentiles that the smallest of these samples says anything about; the median in any case."""
    fewest = min(map(len, latencies.values()), default=0)
    return PERCENTILES[:1] + tuple(share for share in PERCENTILES[1:] if fewest * (1 - share) >= LEAST_BEYOND - 1e-9)


def percentile_name(share: float) -> str:
    return f"p{share * 100:g}"


def drawn(latencies: Latencies, slo_ms: float | None, last: float, frame: Frame) -> Drawing:
    x = Scale(1.0, 1 / (1 - last), frame.left, frame.right)
    shares = 1 - np.geomspace(1, 1 - last, CURVE_POINTS)
    curves = {role: [quantile(values, share) for share in shares] for role, values in latencies.items()}
    y = latency_scale([value for curve in curves.values() for value in curve], slo_ms, frame)
    return Drawing(
        frame=frame,
        x_label="percentile of the requests",
        unit="ms",
        x_ticks=tuple(Tick(x.at(1 / (1 - share)), percentile_name(share)) for share in PERCENTILES if share <= last),
        y_ticks=latency_ticks(y, Y_GAP),
        lines=tuple(
            Line(
                role=role,
                strong=True,
                path=path([(x.at(1 / (1 - share)), y.at(value)) for share, value in zip(shares, curve, strict=True)]),
                label=role,
            )
            for role, curve in curves.items()
        ),
        slo=f"M{frame.left} {y.at(slo_ms):g}H{frame.right}" if slo_ms else None,
        guide=x.at(1 / (1 - SLO_SHARE)) if slo_ms and last >= SLO_SHARE else None,
    )

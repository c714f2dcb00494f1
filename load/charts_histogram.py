"""How latencies are spread, as geometry of a chart."""

from collections.abc import Callable, Mapping

import numpy as np

from load.charts import (
    HALF,
    LEAST_MS,
    NARROW,
    X_GAP,
    Chart,
    Drawing,
    Frame,
    Latencies,
    Line,
    Scale,
    Tick,
    latency_ticks,
    path,
    slo_label,
)
from load.rows import Floats
from load.wording import number, percent

BINS = 40
LEAST_REACH = 1.5  # times its lowest value that the axis reaches
SHARE_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
MOST_SHARE_TICKS = 6
ROOM_ABOVE = 1.1


def histogram(latencies: Latencies, slo_ms: float | None) -> Chart:
    """Draw how many requests took how long, as shares of each deployment's, over latency by its logarithm."""
    everything = np.concatenate(list(latencies.values()))
    low = max(LEAST_MS, float(everything.min()))
    edges = np.geomspace(low, max(float(everything.max()) * 1.001, low * LEAST_REACH), BINS + 1)
    within_ms = slo_ms if slo_ms and edges[0] < slo_ms < edges[-1] else None
    shares = {role: np.histogram(np.maximum(values, low), edges)[0] / len(values) for role, values in latencies.items()}
    return Chart(
        heading="How requests are spread",
        title="Share of the requests by latency, " + " and ".join(latencies),
        drawings=tuple(drawn(edges, shares, within_ms, frame) for frame in (HALF, NARROW)),
        header=("latency", *(f"{role}, share of requests" for role in shares)),
        table=tuple(
            (
                f"{number(float(edges[index]), 'ms')} to {number(float(edges[index + 1]), 'ms')}",
                *(percent(float(share[index])) for share in shares.values()),
            )
            for index in range(BINS)
            if any(share[index] for share in shares.values())
        ),
        slo=slo_label(within_ms),
    )


def drawn(edges: Floats, shares: Mapping[str, Floats], slo_ms: float | None, frame: Frame) -> Drawing:
    most = max(float(share.max()) for share in shares.values())
    x = Scale(float(edges[0]), float(edges[-1]), frame.left, frame.right)

    def y(share: float) -> float:
        return round(frame.bottom - frame.plot_height * share / (most * ROOM_ABOVE), 1)

    step = next(each for each in SHARE_STEPS if most / each <= MOST_SHARE_TICKS)
    return Drawing(
        frame=frame,
        x_label="milliseconds",
        unit="% of the requests",
        x_ticks=latency_ticks(x, X_GAP),
        y_ticks=tuple(Tick(y(at), f"{at * 100:g}") for at in np.arange(0, most * ROOM_ABOVE, step).tolist()),
        lines=tuple(
            Line(role, strong=True, path=path(stairs(edges, share, x, y)), label=role) for role, share in shares.items()
        ),
        slo=f"M{x.at(slo_ms):g} {frame.top}V{frame.bottom}" if slo_ms else None,
        filled=True,
    )


def stairs(edges: Floats, shares: Floats, x: Scale, y: Callable[[float], float]) -> list[tuple[float, float]]:
    """Return the outline of a histogram, from the axis to the axis."""
    points = [(x.at(float(edges[0])), y(0.0))]
    for index, share in enumerate(shares.tolist()):
        points += [(x.at(float(edges[index])), y(share)), (x.at(float(edges[index + 1])), y(share))]
    return [*points, (x.at(float(edges[-1])), y(0.0))]

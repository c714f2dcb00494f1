"""How latencies are spread, as geometry of a chart."""

from collections.abc import Callable, Sequence

import numpy as np

from load.charts import BOTTOM, LEFT, RIGHT, TOP, Chart, Line, Scale, Tick, latency_of, latency_ticks, path
from load.rows import Floats, Rows
from load.wording import number, percent

BINS = 40
SHARE_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
MOST_SHARE_TICKS = 6


def histogram(rows: Rows, roles: Sequence[str], slo_ms: float | None) -> Chart:
    """Draw how many requests took how long, as shares of each deployment's, over latency by its logarithm."""
    latencies = {role: latency_of(rows, role) for role in roles}
    latencies = {role: values for role, values in latencies.items() if len(values)}
    everything = np.concatenate(list(latencies.values()))
    low, high = max(0.1, float(everything.min())), float(everything.max()) * 1.001
    edges = np.geomspace(low, max(high, low * 1.5), BINS + 1)
    shares = {role: np.histogram(values, edges)[0] / len(values) for role, values in latencies.items()}
    most = max(float(share.max()) for share in shares.values())
    x = Scale(float(edges[0]), float(edges[-1]), LEFT, RIGHT)

    def y(share: float) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * share / (most * 1.1), 1)

    step = next(each for each in SHARE_STEPS if most / each <= MOST_SHARE_TICKS)
    return Chart(
        heading="How requests are spread",
        title="Share of the requests by latency, " + " and ".join(latencies),
        x_label="milliseconds",
        x_ticks=latency_ticks(x),
        y_ticks=tuple(Tick(y(at), f"{at * 100:g}") for at in np.arange(0, most * 1.1, step)),
        lines=tuple(
            Line(role, True, path(stairs(edges, share, x, y)), role)  # noqa: FBT003 - a record, named above
            for role, share in shares.items()
        ),
        marks=(),
        slo_y=x.at(slo_ms) if slo_ms and edges[0] < slo_ms < edges[-1] else None,
        slo_label=f"SLO p95 {slo_ms:g} ms" if slo_ms else "",
        warmup_x=None,
        header=("latency", *(f"{role}, share of requests" for role in shares)),
        table=tuple(
            (
                f"{number(float(edges[index]), 'ms')} to {number(float(edges[index + 1]), 'ms')}",
                *(percent(float(share[index])) for share in shares.values()),
            )
            for index in range(BINS)
            if any(share[index] for share in shares.values())
        ),
        unit="%",
        slo_vertical=True,
    )


def stairs(edges: Floats, shares: Floats, x: Scale, y: Callable[[float], float]) -> list[tuple[float, float]]:
    """Return the outline of a histogram, from the axis to the axis."""
    points = [(x.at(float(edges[0])), y(0.0))]
    for index, share in enumerate(shares.tolist()):
        points += [(x.at(float(edges[index])), y(share)), (x.at(float(edges[index + 1])), y(share))]
    return [*points, (x.at(float(edges[-1])), y(0.0))]

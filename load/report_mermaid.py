"""Latency by percentile in Markdown: a chart that GitHub draws, and the table behind it."""

import math

from load.charts import Latencies
from load.charts_percentiles import percentile_name, told_percentiles
from load.intervals import quantile
from load.report_markup import fenced, table
from load.wording import number

COLOURS = {"live": ("#7f8a9c", "grey"), "candidate": ("#7c5cff", "violet")}  # seen on white and on black


def latency_section(latencies: Latencies) -> str:
    """Return percentiles as a chart that GitHub draws, and the table behind it; nothing from outside is in either."""
    shares = told_percentiles(latencies)
    values = {role: [quantile(found, share) for share in shares] for role, found in latencies.items()}
    names = ", ".join(f'"{percentile_name(share)}"' for share in shares)
    lines = [f"    line [{', '.join(f'{value:.1f}' for value in each)}]" for each in values.values()]
    colours = ", ".join(COLOURS[role][0] for role in values)
    told = " and ".join(f"{role} ({COLOURS[role][1]})" for role in values)
    chart = [
        f'%%{{init: {{"themeVariables": {{"xyChart": {{"plotColorPalette": "{colours}"}}}}}}}}%%',
        "xychart-beta",
        f'    title "Latency in ms of {told}"',
        f"    x-axis [{names}]",
        f'    y-axis "ms" 0 --> {math.ceil(1.1 * max(max(each) for each in values.values()))}',
        *lines,
    ]
    cells = (
        (percentile_name(share), *(number(each[index], "ms") for each in values.values()))
        for index, share in enumerate(shares)
    )
    return f"{fenced('mermaid', chart)}\n\n{table(('percentile', *values), cells)}"

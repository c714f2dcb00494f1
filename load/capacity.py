"""Capacity: the highest rate at which one deployment keeps its SLO, found by asking it ever faster."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from load.intervals import quantile
from load.rows import DROPPED, Rows
from load.settings import GatePolicy, LoadSettings
from load.validity import REFUSED_STATUSES
from load.wording import number, percent

GROWTH = 1.5


@dataclass(frozen=True)
class Step:
    """What came of one rate: requests a second that were sent, quantiles in ms (None: unknown), the share that failed.

    `broken` is empty where the SLO was kept; `obstacle` is empty unless something else than the deployment, such as
    the generator, kept the step from telling anything of it.
    """

    rate_per_s: float
    sent_per_s: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    error_ratio: float
    broken: str
    obstacle: str

    @property
    def told(self) -> str:
        return self.obstacle or self.broken or "kept"


@dataclass(frozen=True)
class Capacity:
    """The highest rate that kept the SLO, None where none did, and what it was that ended the search."""

    rate_per_s: float | None
    steps: tuple[Step, ...]
    ended: str

    @property
    def unknown(self) -> bool:
        """Whether nothing was found out, as something else than the deployment was in the way of the first step."""
        return self.rate_per_s is None and bool(self.steps[-1].obstacle)


Measure = Callable[[LoadSettings], Rows]


def search(
    measure: Measure,
    settings: LoadSettings,
    policy: GatePolicy,
    *,
    most_per_s: float,
    precision: float,
    on_step: Callable[[Step], None] = lambda _: None,
) -> Capacity:
    """Raise the rate by half until the SLO breaks, then halve the gap until it is within `precision` (0 to 1)."""
    steps: list[Step] = []
    rate_per_s: float | None = min(settings.rate_pairs_per_s, most_per_s)
    while rate_per_s is not None:
        rows = measure(settings.model_copy(update={"rate_pairs_per_s": rate_per_s}))
        steps.append(judge_step(rows, rate_per_s, policy))
        on_step(steps[-1])
        rate_per_s = next_rate(steps, most_per_s, precision)
    return Capacity(most_kept(steps) or None, tuple(steps), why_ended(steps))


def next_rate(steps: Sequence[Step], most_per_s: float, precision: float) -> float | None:
    """Return the rate to try next; None where the answer is near enough, or no other rate would tell more."""
    kept, broken = most_kept(steps), least_broken(steps)
    if steps[-1].obstacle or not kept:
        return None
    if broken is None:
        return min(most_per_s, kept * GROWTH) if kept < most_per_s else None
    near = broken.rate_per_s - kept <= precision * broken.rate_per_s
    return None if near else (kept + broken.rate_per_s) / 2


def most_kept(steps: Sequence[Step]) -> float:
    """Return the highest rate that kept the SLO, 0 where none did."""
    return max((step.rate_per_s for step in steps if not step.broken and not step.obstacle), default=0.0)


def least_broken(steps: Sequence[Step]) -> Step | None:
    """Return the step of the lowest rate that broke the SLO."""
    return min((step for step in steps if step.broken), key=lambda step: step.rate_per_s, default=None)


def why_ended(steps: Sequence[Step]) -> str:
    """Say what keeps the answer from being higher."""
    if steps[-1].obstacle:
        return f"at {steps[-1].rate_per_s:.4g} requests/s {steps[-1].obstacle}"
    broken = least_broken(steps)
    return f"at {broken.rate_per_s:.4g} requests/s {broken.broken}" if broken else "no faster rate was tried"


def judge_step(rows: Rows, rate: float, policy: GatePolicy) -> Step:
    """Judge one rate by its values: each step is short, and the search goes back to where it was kept."""
    judged = rows.of("candidate")
    known = judged.latency_ms[judged.latency_known]
    p50, p95, p99 = (quantile(known, share) if len(known) else None for share in (0.5, 0.95, 0.99))
    error_ratio = float((judged.error != "").mean()) if len(judged) else 1.0
    return Step(
        rate_per_s=rate,
        sent_per_s=int((judged.error != DROPPED).sum()) / rows.plan.duration_s,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        error_ratio=error_ratio,
        broken=broken_limit(p50, p95, p99, error_ratio, policy),
        obstacle=obstacle(rows, policy),
    )


def broken_limit(
    p50: float | None, p95: float | None, p99: float | None, error_ratio: float, policy: GatePolicy
) -> str:
    """Say which limit of the SLO was broken, and by what; empty where none was."""
    if policy.max_error_ratio is not None and error_ratio > policy.max_error_ratio:
        return f"{percent(error_ratio)} of the requests failed, over {percent(policy.max_error_ratio)}"
    limits = (("p50", p50, policy.slo_p50_ms), ("p95", p95, policy.slo_p95_ms), ("p99", p99, policy.slo_p99_ms))
    for name, value_ms, limit_ms in limits:
        if value_ms is None:
            return "no request was answered"
        if limit_ms is not None and value_ms > limit_ms:
            return f"{name} is {number(value_ms, 'ms')}, over {limit_ms:g} ms"
    return ""


def obstacle(rows: Rows, policy: GatePolicy) -> str:
    """Say what else than the deployment limited a step; empty where nothing did."""
    if refused := int(np.isin(rows.status, REFUSED_STATUSES).sum()):
        return f"{refused} answers were 401 or 403: the key was refused"
    if held := int((rows.throttled_ms > 0).sum()):
        return f"the endpoint held {held} requests back for its bandwidth"
    if rows.end is not None and rows.end.cpu_ratio > policy.max_generator_cpu_ratio:
        return f"the generator was at its limit: it used {percent(rows.end.cpu_ratio)} of a core"
    sent = rows.lag_ms[(rows.error != DROPPED) & ~rows.warmup]
    lag_ms = quantile(sent, 0.99) if len(sent) else 0.0
    if lag_ms > policy.max_lag_p99_ms:
        return f"the generator was at its limit: 1 % of the requests left over {lag_ms:.0f} ms late"
    return ""


def rows_path_of(folder: Path, rate: float) -> Path:
    """Return where the rows of one rate go."""
    return folder / f"capacity-{rate:.4g}.csv.gz"

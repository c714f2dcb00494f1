"""Simulated load tests, with the faults that real servers have: drift, stalls, and colours that differ by themselves.

Latency is lognormal, times a drift that both live through (an autoregressive process), times a drift of each one's own,
times a constant of each colour (another node, another neighbour). Now and then a server stalls: whoever comes meanwhile
waits for the end of the stall. Unless told otherwise sigma is 0.35, the shared drift 12 % and the own drift 4 % over
45 s, colours are 3 % apart, and stalls, a shared one every 120 s and an own one every 300 s, last 0.6 s in the mean.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from load.rows import ROLES, TIMEOUT, Floats, Rows, RunEnd, RunPlan
from load.settings import LoadSettings

DRIFT_STEP_S = 1.0
STARTED_AT = datetime(2026, 1, 1, tzinfo=UTC).isoformat()


@dataclass(frozen=True)
class Noise:
    """What makes two runs of the same thing differ; standard deviations are of the logarithm.

    `colour` is that of the difference between two deployments of one image.
    """

    median_ms: float = 60.0
    sigma: float = 0.35
    shared_drift: float = 0.12
    own_drift: float = 0.04
    drift_time_s: float = 45.0
    colour: float = 0.03
    shared_stall_every_s: float = 120.0
    own_stall_every_s: float = 300.0
    stall_mean_s: float = 0.6
    error_ratio: float = 0.001


@dataclass(frozen=True)
class Truth:
    """How the candidate really differs from live: all requests by a factor, some by another, and its error ratio."""

    name: str
    factor: float = 1.0
    slow_share: float = 0.0
    slow_factor: float = 3.0
    error_ratio: float | None = None


TRUTHS = (
    Truth("identical"),
    Truth("+10 %", factor=1.1),
    Truth("+20 %", factor=1.2),
    Truth("+30 %", factor=1.3),
    Truth("+50 %", factor=1.5),
    Truth("3 % of requests x3", slow_share=0.03),
    Truth("10 % of requests x3", slow_share=0.10),
    Truth("errors 0.1 -> 0.5 %", error_ratio=0.005),
)


def simulate(settings: LoadSettings, truth: Truth, chance: np.random.Generator, noise: Noise | None = None) -> Rows:
    """Return the rows of a whole run, as if nobody had ended it at a look."""
    noise = noise or Noise()
    total_s = settings.warmup_s + settings.duration_s
    due_s = np.sort(chance.uniform(0, total_s, chance.poisson(settings.rate_pairs_per_s * total_s)))
    shared = drift(due_s, total_s, noise.shared_drift, noise.drift_time_s, chance)
    stalls = stall_ms(due_s, total_s, noise.shared_stall_every_s, noise.stall_mean_s, chance)
    arms = []
    for role in ROLES:
        own = drift(due_s, total_s, noise.own_drift, noise.drift_time_s, chance)
        each = chance.normal(0, noise.sigma, len(due_s))
        latency_ms = noise.median_ms * np.exp(each + shared + own + chance.normal(0, noise.colour / np.sqrt(2)))
        error_ratio = noise.error_ratio
        if role == "candidate":
            latency_ms *= truth.factor
            latency_ms[chance.random(len(due_s)) < truth.slow_share] *= truth.slow_factor
            error_ratio = truth.error_ratio if truth.error_ratio is not None else error_ratio
        latency_ms += stalls + stall_ms(due_s, total_s, noise.own_stall_every_s, noise.stall_mean_s, chance)
        arms.append((latency_ms, chance.random(len(due_s)) < error_ratio))
    return rows_of(settings, due_s, arms)


def drift(due_s: Floats, total_s: float, spread: float, time_s: float, chance: np.random.Generator) -> Floats:
    """Return an autoregressive process of this spread and time constant at each of the times."""
    steps = int(total_s / DRIFT_STEP_S) + 2
    kept = float(np.exp(-DRIFT_STEP_S / time_s))
    shocks = chance.normal(0, spread * np.sqrt(1 - kept * kept), steps)
    shocks[0] = chance.normal(0, spread)
    walk = np.empty(steps)
    value = 0.0
    for index, shock in enumerate(shocks.tolist()):
        value = kept * value + shock
        walk[index] = value
    return np.interp(due_s, np.arange(steps) * DRIFT_STEP_S, walk)


def stall_ms(due_s: Floats, total_s: float, every_s: float, mean_s: float, chance: np.random.Generator) -> Floats:
    """Return how long each request waits for the end of a stall."""
    waits_ms = np.zeros(len(due_s))
    count = chance.poisson(total_s / every_s)
    for begins_s, lasts_s in zip(chance.uniform(0, total_s, count), chance.exponential(mean_s, count), strict=True):
        inside = (due_s >= begins_s) & (due_s < begins_s + lasts_s)
        waits_ms[inside] = np.maximum(waits_ms[inside], (begins_s + lasts_s - due_s[inside]) * 1000)
    return waits_ms


def rows_of(settings: LoadSettings, due_s: Floats, arms: list[tuple[Floats, Any]]) -> Rows:
    """Return the rows of live and candidate, pair by pair, from each one's latencies and failures."""
    pairs, names = len(due_s), {"live": "blue", "candidate": "green"}
    plan = RunPlan(
        started_at=STARTED_AT,
        live=names["live"],
        candidate=names["candidate"],
        rate_pairs_per_s=settings.rate_pairs_per_s,
        warmup_s=settings.warmup_s,
        duration_s=settings.duration_s,
        timeout_s=settings.timeout_s,
        max_in_flight=settings.max_in_flight,
        seed=settings.seed,
        generator="simulation",
    )
    total_s = settings.warmup_s + settings.duration_s
    both_s = np.tile(due_s, 2)
    service_ms = np.concatenate([latency_ms for latency_ms, _ in arms])
    failed, timed_out = np.concatenate([failures for _, failures in arms]), service_ms >= settings.timeout_s * 1000
    return Rows(
        plan,
        RunEnd(pairs, total_s, settings.duration_s, 0.05),
        pair=np.tile(np.arange(pairs), 2),
        role=np.repeat(np.array(ROLES), pairs),
        intended_s=both_s,
        lag_ms=np.zeros(2 * pairs),
        service_ms=np.minimum(service_ms, settings.timeout_s * 1000),
        warmup=both_s < settings.warmup_s,
        status=np.select([timed_out, failed], [0, 424], 200),
        error=np.select([timed_out, failed], [TIMEOUT, "http_424"], ""),
        answered_by=np.where(timed_out, "", np.repeat(np.array(list(names.values())), pairs)),
        model=np.full(2 * pairs, ""),
        payload=np.full(2 * pairs, "payload"),
        answer=np.full(2 * pairs, ""),
        throttled_ms=np.zeros(2 * pairs),
        request_id=np.full(2 * pairs, ""),
    )

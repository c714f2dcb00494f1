"""A step, watched: live and candidate are asked the same at a low rate, beside an ordinary client's requests."""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event
from time import monotonic

import numpy as np

from deployment.golden import GoldenRequests
from deployment.scoring import Answer, ScoringClient
from deployment.settings import ShiftSettings
from load.intervals import Arm, bounds, resample_blocks, resampled_quantiles
from load.settings import GatePolicy

MEDIAN = (0.5,)
# A median is compared from here on; fewer pairs are judged by their answers alone.
MIN_PAIRS = 100
PAIRS_PER_BLOCK = 5
# How often the endpoint itself is looked at: somebody may give its traffic to another meanwhile.
LOOK_EVERY_S = 10.0
# A breach costs the release, and there are several steps: nearer to certainty than the gate's own bounds.
CONFIDENCE = 0.999


@dataclass(frozen=True)
class Watched:
    """What was seen while a step was watched, and whether it may stay."""

    fits: bool
    reason: str


@dataclass
class Latencies:
    """Milliseconds of both, pair by pair."""

    live_ms: list[float] = field(default_factory=list)
    candidate_ms: list[float] = field(default_factory=list)


def watch(
    client: ScoringClient,
    golden: GoldenRequests,
    *,
    live: str | None,
    candidate: str,
    duration_s: float,
    settings: ShiftSettings,
    policy: GatePolicy,
    look_on: Callable[[], None] = lambda: None,
) -> Watched:
    """Ask until `duration_s` is over or the candidate has breached: a wrong or failed answer, or a slower median.

    A failure of live alone is told, and no breach of the candidate's. `look_on` is called now and then, and may raise.
    """
    latencies, live_failures, pairs, looked_s = Latencies(), 0, 0, 0.0
    started_s = monotonic()
    slipped_s = 0.0
    while (due_s := pairs / settings.bake_rate_pairs_per_s + slipped_s) < duration_s:
        Event().wait(max(0.0, started_s + due_s - monotonic()))
        if due_s >= looked_s + LOOK_EVERY_S:
            look_on()
            looked_s = due_s
        request = golden.requests[pairs % len(golden.requests)]
        answers = ask_both(client, request.body, live, candidate, latencies, live_first=pairs % 2 == 0)
        if mismatch := golden.mismatch(request, answers[candidate]):
            return Watched(fits=False, reason=f"{candidate} answered {request.id} with {mismatch}")
        if answers[candidate].deployment != candidate:
            who = answers[candidate].deployment or "nobody known"
            return Watched(fits=False, reason=f"a request to {candidate} was answered by {who}")
        unnamed = client.score(request.body)
        by_live = live is not None and (not answers[live].ok or unnamed.deployment == live)
        if not unnamed.ok and not by_live:
            return Watched(fits=False, reason=f"the endpoint answered a client with status {unnamed.status}")
        live_failures += live is not None and not (answers[live].ok and unnamed.ok)
        pairs += 1
        # Answers that take longer than the pace make it slower; they do not make the step longer.
        slipped_s = max(slipped_s, monotonic() - started_s - pairs / settings.bake_rate_pairs_per_s)
    told = f"watched for {duration_s:g} s, {pairs} looks" + (
        f", {live_failures} failures of live" * bool(live_failures)
    )
    if slower := slower_median(latencies, policy):
        return Watched(fits=False, reason=f"{candidate} is slower than {live}: {slower}")
    return Watched(fits=True, reason=f"{told}: no breach")


def ask_both(
    client: ScoringClient,
    body: object,
    live: str | None,
    candidate: str,
    latencies: Latencies,
    *,
    live_first: bool,
) -> dict[str, Answer]:
    """Ask live and candidate by name, in turn who comes first."""
    if live is None:
        return {candidate: client.score(body, deployment=candidate)}
    names = (live, candidate) if live_first else (candidate, live)
    timed = {name: timed_answer(client, body, name) for name in names}
    if timed[live][0].ok:
        latencies.live_ms.append(timed[live][1])
        latencies.candidate_ms.append(timed[candidate][1])
    return {name: answer for name, (answer, _) in timed.items()}


def timed_answer(client: ScoringClient, body: object, deployment: str) -> tuple[Answer, float]:
    started_s = monotonic()
    return client.score(body, deployment=deployment), (monotonic() - started_s) * 1000


def slower_median(latencies: Latencies, policy: GatePolicy) -> str | None:
    """Say by how much the candidate's median is surely slower than the gate allows; None where that is not shown."""
    pairs, max_ratio = len(latencies.live_ms), policy.max_p50_ratio
    if pairs < MIN_PAIRS or max_ratio is None:
        return None
    block = np.arange(pairs) // PAIRS_PER_BLOCK
    draws = resample_blocks(int(block[-1]) + 1, policy.bootstrap_resamples, policy.bootstrap_seed)
    live, candidate = (
        resampled_quantiles(Arm(np.array(values), block), draws, MEDIAN)[0]
        for values in (latencies.live_ms, latencies.candidate_ms)
    )
    surely_ms, _ = bounds(candidate - np.maximum(max_ratio * live, live + policy.ignore_below_ms), CONFIDENCE)
    if surely_ms <= 0:
        return None
    medians = float(np.median(latencies.candidate_ms)), float(np.median(latencies.live_ms))
    allowed_ms = max(max_ratio * medians[1], medians[1] + policy.ignore_below_ms)
    return f"p50 {medians[0]:.1f} ms vs {medians[1]:.1f} ms in {pairs} pairs, at most {allowed_ms:.1f} ms are allowed"

"""How often the gate errs: simulated releases whose truth is known, judged by a policy."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from load.gate import judge
from load.settings import GatePolicy, LoadSettings
from load.simulation import Noise, Truth, simulate
from load.verdict import Outcome

RUNS_PER_TASK = 10


@dataclass(frozen=True)
class Judged:
    """One simulated release: how it was judged, after how many judged seconds."""

    outcome: Outcome
    judged_s: float


@dataclass(frozen=True)
class Rates:
    """How the releases of one truth were judged."""

    truth: Truth
    runs: int
    counts: Counter[Outcome]
    mean_judged_s: float

    def share(self, outcome: Outcome) -> float:
        """Return the share of the runs that were judged so."""
        return self.counts[outcome] / self.runs


def judge_some(
    truth: Truth, seeds: Sequence[int], settings: LoadSettings, policy: GatePolicy, noise: Noise
) -> list[Judged]:
    """Simulate and judge a release for each seed."""
    found = []
    for seed in seeds:
        verdict = judge(simulate(settings, truth, np.random.default_rng(seed), noise), policy)
        found.append(Judged(verdict.outcome, verdict.judged_s))
    return found


def calibrate(
    truths: Sequence[Truth],
    *,
    runs: int,
    seed: int,
    jobs: int,
    settings: LoadSettings,
    policy: GatePolicy,
    noise: Noise | None = None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Iterator[Rates]:
    """Yield the rates of each truth; every run has a seed of its own, which follows from `seed`."""
    with ProcessPoolExecutor(jobs) as pool:
        for number, truth in enumerate(truths):
            seeds = range(seed + number * runs, seed + (number + 1) * runs)
            parts = [seeds[start : start + RUNS_PER_TASK] for start in range(0, runs, RUNS_PER_TASK)]
            work = partial(judge_some, truth, settings=settings, policy=policy, noise=noise or Noise())
            found: list[Judged] = []
            for part in pool.map(work, parts):
                found += part
                on_progress(len(part))
            yield Rates(
                truth,
                runs,
                Counter(each.outcome for each in found),
                sum(each.judged_s for each in found) / runs,
            )

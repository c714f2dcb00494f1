"""How often the gate errs: releases whose truth is known, simulated or drawn from a run, judged by a policy."""

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from zlib import crc32

import numpy as np

from load.gate import judge
from load.rows import Rows
from load.settings import GatePolicy
from load.simulation import Truth
from load.verdict import Outcome

RUNS_PER_TASK = 10

# Makes the rows of a release; it goes to other processes, so it is a function of a module, or a partial of one.
Releases = Callable[[Truth, np.random.Generator], Rows]


@dataclass(frozen=True)
class Judged:
    """One release: how it was judged, after how many judged seconds."""

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


def judge_some(truth: Truth, runs: Sequence[int], seed: int, releases: Releases, policy: GatePolicy) -> list[Judged]:
    """Make and judge the releases of these numbers."""
    found = []
    for run in runs:
        verdict = judge(releases(truth, chance_of(truth, run, seed)), policy)
        found.append(Judged(verdict.outcome, verdict.judged_s))
    return found


def chance_of(truth: Truth, run: int, seed: int) -> np.random.Generator:
    """Return the chance of one release: no two have the same, whichever truths are looked at beside it."""
    return np.random.default_rng((seed, crc32(truth.name.encode()), run))


def calibrate(
    truths: Sequence[Truth],
    *,
    runs: int,
    seed: int,
    jobs: int,
    releases: Releases,
    policy: GatePolicy,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Iterator[Rates]:
    """Yield the rates of each truth, judged in so many processes at once."""
    # Threads of the caller's, such as a progress bar's, do not survive a fork.
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        for truth in truths:
            parts = [range(start, min(runs, start + RUNS_PER_TASK)) for start in range(0, runs, RUNS_PER_TASK)]
            work = partial(judge_some, truth, seed=seed, releases=releases, policy=policy)
            found: list[Judged] = []
            for part in pool.map(work, parts):
                found += part
                on_progress(len(part))
            counts = Counter(each.outcome for each in found)
            yield Rates(truth, runs, counts, sum(each.judged_s for each in found) / runs)

"""Who had the traffic over a release, as geometry: in percent of the whole width and height."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

from load.report_data import JournalEntry

PHONE_GAP = 15  # percent of the width that a step's label takes on a phone


@dataclass(frozen=True)
class Share:
    """A stretch of time (percent of the whole, from left) during which a deployment had a share of the traffic."""

    role: str
    left: float
    width: float
    top: float
    height: float


@dataclass(frozen=True)
class Step:
    """A change of the traffic: where (percent of the whole, from left) and what the candidate's share became.

    `crowded` says that the next one is so near that on a phone both labels would lie on each other.
    """

    left: float
    label: str
    crowded: bool = False


@dataclass(frozen=True)
class TrafficChart:
    """Who had how much of the traffic over the release."""

    shares: tuple[Share, ...]
    steps: tuple[Step, ...]
    begins_at: datetime
    ends_at: datetime


def traffic_chart(journal: Sequence[JournalEntry], candidate: str) -> TrafficChart | None:
    """Draw the traffic between the journal's first and last entry; None where that is no stretch of time."""
    if len(journal) < 2 or journal[-1].at <= journal[0].at:  # noqa: PLR2004 - a stretch has two ends
        return None
    begins_at, ends_at = journal[0].at, journal[-1].at

    def left(at: datetime) -> float:
        return round(100 * (at - begins_at) / (ends_at - begins_at), 2)

    shares, steps = [], []
    for entry, until in stretches(journal):
        height = 0.0
        for name, percent in sorted(entry.traffic.items(), key=lambda item: item[0] == candidate):
            if percent:
                role = "candidate" if name == candidate else "live"
                width = round(left(until) - left(entry.at), 2)
                shares.append(Share(role, left(entry.at), width, 100 - height - percent, percent))
            height += percent
    for before, entry in pairwise(journal):
        now = entry.traffic.get(candidate, 0)
        if now != before.traffic.get(candidate, 0):
            steps.append(Step(left(entry.at), f"{now} %"))
    marked = [replace(step, crowded=then.left - step.left < PHONE_GAP) for step, then in pairwise(steps)] + steps[-1:]
    return TrafficChart(tuple(shares), tuple(marked), begins_at, ends_at)


def stretches(journal: Sequence[JournalEntry]) -> Iterator[tuple[JournalEntry, datetime]]:
    """Yield the entries that changed the traffic, each with the time of the next change."""
    begun = journal[0]
    for entry in journal[1:]:
        if entry.traffic != begun.traffic:
            yield begun, entry.at
            begun = entry
    if journal[-1].at > begun.at:
        yield begun, journal[-1].at

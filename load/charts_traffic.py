"""Who had the traffic over a release, as geometry: in percent of the whole width and height."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from load.report_data import JournalEntry

# Percent of the width from which the labels of two steps can stand beside each other.
DESK_GAP, PHONE_GAP = 7, 24
MARGIN = 1 / 3  # of the time between the first step and the last, shown before and after them


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
    """A change of the traffic: where (percent of the whole, from left), when, and what the candidate's share became.

    Labels that would lie on each other stand in different rows, of which a phone needs more than a desk.
    """

    left: float
    at: datetime
    candidate_percent: int
    desk_row: int = 0
    phone_row: int = 0


@dataclass(frozen=True)
class TrafficChart:
    """Who had how much of the traffic over the release."""

    shares: tuple[Share, ...]
    steps: tuple[Step, ...]
    begins_at: datetime
    ends_at: datetime

    @property
    def desk_rows(self) -> int:
        return 1 + max((step.desk_row for step in self.steps), default=-1)

    @property
    def phone_rows(self) -> int:
        return 1 + max((step.phone_row for step in self.steps), default=-1)


def traffic_chart(journal: Sequence[JournalEntry], candidate: str) -> TrafficChart | None:
    """Draw the traffic around its steps, or of the whole journal; None where that is no stretch of time."""
    if len(journal) < 2 or journal[-1].at <= journal[0].at:  # noqa: PLR2004 - a stretch has two ends
        return None
    begins_at, ends_at = window(journal)

    def left(at: datetime) -> float:
        return round(100 * (min(max(at, begins_at), ends_at) - begins_at) / (ends_at - begins_at), 2)

    shares = []
    for entry, until in stretches(journal):
        height, width = 0.0, round(left(until) - left(entry.at), 2)
        for name, percent in sorted(entry.traffic.items(), key=lambda item: item[0] != candidate):
            if percent and width:
                role = "candidate" if name == candidate else "live"
                shares.append(Share(role, left(entry.at), width, 100 - height - percent, percent))
            height += percent
    changed = [(entry.at, entry.traffic.get(candidate, 0)) for entry in steps(journal, candidate)]
    places = [left(at) for at, _ in changed]
    return TrafficChart(
        tuple(shares),
        tuple(
            Step(place, at, percent, desk_row, phone_row)
            for place, (at, percent), desk_row, phone_row in zip(
                places, changed, rows_of(places, DESK_GAP), rows_of(places, PHONE_GAP), strict=True
            )
        ),
        begins_at,
        ends_at,
    )


def window(journal: Sequence[JournalEntry]) -> tuple[datetime, datetime]:
    """Return the time to show: of the minutes in which nothing changes, as much as leaves room for the steps."""
    begun, ended = journal[0].at, journal[-1].at
    changes = [after.at for before, after in pairwise(journal) if after.traffic != before.traffic]
    if len(changes) < 2 or changes[-1] <= changes[0]:  # noqa: PLR2004 - between two
        return begun, ended
    margin = (changes[-1] - changes[0]) * MARGIN
    return max(begun, changes[0] - margin), min(ended, changes[-1] + margin)


def steps(journal: Sequence[JournalEntry], candidate: str) -> Iterator[JournalEntry]:
    """Yield the entries with which the candidate's share became another."""
    for before, entry in pairwise(journal):
        if entry.traffic.get(candidate, 0) != before.traffic.get(candidate, 0):
            yield entry


def stretches(journal: Sequence[JournalEntry]) -> Iterator[tuple[JournalEntry, datetime]]:
    """Yield the entries that changed the traffic, each with the time of the next change."""
    begun = journal[0]
    for entry in journal[1:]:
        if entry.traffic != begun.traffic:
            yield begun, entry.at
            begun = entry
    if journal[-1].at > begun.at:
        yield begun, journal[-1].at


def rows_of(places: Sequence[float], gap: float) -> list[int]:
    """Return for each label the first row in which nothing stands too near before it."""
    rows: list[float] = []
    found = []
    for place in places:
        row = next((row for row, last in enumerate(rows) if place - last >= gap), len(rows))
        rows[row : row + 1] = [place]
        found.append(row)
    return found

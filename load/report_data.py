"""What a report says, as data; render_html and render_markdown make a page and a job summary of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from load.rows import Rows
from load.verdict import Verdict


@dataclass(frozen=True)
class JournalEntry:
    """Something that happened, with the traffic after it (percent by deployment).

    `verified` says whether the answers were seen to follow that traffic; None where nobody looked.
    """

    at: datetime
    phase: str
    event: str
    traffic: Mapping[str, int] = field(default_factory=dict)
    verified: bool | None = None


@dataclass(frozen=True)
class SmokeCheck:
    """One golden request to the candidate: what it should have answered, what it did, and what is wrong with that."""

    request_id: str
    expected: str
    answered: str
    mismatch: str | None


@dataclass(frozen=True)
class LogEvent:
    """Something the platform did with a container: when, in its own writing, and whether it is Normal or a Warning."""

    at: str
    name: str
    kind: str
    message: str


@dataclass(frozen=True)
class ContainerLog:
    """What the platform tells of one container: how far its start came, what happened to it, and what it wrote.

    `status` holds steps and how each stands, `lines` the output as it was written.
    """

    container: str
    status: tuple[tuple[str, str], ...]
    events: tuple[LogEvent, ...]
    lines: str


@dataclass(frozen=True)
class PastRelease:
    """A release that ended before this one on the same endpoint, and what it was of."""

    release_id: str
    outcome: str
    finished_at: datetime
    deployment: str
    model_version: str
    image: str
    commit: str


@dataclass(frozen=True)
class ReleaseReport:
    """One release, told to people.

    `outcome` is a word or two for the banner (PROMOTED, REFUSED, ROLLED BACK, ...), `good` whether the candidate has
    the traffic; `sentence` says why, `next_action` what to do. `verdict` and `rows` are None where the release ended
    before the load. `live` had the traffic before and `candidate` is to have it; None stands for what the
    verdict says. `facts` are labels and values of the environment, shown in their order. `logs` are those of a
    deployment that did not become ready, `history` the releases before this one, in any order.
    """

    outcome: str
    good: bool
    sentence: str
    next_action: str
    endpoint: str
    finished_at: datetime
    live: str | None = None
    candidate: str | None = None
    verdict: Verdict | None = None
    rows: Rows | None = None
    smoke: tuple[SmokeCheck, ...] = ()
    journal: tuple[JournalEntry, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    replay_command: str | None = None
    logs: tuple[ContainerLog, ...] = ()
    history: tuple[PastRelease, ...] = ()

    @property
    def measured_alone(self) -> bool:
        """Whether the load was measured with nothing to compare the candidate with."""
        if self.verdict is not None:
            return self.verdict.live is None
        return self.rows is not None and self.rows.plan.live is None

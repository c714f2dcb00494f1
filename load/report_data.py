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
class ReleaseReport:
    """One release, told to people.

    `outcome` is a word or two for the banner (PROMOTED, REFUSED, ROLLED BACK, ...), `good` whether the candidate has
    the traffic; `sentence` says why, `next_action` what to do. `verdict` and `rows` are None where the release ended
    before the load. `live` had the traffic before and `candidate` is to have it; None stands for what the
    verdict says. `facts` are labels and values of the environment, shown in their order.
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

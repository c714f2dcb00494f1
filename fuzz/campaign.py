"""One target under fuzz for a while: counts, and the smallest body found for each violation."""

import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from fuzz.bodies import bodies
from fuzz.targets import Target

PROGRESS_S = 5.0
MOST_VIOLATIONS = 20
SHRINK_TRIES = 400
VALUES = re.compile(r"[\[\d'\"]")


@dataclass(frozen=True)
class Finding:
    """A body that breaks the contract, made as small as it still does."""

    target: str
    violation: str
    body: bytes


@dataclass
class Campaign:
    """What came of the bodies; `outcomes` counts "accepted" and the codes of refusals."""

    target: str
    cases: int = 0
    seconds: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)


def run(target: Target, *, seed: int, seconds: float, progress: Callable[[Campaign], None]) -> Campaign:
    """Give the target bodies for so long, or until MOST_VIOLATIONS kinds of violation are known."""
    campaign = Campaign(target.name)
    known: set[str] = set()
    started_s = shown_s = time.monotonic()
    for body in bodies(target.fields, seed):
        seen = target.give(body)
        campaign.cases += 1
        campaign.outcomes[seen.outcome] += 1
        if seen.violation is not None and (kind := _kind(seen.violation)) not in known:
            known.add(kind)
            campaign.findings.append(Finding(target.name, seen.violation, shrink(target, body, kind)))
        now_s = time.monotonic()
        campaign.seconds = now_s - started_s
        if campaign.seconds >= seconds or len(known) >= MOST_VIOLATIONS:
            break
        if now_s - shown_s >= PROGRESS_S:
            shown_s = now_s
            progress(campaign)
    return campaign


def shrink(target: Target, body: bytes, kind: str) -> bytes:
    """Leave out pieces, large ones first, as long as the violation stays of its kind."""
    size, tries = max(1, len(body) // 2), 0
    while size and tries < SHRINK_TRIES:
        start = 0
        while start < len(body) and tries < SHRINK_TRIES:
            shorter = body[:start] + body[start + size :]
            seen = target.give(shorter)
            tries += 1
            if seen.violation is not None and _kind(seen.violation) == kind:
                body = shorter
            else:
                start += size
        size //= 2
    return body


def _kind(violation: str) -> str:
    """Return the violation without the values of this one body."""
    return VALUES.split(violation, maxsplit=1)[0]

"""What a release did, as it did it: evidence for people and reports, never the truth (that is the endpoint)."""

import contextlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from deployment.phases import Phase, may_follow
from deployment.platform import Traffic
from load.report_data import JournalEntry
from load.run_files import Progress


class Watcher(Protocol):
    """Somebody who looks on while a release runs; whatever they do cannot stop it."""

    def started(self, what: str) -> None:
        """Take note that something has begun which may take a while."""

    def recorded(self, entry: JournalEntry) -> None:
        """Take note of what has happened."""

    def measured(self, progress: Progress) -> None:
        """Take note of how far the load test is."""


@dataclass
class Journal:
    """The phase and traffic of one release, and all that happened, appended to a JSON-lines file as it happens."""

    path: Path
    watcher: Watcher
    phase: Phase = Phase.OBSERVED
    traffic: Traffic = field(default_factory=dict)
    entries: list[JournalEntry] = field(default_factory=list)

    def read_earlier(self) -> None:
        """Take over what earlier processes of this release have written; lines that cannot be read are left out."""
        with contextlib.suppress(OSError):
            for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    found = json.loads(line)
                    at, traffic = datetime.fromisoformat(found["at"]), dict(found["traffic"])
                    entry = JournalEntry(at, str(found["phase"]), str(found["event"]), traffic, found["verified"])
                    self.entries.append(entry)

    def enter(self, phase: Phase, event: str, *, verified: bool | None = None) -> None:
        """Go on to the next phase, as the table of transitions allows, and record why."""
        if not may_follow(self.phase, phase):
            raise AssertionError(f"{phase} cannot follow {self.phase}")
        self.phase = phase
        self.record(event, verified=verified)

    def record(self, event: str, *, verified: bool | None = None) -> None:
        """Add an entry; `verified` says whether the data plane was seen to follow the traffic (None: not looked at)."""
        entry = JournalEntry(datetime.now(UTC), self.phase, event, dict(self.traffic), verified)
        self.entries.append(entry)
        line = {
            "at": entry.at.isoformat(timespec="milliseconds"),
            "phase": self.phase,
            "event": event,
            "traffic": dict(self.traffic),
            "verified": verified,
        }
        # A full disk must not stand between a breach and the way back.
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        with contextlib.suppress(Exception):
            self.watcher.recorded(entry)

    def started(self, what: str) -> None:
        """Tell whoever looks on that something has begun which may take a while."""
        with contextlib.suppress(Exception):
            self.watcher.started(what)

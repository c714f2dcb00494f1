"""What a running load test keeps: its rows as they come, the distinct answers, and how far all has ended."""

import json
from collections import Counter
from contextlib import suppress
from hashlib import blake2b
from itertools import count
from typing import Any

from load.rows import DROPPED, Row
from load.rows_file import RowsWriter
from load.run_files import Progress

# Answers are compared by their bodies; those of models that never answer alike would fill the file.
MOST_ANSWERS = 20_000
MOST_ANSWER_BYTES = 16 * 1024
MOST_BYTES = 32 * 1024 * 1024


class Tally:
    """Counts, and writes, what one process has asked."""

    def __init__(self, rows: RowsWriter, warmup_s: float) -> None:
        self.rows = rows
        self.warmup_s = warmup_s
        self.pairs = 0
        self.sent_until_s = 0.0  # when the last arrival was due that was sent or dropped
        self.ended: Counter[str] = Counter()  # role -> requests answered, failed or dropped
        self.errors: Counter[str] = Counter()  # role -> those that failed or were dropped
        self._names: set[str] = set()
        self._bytes = 0  # of all bodies that were written
        self._tickets = count()
        self._unanswered: dict[int, float] = {}  # ticket -> when due, the earliest first

    def sent(self, due_s: float) -> int:
        """Take note of a request that waits for its answer, and return what it is called by."""
        ticket = next(self._tickets)
        self._unanswered[ticket] = due_s
        return ticket

    def take(self, ticket: int, row: Row) -> None:
        """Write a request that has ended."""
        del self._unanswered[ticket]
        self._write(row)

    def drop(self, role: str, payload: str, due_s: float) -> None:
        """Write a request that could not be sent."""
        warmup = int(due_s < self.warmup_s)
        self._write(Row(self.pairs, role, round(due_s, 6), 0.0, 0.0, warmup, 0, DROPPED, "", "", payload, "", 0.0, ""))

    @property
    def ended_s(self) -> float:
        """Before when all that was due has been written."""
        return min(self.sent_until_s, next(iter(self._unanswered.values()), self.sent_until_s))

    def progress(self, elapsed_s: float, total_s: float) -> Progress:
        return Progress(
            elapsed_s=round(elapsed_s, 2),
            total_s=total_s,
            ended_s=self.ended_s,
            pairs=self.pairs,
            errors=self.errors.total(),
            live_ended=self.ended["live"],
            live_errors=self.errors["live"],
        )

    def name_of(self, body: bytes) -> str:
        """Return what rows call a body; it is written where it is new, and nothing is where there are too many."""
        name = blake2b(body, digest_size=8).hexdigest()
        if name in self._names:
            return name
        kept = len(body) <= MOST_ANSWER_BYTES
        size = len(body) if kept else 0
        if len(self._names) >= MOST_ANSWERS or self._bytes + size > MOST_BYTES:
            return ""
        self._names.add(name)
        self._bytes += size
        self.rows.answer(name, parsed(body) if kept else None)
        return name

    def _write(self, row: Row) -> None:
        self.rows.write(row)
        self.ended[row.role] += 1
        if row.error:
            self.errors[row.role] += 1


def parsed(body: bytes) -> Any:
    """Return what the body says; None where that is no JSON, or nested without end."""
    with suppress(ValueError, RecursionError):
        return json.loads(body)
    return None

"""A client of the endpoint's own route that never stops asking while a release runs, and counts what it got."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle
from threading import Event, Thread
from types import TracebackType
from typing import Any, Self

from deployment.scoring import ScoringClient


@dataclass
class BackgroundClient:
    """One thread, one request at a time, `interval_s` apart, none naming a deployment."""

    client: ScoringClient
    bodies: Sequence[Any]
    interval_s: float = 0.05
    answered: Counter[str] = field(default_factory=Counter)  # deployment -> answers with status 200
    failed: Counter[int] = field(default_factory=Counter)  # status (0: no answer) -> answers with any other

    def __post_init__(self) -> None:
        self._stop = Event()
        self._thread = Thread(target=self._run, name="background-client", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def failures(self) -> int:
        return self.failed.total()

    def summary(self) -> str:
        """Say how many requests were sent, who answered them, and how many failed."""
        total = self.answered.total() + self.failures
        by_deployment = ", ".join(f"{name} {count}" for name, count in sorted(self.answered.items()))
        by_status = ", ".join(f"{count} x status {status}" for status, count in sorted(self.failed.items()))
        return f"{total} requests ({by_deployment or 'none answered'}), {self.failures} failed" + (
            f": {by_status}" if by_status else ""
        )

    def _run(self) -> None:
        for body in cycle(self.bodies):
            answer = self.client.score(body)
            if answer.ok:
                self.answered[answer.deployment] += 1
            else:
                self.failed[answer.status] += 1
            if self._stop.wait(self.interval_s):
                return

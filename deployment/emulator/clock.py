"""Time as a value that is passed in, so that tests decide how fast it goes."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """The time of day and the passing of time."""

    def now(self) -> datetime:
        """Answer the time of day in UTC."""
        ...

    def monotonic_s(self) -> float:
        """Answer seconds on a clock that never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return once that many seconds have passed."""
        ...


class RealClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Answer the time of day in UTC."""
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """Answer seconds on a clock that never goes back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return once that many seconds have passed."""
        await asyncio.sleep(seconds)

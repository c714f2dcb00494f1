"""What is looked at while a load test runs, and what ends it before its time: enough known, or a live that suffers."""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from load.gate import decides, look
from load.rows import Observed
from load.rows_file import read_rows
from load.run_files import Progress, Stop, write_stop
from load.settings import GatePolicy, LoadSettings
from load.wording import percent

LEAST_FAILURES = 10  # of live, before anything is made of them


class Looker:
    """Looks at the rows of a run that goes on, and ends it as soon as they decide."""

    def __init__(
        self,
        rows_path: Path,
        stop_path: Path,
        settings: LoadSettings,
        policy: GatePolicy | None,
        observe: Callable[[], str] | None,
    ) -> None:
        self.rows_path = rows_path
        self.stop_path = stop_path
        self.warmup_s = settings.warmup_s
        self.policy = policy
        self.observe = observe
        self.observed: list[Observed] = []
        self.elapsed_s = 0.0
        self.looks_s = list(policy.looks_of(settings.duration_s)[:-1]) if policy else []

    def take(self, progress: Progress) -> None:
        """Look, where all that was due before the next look has ended."""
        self.elapsed_s = progress.elapsed_s
        if self.policy is not None and self.looks_s and progress.ended_s >= self.warmup_s + self.looks_s[0]:
            judged_s = self.looks_s.pop(0)
            self.look_at_traffic()
            rows = replace(read_rows(self.rows_path), observed=tuple(self.observed))
            if decides(look(rows, self.policy, judged_s)):
                write_stop(self.stop_path, Stop(judged_s))
                self.looks_s.clear()

    def look_at_traffic(self) -> None:
        """Take note of the endpoint's traffic."""
        if self.observe is not None:
            self.observed.append(Observed(self.elapsed_s, self.observe()))


class LiveGuard:
    """Ends a run in which live, which has users, fails: a load test may be what it fails of."""

    def __init__(self, stop_path: Path, settings: LoadSettings) -> None:
        self.stop_path = stop_path
        self.settings = settings
        self.window: deque[Progress] = deque()

    def take(self, progress: Progress) -> None:
        """Compare with what was there a window ago."""
        allowed = self.settings.stop_at_live_error_ratio
        if allowed is None:
            return
        self.window.append(progress)
        while progress.elapsed_s - self.window[0].elapsed_s > self.settings.live_window_s:
            self.window.popleft()
        ended = progress.live_ended - self.window[0].live_ended
        failed = progress.live_errors - self.window[0].live_errors
        if failed >= LEAST_FAILURES and failed > allowed * ended:
            why = (
                f"live failed {failed} of {ended} requests within {self.settings.live_window_s:g} s "
                f"({percent(failed / ended)}, the load ends beyond {percent(allowed)} to spare its users)"
            )
            judged_s = max(0.0, progress.elapsed_s - self.settings.warmup_s)
            write_stop(self.stop_path, Stop(judged_s, why))

"""What other processes of the machine took of its cores while something was measured."""

import os
import resource
import time
from pathlib import Path

# user, nice, system, irq, softirq of /proc/stat: neither idle, nor waiting, nor stolen.
BUSY_FIELDS = (0, 1, 2, 5, 6)
DISTURBED_PERCENT = 5.0


class Disturbance:
    """Counts from now on. Processes of ours count once they have ended and been waited for."""

    def __init__(self) -> None:
        self._start = self._read()

    def percent(self) -> float:
        """Return the share of all cores' time that went to processes that are not ours; to about 2 %."""
        elapsed_s, busy_s, own_s = (now - before for now, before in zip(self._read(), self._start, strict=True))
        return max(0.0, (busy_s - own_s) / (elapsed_s * (os.cpu_count() or 1)) * 100)

    @staticmethod
    def _read() -> tuple[float, float, float]:
        fields = Path("/proc/stat").read_text(encoding="utf-8").split("\n", maxsplit=1)[0].split()[1:]
        busy_s = sum(int(fields[index]) for index in BUSY_FIELDS) / os.sysconf("SC_CLK_TCK")
        own = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return time.monotonic(), busy_s, sum(usage.ru_utime + usage.ru_stime for usage in own)

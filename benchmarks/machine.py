"""What everything is measured on: one core for the client, one for the server, and the versions of what takes part."""

import os
import platform
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.errors import BenchmarkError

CPU_INFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Cores:
    """The numbers of two different cores."""

    client: int
    server: int

    @classmethod
    def of_this_process(cls) -> "Cores":
        """Raise BenchmarkError where this process may use fewer than two."""
        allowed = sorted(os.sched_getaffinity(0))
        if len(allowed) < 2:  # noqa: PLR2004 - client and server
            raise BenchmarkError(f"cores: client and server need one each ({len(allowed)} vs 2); use a larger machine")
        return cls(client=allowed[0], server=allowed[-1])


def pinned(core: int, command: Iterable[str]) -> list[str]:
    """Return the command on this one core; taskset becomes the command, so the process id is the command's."""
    return ["taskset", "--cpu-list", str(core), *command]


def check_tools() -> None:
    """Raise BenchmarkError where a program is missing."""
    for tool, package in (("wrk", "wrk"), ("taskset", "util-linux")):
        if shutil.which(tool) is None:
            raise BenchmarkError(f"{tool}: not on PATH; on Debian or Ubuntu: apt-get install {package}")


def describe_machine(cores: Cores) -> dict[str, str]:
    """Return what a figure depends on, besides what takes part."""
    return {
        "CPU": _cpu_model(),
        "cores": f"{os.cpu_count()}; client on {cores.client}, server on {cores.server}",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
    }


def versions_here(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of packages of this environment."""
    return {package: version(package) for package in packages}


def wrk_version() -> str:
    """Return what wrk calls itself; it does so with exit code 1."""
    shown = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False).stdout.split()
    return shown[1] if len(shown) > 1 else "unknown"


def resident_mb(pid: int) -> float:
    """Return the process's resident memory, in MB of 10^6 bytes, shared libraries included."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise BenchmarkError(f"memory: /proc/{pid}/status has no VmRSS")


def cpu_s(pid: int) -> float:
    """Return how long the process has run on a core, all threads together; to 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _cpu_model() -> str:
    for line in CPU_INFO.read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()

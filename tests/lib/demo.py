"""`make demo` as a person runs it."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.lib.emulator import REPOSITORY

TIMEOUT_S = 280.0


@dataclass(frozen=True)
class Demo:
    """A demo that has ended; `exit_code` is the demo's own, which make prints and replaces by 2."""

    exit_code: int
    output: str

    @property
    def report(self) -> str:
        """The Markdown report that the output names."""
        named = re.search(r"the same in Markdown\s+(\S+)", self.output)
        assert named, self.output
        return Path(named.group(1)).read_text(encoding="utf-8")

    @property
    def page(self) -> Path:
        """The HTML report that the output names."""
        named = re.search(r"\breport\s+(\S+\.html)", self.output)
        assert named, self.output
        return Path(named.group(1))


def make_demo(reports: Path, *variables: str) -> Demo:
    """Run `make demo` with these variables, its reports in that folder, and wait for its end."""
    ended = subprocess.run(
        ["make", "demo", f"REPORTS={reports}", *variables],
        cwd=REPOSITORY,
        env={name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    own = re.search(r"demo\] Error (\d+)", ended.stdout)
    assert bool(own) == bool(ended.returncode), ended.stdout
    return Demo(int(own.group(1)) if own else 0, ended.stdout)

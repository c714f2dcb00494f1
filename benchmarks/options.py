"""What the command line says, for every suite."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.machine import Cores


@dataclass(frozen=True)
class Options:
    """`cases` are the names to measure, all where there are none; `advance` is told what is being done."""

    cores: Cores
    rounds: int
    seconds: int
    all_peers: bool
    cases: frozenset[str]
    advance: Callable[[str], None]

    def wants(self, case: str) -> bool:
        return not self.cases or case in self.cases

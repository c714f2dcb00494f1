"""What is measured, and what it must reach."""

from dataclasses import dataclass

from benchmarks.contenders import AZMLINFSRV, LIMIT, MORE_PEERS, OURS, OURS_BY_MODEL_PREDICT, PLAIN, Contender


@dataclass(frozen=True)
class Bound:
    """`contender` must answer at least `at_least` times as many requests a second as `peer`."""

    contender: Contender
    peer: Contender
    at_least: float


@dataclass(frozen=True)
class Case:
    """One load that all its contenders get in turn."""

    name: str
    title: str
    model: str
    rows_per_request: int
    connections: int
    contenders: tuple[Contender, ...]
    bounds: tuple[Bound, ...]

    def with_more_peers(self) -> tuple[Contender, ...]:
        return (*self.contenders, *MORE_PEERS)


LINEAR = (OURS, LIMIT, PLAIN, AZMLINFSRV)
CASES = (
    Case(
        name="linear-1",
        title="linear, 1 row, 16 connections",
        model="linear",
        rows_per_request=1,
        connections=16,
        contenders=LINEAR,
        bounds=(Bound(OURS, AZMLINFSRV, 15), Bound(OURS, PLAIN, 10), Bound(OURS, LIMIT, 0.6)),
    ),
    Case(
        name="linear-100",
        title="linear, 100 rows, 16 connections",
        model="linear",
        rows_per_request=100,
        connections=16,
        contenders=LINEAR,
        bounds=(Bound(OURS, AZMLINFSRV, 8),),
    ),
    Case(
        name="linear-1-alone",
        title="linear, 1 row, 1 connection",
        model="linear",
        rows_per_request=1,
        connections=1,
        contenders=LINEAR,
        bounds=(Bound(OURS, AZMLINFSRV, 4),),
    ),
    Case(
        name="forest-1",
        title="forest of 200 trees, 1 row, 16 connections",
        model="forest",
        rows_per_request=1,
        connections=16,
        contenders=(OURS, OURS_BY_MODEL_PREDICT, PLAIN, AZMLINFSRV),
        bounds=(Bound(OURS, AZMLINFSRV, 80), Bound(OURS_BY_MODEL_PREDICT, AZMLINFSRV, 6)),
    ),
)

"""Releases with noise of the user's own: stretches of a run in which live and candidate were the same, in any order.

What lasts longer than a stretch, such as a colour that is slower for a whole run, is in all of them or in none.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from load.rows import COLUMNS, ROLES, Rows, RunEnd
from load.rows_file import RowsError
from load.simulation import Truth

STRETCH_S = 60.0  # holds a drift that lasts as long as most do
LEAST_STRETCHES = 4


def refuse_short(rows: Rows) -> None:
    """Raise RowsError where a run has too few stretches to draw from."""
    have = stretches_of(rows)
    if have < LEAST_STRETCHES or rows.plan.live is None:
        raise RowsError(
            f"rows: {have} stretches of {STRETCH_S:g} s of {rows.plan.live or 'nobody'} beside {rows.plan.candidate}, "
            f"{LEAST_STRETCHES} are needed; measure two deployments of one image, with --whole"
        )


def stretches_of(rows: Rows) -> int:
    return int((rows.end.judged_s if rows.end else 0.0) // STRETCH_S)


def draw_release(rows: Rows, duration_s: float, truth: Truth, chance: np.random.Generator) -> Rows:
    """Return a run made of stretches of another, drawn with replacement, its candidate changed as the truth says.

    Which of the two is the candidate is drawn as well, and failures of the truth's come on top of those there were.
    """
    drawn = chance.integers(0, stretches_of(rows), int(np.ceil(duration_s / STRETCH_S)))
    stretch = (rows.intended_s - rows.plan.warmup_s) // STRETCH_S
    parts = [(number, rows.where((stretch == each) & ~rows.warmup)) for number, each in enumerate(drawn)]
    columns: dict[str, Any] = {name: np.concatenate([getattr(part, name) for _, part in parts]) for name in COLUMNS}
    moved_s = np.concatenate([np.full(len(part), (number - drawn[number]) * STRETCH_S) for number, part in parts])
    columns["intended_s"] = columns["intended_s"] + moved_s
    plan = replace(rows.plan, duration_s=duration_s)
    end = RunEnd(len(moved_s) // 2, plan.warmup_s + duration_s, duration_s, rows.end.cpu_ratio if rows.end else 0.0)
    found = Rows(plan, end, **columns).until(duration_s)
    if chance.random() < 0.5:  # noqa: PLR2004 - a coin
        names = dict(zip(ROLES, reversed(ROLES), strict=True))
        found = replace(
            found,
            plan=replace(plan, live=plan.candidate, candidate=str(plan.live)),
            role=np.array([names[role] for role in found.role.tolist()]),
        )
    return changed(found, truth, chance)


def changed(rows: Rows, truth: Truth, chance: np.random.Generator) -> Rows:
    """Return the run as it would have been with a candidate that differs so."""
    candidate = rows.role == "candidate"
    factor = np.where(candidate, truth.factor, 1.0)
    factor[candidate & (chance.random(len(rows)) < truth.slow_share)] *= truth.slow_factor
    failed = candidate & (rows.error == "") & (chance.random(len(rows)) < (truth.error_ratio or 0.0))
    return replace(
        rows,
        service_ms=rows.service_ms * factor,
        status=np.where(failed, 424, rows.status),
        error=np.where(failed, "http_424", rows.error),
    )

"""One rows file of those that the workers of a distributed run have written."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from load.rows import COLUMNS, Row, Rows, RunEnd, RunPlan
from load.rows_file import RowsError, RowsWriter, read_rows

ALIKE = ("live", "candidate", "warmup_s", "duration_s", "timeout_s", "rate_pairs_per_s", "end_rate_pairs_per_s")
# Workers begin at once; so far apart may the clocks of their machines be.
MOST_APART_S = 60.0


def merge(parts: Sequence[Path], path: Path) -> Rows:
    """Make one file of the workers' files, as if one process had sent all of it; raises RowsError.

    Arrivals are numbered anew, and requests are in the order in which they ended. The rate is that of all together,
    the share of a core that of the busiest. Where one file was cut off, the whole is a run cut off.
    """
    if not parts:
        raise RowsError("rows: there is nothing to merge; name the files that the workers wrote")
    if path.resolve() in {part.resolve() for part in parts}:
        raise RowsError(f"rows: {path} is one of the files to be merged; name another for all of them")
    read = [read_rows(part) for part in parts]
    for part, rows in zip(parts[1:], read[1:], strict=True):
        refuse_another_run(part, rows.plan, parts[0], read[0].plan)
    refuse_the_same_twice(parts, read)
    with RowsWriter(path, plan_of(read)) as writer:
        for name, body in {name: body for rows in read for name, body in rows.answers.items()}.items():
            writer.answer(name, body)
        for seen in (seen for rows in read for seen in rows.observed):
            writer.observe(seen)
        write_rows(writer, read)
        if (end := end_of(read)) is not None:
            writer.end(end)
    return read_rows(path)


def refuse_another_run(path: Path, plan: RunPlan, first_path: Path, first: RunPlan) -> None:
    """Raise RowsError where a file is of another run than the first: it asked others, otherwise, or at another time."""
    for name in ALIKE:
        ours, theirs = getattr(plan, name), getattr(first, name)
        if ours != theirs:
            raise RowsError(
                f"rows: {path} is of another run than {first_path}: its {name} is {ours}, not {theirs}; "
                "merge the files of one run"
            )
    started = [datetime.fromisoformat(each.started_at) for each in (plan, first)]
    if abs((started[0] - started[1]).total_seconds()) > MOST_APART_S:
        raise RowsError(
            f"rows: {path} is of another run than {first_path}: it began at {plan.started_at}, "
            f"not at {first.started_at}; merge the files of one run"
        )


def refuse_the_same_twice(parts: Sequence[Path], read: Sequence[Rows]) -> None:
    """Raise RowsError where two files are of one worker; each worker has a seed of its own."""
    seen: dict[int, Path] = {}
    for path, rows in zip(parts, read, strict=True):
        seed = rows.plan.seed
        if seed in seen:
            raise RowsError(f"rows: {path} is of the same worker as {seen[seed]} (seed {seed}); name each once")
        seen[seed] = path


def plan_of(read: Sequence[Rows]) -> RunPlan:
    plans = [rows.plan for rows in read]
    ends_per_s = [plan.end_rate_pairs_per_s for plan in plans if plan.end_rate_pairs_per_s is not None]
    return replace(
        plans[0],
        started_at=min(plan.started_at for plan in plans),
        rate_pairs_per_s=sum(plan.rate_pairs_per_s for plan in plans),
        end_rate_pairs_per_s=sum(ends_per_s) if ends_per_s else None,
        max_in_flight=sum(plan.max_in_flight for plan in plans),
        seed=min(plan.seed for plan in plans),
        generator=f"{plans[0].generator}, {len(plans)} workers",
    )


def write_rows(writer: RowsWriter, read: Sequence[Rows]) -> None:
    """Write all rows as they ended, each arrival under a number that no other worker's has."""
    ended_ms = np.concatenate([rows.intended_s * 1000 + rows.latency_ms for rows in read])
    columns = {name: np.concatenate([getattr(rows, name) for rows in read]) for name in COLUMNS}
    columns["pair"] = np.concatenate([rows.pair * len(read) + number for number, rows in enumerate(read)])
    columns["warmup"] = columns["warmup"].astype(int)
    order = np.argsort(ended_ms, kind="stable")
    ordered: Mapping[str, list[Any]] = {name: column[order].tolist() for name, column in columns.items()}
    for cells in zip(*ordered.values(), strict=True):
        writer.write(Row(*cells))


def end_of(read: Sequence[Rows]) -> RunEnd | None:
    """Return the end of the whole, None where a worker's run was cut off."""
    ends = [rows.end for rows in read if rows.end is not None]
    if len(ends) < len(read):
        return None
    return RunEnd(
        pairs=sum(end.pairs for end in ends),
        elapsed_s=max(end.elapsed_s for end in ends),
        judged_s=min(end.judged_s for end in ends),
        cpu_ratio=max(end.cpu_ratio for end in ends),
        broken_off=next((end.broken_off for end in ends if end.broken_off), ""),
    )

"""`python -m tests.faults`: every control-plane call of a release x every fault, and random ones for a while."""

import dataclasses
import json
import random
import secrets
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from itertools import chain, count
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.faults.cells import EFFECTS, ENDINGS, KILL_AFTER, KILL_BEFORE, LOST_ANSWER, Cell, Held, Kind, Position, Storm
from tests.faults.cells import matrix as matrix_of

EXIT_NOT_HELD = 1
TOLD_EVERY = 50
FAULTS = (*EFFECTS, LOST_ANSWER, *ENDINGS, KILL_BEFORE, KILL_AFTER)
RELEASE_AT_MOST_S = 15.0
POSITION, HELD = TypeAdapter(Position), TypeAdapter(list[Held])
REPOSITORY = Path(__file__).parents[2]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)


class Worker:
    """A worker process: work in, what came of it out."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "tests.faults.worker", str(folder)]
        log = (folder / "worker.log").open("wb")
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, cwd=REPOSITORY, stdin=pipe, stdout=pipe, stderr=log, text=True)
        self._log = folder / "worker.log"

    def ask(self, work: dict[str, Any]) -> Any:
        """Return what came of the work; raises RuntimeError where the worker has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(work) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a worker has ended:\n{self._log.read_text()[-3000:]}")
        return json.loads(line)

    def stop(self) -> None:
        """Let the worker end, and its emulator with it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(120)


@app.command(epilog="Example: python -m tests.faults --sample 60 --storms-s 30 --seed 7")
def faults(
    sample: Annotated[int, typer.Option(min=0, help="So many cells, drawn by the seed; 0: all of them.")] = 0,
    storms_s: Annotated[
        float, typer.Option(min=0, help="For so many seconds releases are struck at random, some times in a row.")
    ] = 240.0,
    jobs: Annotated[int, typer.Option(min=1, help="How many at once, each on an emulator of its own.")] = 3,
    seed: Annotated[
        int | None, typer.Option(min=0, help="What is drawn follows from it; drawn and printed if none.")
    ] = None,
    timings: Annotated[int, typer.Option(min=1, help="How often a whole release is timed; the best counts.")] = 3,
    reports: Annotated[Path, typer.Option(help="Where faults.json goes.")] = Path("reports"),
) -> None:
    """Strike releases at every call, and hold what serves, what is left and the next run against what is promised.

    Exit codes: 0, 1 where a promise was broken in any cell.
    """
    seed = secrets.randbelow(2**32) if seed is None else seed
    console.print(f"seed {seed}")
    with tempfile.TemporaryDirectory(prefix="faults-") as folder, workers(Path(folder), jobs) as ready:
        cells = list(all_cells(ready[0]))
        chosen = random.Random(seed).sample(cells, min(sample, len(cells))) if sample else cells  # noqa: S311 - a sample
        random.Random(seed).shuffle(chosen)  # noqa: S311 - so that any part of the run is of every kind
        held = run_all(ready, chosen, storms(seed, storms_s))
        took_s = min(ready[0].ask({"timed": number})[0]["took_s"] for number in range(timings))
    show(held)
    figures = figures_of(held, took_s)
    reports.mkdir(parents=True, exist_ok=True)
    document = {"seed": seed, "figures": figures, "broken": [dataclasses.asdict(each) for each in held if each.broken]}
    (reports / "faults.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    struck = [each for each in held if each.struck]
    kept = [each for each in struck if not each.broken]
    console.print(
        f"{len(kept)} of {len(struck)} struck releases kept every promise ({len(held) - len(struck)} were over before "
        f"their fault was due); a release without load and bakes takes {took_s:.1f} s."
    )
    raise typer.Exit(0 if not any(each.broken for each in held) else EXIT_NOT_HELD)


@contextmanager
def workers(folder: Path, jobs: int) -> Iterator[list[Worker]]:
    """Run workers, each in a folder of its own, and let them end."""
    with ExitStack() as stack:
        started = []
        for number in range(jobs):
            own = folder / str(number)
            own.mkdir()
            worker = Worker(own)
            stack.callback(worker.stop)
            started.append(worker)
        yield started


def all_cells(worker: Worker) -> Iterator[Cell]:
    """Yield every cell of the releases that the worker records."""
    for kind in Kind:
        found = [POSITION.validate_python(each["position"]) for each in worker.ask({"record": kind.value})]
        yield from matrix_of(found, kind)


def storms(seed: int, duration_s: float) -> Iterator[Storm]:
    """Yield storms until the time is over; which ones follows from the seed, only how many from the machine."""
    until_s = monotonic() + duration_s
    for number in count():
        if monotonic() >= until_s:
            return
        yield Storm(seed + 2 * number)


def drained(todo: SimpleQueue[Cell]) -> Iterator[Cell]:
    """Yield what no other thread has taken."""
    with suppress(Empty):
        while True:
            yield todo.get_nowait()


def run_all(ready: Sequence[Worker], cells: Sequence[Cell], raging: Iterator[Storm]) -> list[Held]:
    """Share the cells among the workers, the first of which rages before; tell of each broken promise at once."""
    todo: SimpleQueue[Cell] = SimpleQueue()
    for cell in cells:
        todo.put(cell)
    columns = (TextColumn("striking releases"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    found: list[Held] = []
    with Progress(*columns, console=console, transient=True) as progress, ThreadPoolExecutor(len(ready)) as pool:
        task = progress.add_task("", total=len(cells))

        def serve(worker: Worker) -> None:
            work: Iterator[Cell | Storm] = chain(raging if worker is ready[0] else (), drained(todo))
            for each in work:
                held = HELD.validate_python(worker.ask(dataclasses.asdict(each)))[0]
                found.append(held)
                if isinstance(each, Cell):
                    progress.advance(task)
                if not console.is_terminal and len(found) % TOLD_EVERY == 0:
                    console.print(f"{len(found)} releases struck, {todo.qsize()} of {len(cells)} cells to come")
                if held.broken:
                    progress.console.print(f"BROKEN {told(held)}: {'; '.join(held.broken)}", markup=False)

        list(pool.map(serve, ready))
    return found


def told(held: Held) -> str:
    work = held.work
    what = f"storm {work.seed}" if isinstance(work, Storm) else f"{work.kind} {work.position} {work.fault}"
    return f"{what} ({held.first}, then {held.second})"


def show(held: Sequence[Held]) -> None:
    """Print the matrix: for each call and fault how many cells were held of how many were run, then how runs ended."""
    by_cell: dict[tuple[str, str], list[Held]] = defaultdict(list)
    for each in held:
        if each.struck:
            row = ("storm", "random") if isinstance(each.work, Storm) else (each.work.position.call, each.work.fault)
            by_cell[row].append(each)
    columns = [fault for fault in FAULTS if any(key[1] == fault for key in by_cell)]
    table = Table("call", *columns, title="cells held / cells run")
    for call in sorted({key[0] for key in by_cell if key[0] != "storm"}):
        table.add_row(call, *(share(by_cell.get((call, fault), [])) for fault in columns))
    console.print(table)
    ends = Table("how the struck run ended", "runs", "and the one after it")
    by_end: dict[str, list[Held]] = defaultdict(list)
    for each in held:
        if each.struck:
            by_end[each.first.partition(":")[0]].append(each)
    for first, found in sorted(by_end.items(), key=lambda item: -len(item[1])):
        after = sorted({each.second.partition(":")[0] for each in found})
        ends.add_row(first, str(len(found)), ", ".join(after))
    console.print(ends)


def share(found: Sequence[Held]) -> str:
    return f"{sum(not each.broken for each in found)}/{len(found)}" if found else ""


def figures_of(held: Sequence[Held], took_s: float) -> list[dict[str, Any]]:
    struck = [each for each in held if each.struck]
    cells = [each for each in struck if isinstance(each.work, Cell)]
    storms = [each for each in struck if isinstance(each.work, Storm)]

    def ratio(found: Sequence[Held]) -> float:
        return sum(not each.broken for each in found) / len(found) if found else 0.0

    return [
        {"name": "cells run", "value": len(cells), "unit": "cells", "at_least": 1},
        {"name": "cells held", "value": ratio(cells), "unit": "ratio", "at_least": 1.0},
        {"name": "storms run", "value": len(storms), "unit": "releases"},
        {"name": "storms held", "value": ratio(storms), "unit": "ratio", **({"at_least": 1.0} if storms else {})},
        {
            "name": "a release without load and bakes",
            "value": round(took_s, 2),
            "unit": "s",
            "at_most": RELEASE_AT_MOST_S,
        },
    ]


if __name__ == "__main__":
    app()

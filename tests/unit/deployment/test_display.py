"""What a person sees in a terminal while a release runs, and at its end."""

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console
from rich.table import Table

from deployment.display import LiveDisplay, print_result, show
from deployment.outcomes import Outcome
from deployment.record import utc_now
from deployment.release import Result
from load.report_data import JournalEntry
from load.verdict import Criterion, Layer, Verdict
from load.verdict import Outcome as GateOutcome

pytestmark = pytest.mark.unit

SLOW = Criterion("p95 within SLO", Layer.ABSOLUTE, "ms", "<=", 200, 250, GateOutcome.FAIL, "p95 250 ms, 200 ms allowed")
FAILING = replace(SLOW, name="error ratio", reason="3 of 100 requests failed, 1 % is allowed")
FAST = replace(SLOW, name="p50 beside live", result=GateOutcome.PASS, reason="p50 4 ms vs 4 ms")


def terminal() -> Console:
    return Console(file=StringIO(), force_terminal=True, color_system=None, width=80, soft_wrap=True, highlight=False)


def printed(console: Console) -> str:
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("verified", [None, True])
def test_a_line_keeps_its_time_and_phase_beside_the_bar_of_what_is_going_on(verified: bool | None) -> None:  # noqa: FBT001
    console, at = terminal(), utc_now()
    with LiveDisplay(console) as display:
        display.started("load: the same requests to blue and green")
        display.recorded(JournalEntry(at, "measured", "497 pairs of [requests] in 35 s", {}, verified))
    mark = "verified " if verified else ""
    assert f"  {at:%H:%M:%S} measured    {mark}497 pairs of [requests] in 35 s" in printed(console)


def test_what_else_refused_it_is_below_its_sentence() -> None:
    console = terminal()
    sentence = f"green is too slow: {SLOW.reason}; 1 more below."
    verdict = Verdict(GateOutcome.FAIL, sentence, (SLOW, FAST, FAILING), "blue", "green")
    result = Result(
        outcome=Outcome.REFUSED_BY_GATE,
        sentence=sentence,
        next_action="Make it faster.",
        endpoint="diabetes",
        live="blue",
        candidate="green",
        traffic={"blue": 100},
        smoke=(),
        verdict=verdict,
        journal=(),
        rows_path=None,
    )
    print_result(console, result, {})
    told = printed(console)
    assert (
        told.index("1 more below")
        < told.index("  error ratio: 3 of 100 requests failed")
        < told.index("Make it faster")
    )
    assert FAST.reason not in told
    assert told.count(SLOW.reason) == 1


def test_a_table_is_as_wide_as_the_terminal_and_nothing_in_it_is_cut_off() -> None:
    console, table = terminal(), Table("deployment", "image", "release")
    image, release = "f5aad743f1d8" * 6, "541941b2b972-20261126T084820Z"
    table.add_row("blue", image, release)
    show(console, table)
    lines = printed(console).splitlines()
    assert max(map(len, lines)) <= 80
    cells = [line.strip("│").split("│") for line in lines if line.startswith("│")]
    assert "".join(cell[1].strip() for cell in cells) == image
    assert "".join(cell[2].strip() for cell in cells) == release

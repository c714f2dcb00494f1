import json
from pathlib import Path

import pytest

from benchmarks.errors import BenchmarkError
from benchmarks.figures import Figure, Results, figure_of, write_figures
from benchmarks.wrk import parse

pytestmark = pytest.mark.unit

COUNTED = 'counted {"requests": 3000, "duration_us": 2000000, "not_200": 0, "broken": 0, "p50_us": 500, "p99_us": 1500}'


@pytest.mark.parametrize(
    ("figure", "is_missed"),
    [
        (Figure("a", 15.0, "x", at_least=15), False),
        (Figure("a", 14.9, "x", at_least=15), True),
        (Figure("a", 2.0, "s", at_most=2), False),
        (Figure("a", 2.1, "s", at_most=2), True),
        (Figure("a", 2.1, "s"), False),
    ],
)
def test_a_bound_is_missed_on_its_wrong_side_alone(figure: Figure, *, is_missed: bool) -> None:
    assert figure.is_missed is is_missed


def test_a_bounded_figure_that_was_not_measured_is_missed() -> None:
    assert figure_of("a", [], "x", at_least=15).is_missed
    assert not figure_of("a", [], "x").is_missed


def test_a_figure_is_the_median_and_shows_its_range() -> None:
    figure = figure_of("a", [3.0, 1.0, 20.0], "x")
    assert (figure.value, figure.spread) == (3.0, (1.0, 20.0))


def test_the_file_has_every_figure_with_its_bound(tmp_path: Path) -> None:
    results = Results([figure_of("ratio", [16.0], "x", at_least=15), Figure("start", None, "s", at_most=2, note="why")])
    write_figures(tmp_path / "reports" / "bench.json", {"service": results}, {"CPU": "some"})
    document = json.loads((tmp_path / "reports" / "bench.json").read_text())
    assert document["figures"] == [
        {"name": "ratio", "value": 16.0, "unit": "x", "at_least": 15, "spread": [16.0, 16.0]},
        {"name": "start", "value": None, "unit": "s", "at_most": 2, "note": "why"},
    ]
    assert [figure.name for figure in results.missed] == ["start"]


def test_a_run_of_wrk_is_read_from_the_line_that_its_script_prints() -> None:
    reading = parse(f"Running 2s test\n{COUNTED}\n", "")
    assert (reading.requests_per_s, reading.p50_ms, reading.p99_ms) == (1500.0, 0.5, 1.5)


@pytest.mark.parametrize(
    "output",
    [
        COUNTED.replace('"not_200": 0', '"not_200": 1'),
        COUNTED.replace('"broken": 0', '"broken": 1'),
        COUNTED.replace("3000", "0"),
        "unable to connect",
    ],
)
def test_a_run_with_any_answer_but_200_is_no_reading(output: str) -> None:
    with pytest.raises(BenchmarkError, match="wrk"):
        parse(output, "")

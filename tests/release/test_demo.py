"""The README's demos: the first as it stands there, the refusals with processes as colours."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from deployment.outcomes import Outcome
from deployment.settings import read_settings
from load.verdict import Outcome as GateOutcome
from tests.lib.demo import Demo, ReadmeDemo, make_demo
from tests.lib.emulator import REPOSITORY

pytestmark = pytest.mark.release
PROCESSES = "processes of the same code"


@pytest.mark.timeout(600)  # the first that asks for the demo may have to install an engine before
def test_the_demo_promotes_the_second_model_and_no_client_request_fails(readme_demo: ReadmeDemo) -> None:
    demo = readme_demo.demo
    assert demo.exit_code == 0, demo.output
    runtime = "containers of the image that this demo builds" if readme_demo.is_in_containers else PROCESSES
    assert f"Colours are {runtime}" in demo.output
    assert re.search(r"background client +\d+ requests \(blue \d+, green \d+\), 0 failed", demo.output)
    shift = read_settings(REPOSITORY / "deployment" / "release.toml", profile="demo").shift
    for percent in shift.steps_percent:
        seen = rf"verified \d+ of {shift.probes_per_step} probes reached green at {percent} %"
        assert re.search(seen, demo.output)
    assert "PROMOTED" in demo.report.splitlines()[0]
    assert demo.page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert_stored_rows_are_judged_the_same(demo)


def assert_stored_rows_are_judged_the_same(demo: Demo) -> None:
    """Run the command that the report names, on the rows that it was made of."""
    told = json.loads(demo.page.with_suffix(".json").read_text(encoding="utf-8"))
    again = subprocess.run(
        [sys.executable, *shlex.split(told["replay_command"])[1:]],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    verdict = told["verdict"]
    assert again.stdout.splitlines()[-1] == f"{verdict['outcome']}: {verdict['sentence']}", again
    assert again.returncode == GateOutcome(verdict["outcome"]).exit_code


@pytest.mark.parametrize(
    ("candidate", "outcome", "sentence"),
    [
        ("slow", Outcome.REFUSED_BY_GATE, "green is too slow"),
        (
            "wrong",
            Outcome.NOT_PROVISIONED,
            "green did not become ready: model: golden request golden-00, row 0 is predicted",
        ),
    ],
)
def test_a_demo_of_a_refusal_leaves_live_at_100_percent_and_says_why_first(
    tmp_path: Path, candidate: str, outcome: Outcome, sentence: str
) -> None:
    demo = make_demo(tmp_path, "RUNTIME=processes", f"CANDIDATE={candidate}")
    assert demo.exit_code == outcome.exit_code, demo.output
    assert f"Colours are {PROCESSES}" in demo.output
    assert re.search(r"background client +\d+ requests \(blue \d+\), 0 failed", demo.output)
    assert re.search(r"traffic now +blue 100 %", demo.output)
    assert sentence in demo.report.splitlines()[2]
    if outcome is Outcome.REFUSED_BY_GATE:
        assert_stored_rows_are_judged_the_same(demo)

"""The table of phases, and the diagram in the documentation that is printed from it."""

from pathlib import Path

import pytest

from deployment.phases import TRANSITIONS, Phase, may_follow, mermaid

pytestmark = pytest.mark.unit

DOCUMENT = Path(__file__).parents[3] / "docs" / "release.md"


def test_the_documented_diagram_is_the_table() -> None:
    assert f"```mermaid\n{mermaid()}\n```" in DOCUMENT.read_text(encoding="utf-8")


def test_every_phase_can_be_reached() -> None:
    reached = {Phase.OBSERVED}
    while more := {following for phase in reached for following in TRANSITIONS.get(phase, {})} - reached:
        reached |= more
    assert reached == set(Phase)


def test_no_traffic_moves_without_the_golden_requests_having_been_answered() -> None:
    before_shifting = {phase for phase in Phase if may_follow(phase, Phase.SHIFTING)}
    assert before_shifting == {Phase.PASSED, Phase.SHIFTING}
    before_passing = {phase for phase in Phase if may_follow(phase, Phase.PASSED)}
    assert before_passing == {Phase.MEASURED}
    assert {phase for phase in Phase if may_follow(phase, Phase.MEASURED)} == {Phase.SMOKED}


def test_a_refusal_is_only_possible_before_traffic_has_moved() -> None:
    assert not may_follow(Phase.SHIFTING, Phase.REFUSED)
    assert may_follow(Phase.SHIFTING, Phase.ROLLING_BACK)

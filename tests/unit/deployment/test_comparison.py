"""A change beside its base: what it ends with, what is told of it, and a base that is broken."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from deployment.comparison import Base, Comparison, place_live
from deployment.evidence import Evidence
from deployment.outcomes import EXIT_CODES, Outcome, ProvisioningError
from deployment.release import Result
from load.report_comment import marker
from tests.lib.release_fakes import FakePlatform
from tests.unit.deployment.scene import IMAGE, OTHER_IMAGE, a_release

pytestmark = pytest.mark.unit

BASE = Base(OTHER_IMAGE, replace(a_release().model, version="1"), "fedcba9876543210")
BROKEN = "blue did not become ready: model: no such file"


def compared(outcome: Outcome, *, binding: bool = False, base_fault: str = "") -> Comparison:
    result = Result(
        outcome=outcome,
        sentence="green is as good as blue.",
        next_action="Live keeps all traffic. Read the log.",
        endpoint="diabetes",
        live=None if base_fault else "blue",
        candidate="green",
        traffic={"blue": 100},
        smoke=(),
        verdict=None,
        journal=(),
        rows_path=None,
    )
    return Comparison(result, BASE, a_release(), base_fault, binding)


TOLD_ALONE = {Outcome.PASSED: 0, Outcome.INCONCLUSIVE: 0, Outcome.INVALID: 0}
OTHERWISE: Mapping[Outcome, int] = {each: code for each, code in EXIT_CODES.items() if each not in TOLD_ALONE}


@pytest.mark.parametrize("outcome", list(Outcome))
@pytest.mark.parametrize("base_fault", ["", BROKEN])
def test_an_advisory_verdict_is_told_alone_and_whatever_else_is_wrong_fails(outcome: Outcome, base_fault: str) -> None:
    expected = {**OTHERWISE, **TOLD_ALONE, Outcome.REFUSED_BY_GATE: 0}
    assert compared(outcome, base_fault=base_fault).exit_code == expected[outcome]


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_binding_verdict_fails_the_change_that_was_shown_to_be_worse(outcome: Outcome) -> None:
    expected = {**OTHERWISE, **TOLD_ALONE}
    assert compared(outcome, binding=True).exit_code == expected[outcome]
    assert expected[Outcome.REFUSED_BY_GATE] == 10


def test_no_verdict_binds_where_the_base_is_broken() -> None:
    assert compared(Outcome.REFUSED_BY_GATE, binding=True, base_fault=BROKEN).exit_code == 0
    assert compared(Outcome.NOT_PROVISIONED, binding=True, base_fault=BROKEN).exit_code == 14


def test_the_report_says_what_was_compared_with_what() -> None:
    told = compared(Outcome.PASSED).told()
    assert told.sentence == (
        "green is as good as blue. green is the change (commit 0123456789ab, model 2), blue the base "
        "(commit fedcba987654, model 1)."
    )
    assert told.endpoint == "diabetes, the change beside its base"
    assert told.next_action == "Nothing to do."


def test_a_broken_base_is_told_as_that_and_not_as_the_changes_fault() -> None:
    told = compared(Outcome.PASSED, base_fault=BROKEN).told()
    assert told.sentence.endswith(
        "green is the change (commit 0123456789ab, model 2), measured alone, as the base (commit fedcba987654, "
        f"model 1) is broken: {BROKEN}."
    )


@pytest.mark.parametrize(
    ("outcome", "binding", "next_action"),
    [
        (Outcome.REFUSED_BY_GATE, True, "Mend what the failed criteria show."),
        (Outcome.REFUSED_BY_GATE, False, "This fails no check: `binding` under `pull_request`"),
        (Outcome.INCONCLUSIVE, True, "This fails no check. Run it again"),
        (Outcome.INVALID, True, "This fails no check. Run it again"),
    ],
)
def test_what_to_do_next_is_for_whoever_changes_the_code(outcome: Outcome, next_action: str, *, binding: bool) -> None:
    assert next_action in compared(outcome, binding=binding).told().next_action


def test_of_a_candidate_that_did_not_start_it_is_not_said_who_has_traffic() -> None:
    assert compared(Outcome.NOT_PROVISIONED).told().next_action == "Read the log."


def test_a_comparison_and_a_release_do_not_replace_each_others_comment() -> None:
    assert marker(compared(Outcome.PASSED).told().endpoint) != marker("diabetes")


def test_the_base_is_made_live_without_a_measurement(tmp_path: Path) -> None:
    platform = FakePlatform(None)
    assert place_live(platform, BASE, Evidence(tmp_path)) == ""
    assert platform.there().traffic == {"blue": 100}
    assert [request.image for request in platform.deploys] == [OTHER_IMAGE]
    assert platform.there().tags == {}


def test_a_base_that_does_not_become_ready_leaves_no_live_deployment(tmp_path: Path) -> None:
    def refuse() -> None:
        raise ProvisioningError(f"deployment blue: {IMAGE} exited")

    platform = FakePlatform(None, before_deploy=refuse)
    told = place_live(platform, BASE, Evidence(tmp_path))
    assert told == f"blue did not become ready: deployment blue: {IMAGE} exited"
    assert platform.there().deployments == {}
    assert platform.there().traffic == {}

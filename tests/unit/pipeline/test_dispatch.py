"""What a person has asked for, checked before anything else happens."""

from pathlib import Path

import pytest

from pipeline.dispatch import dispatch, profiles, rise_to_all
from pipeline.errors import PipelineError
from tests.lib.github_step import Step

pytestmark = pytest.mark.unit

DIGEST = f"sha256:{'a' * 64}"
ASKED = {
    "ACTOR": "Octo-Cat",
    "CONFIRMATION": "diabetes",
    "ENVIRONMENT": "production",
    "PROMOTERS": "",
    "REF": "refs/heads/main",
}


def test_what_is_going_to_happen_is_in_the_summary(step: Step) -> None:
    dispatch({**ASKED, "IMAGE": DIGEST, "PROFILE": "smoke", "STEPS": "5, 100"})
    for told in ("diabetes", "production", "Octo-Cat", "refs/heads/main", DIGEST, "smoke", "5, 100"):
        assert f"| {told} |" in step.summary


def test_what_was_left_empty_is_said_to_be_the_default(step: Step) -> None:
    dispatch({**ASKED, "IMAGE": "", "PROFILE": "", "STEPS": " "})
    for told in (
        *("| image | the latest of main |", "| profile | none named |"),
        "| steps | as deployment/release.toml says |",
    ):
        assert told in step.summary


def test_what_a_workflow_does_not_ask_for_has_no_row(step: Step) -> None:
    dispatch(ASKED)
    labels = [line.split("|")[1].strip() for line in step.summary.splitlines() if line.startswith("|")]
    assert labels == ["", "---", "endpoint", "environment", "asked for by", "from"]


def test_staging_is_confirmed_by_the_name_of_its_own_endpoint(step: Step) -> None:
    with pytest.raises(PipelineError) as raised:
        dispatch({**ASKED, "ENVIRONMENT": "staging"})
    assert str(raised.value) == (
        "confirmation: 'diabetes' is not the endpoint's name in staging; type 'diabetes-staging'"
    )
    dispatch({**ASKED, "ENVIRONMENT": "staging", "CONFIRMATION": "diabetes-staging"})
    assert "| endpoint | diabetes-staging |" in step.summary


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("CONFIRMATION", "diabetic", "confirmation: 'diabetic' is not the endpoint's name in production; type"),
        ("CONFIRMATION", "", "confirmation: '' is not"),
        ("REF", "refs/heads/mine", "ref: this runs from refs/heads/mine, and only refs/heads/main may"),
        ("REF", "refs/heads/master", "ref: this runs from refs/heads/master, and only refs/heads/main may"),
        ("REF", "refs/tags/main", "ref: this runs from refs/tags/main"),
        ("PROMOTERS", "somebody, else", "actor: Octo-Cat is not in the variable PROMOTERS (somebody, else)"),
        ("ENVIRONMENT", "Production", "environment: 'Production' is none; choose production or staging"),
        ("PROFILE", "quick", "profile: 'quick' is none of deployment/release.toml; it has demo, demo-first"),
        ("STEPS", "50,10,100", "steps: '50,10,100' are not rising percentages"),
        ("IMAGE", "diabetes:latest", "image: 'diabetes:latest' is not sha256:<64 hex digits>"),
        ("IMAGE", "sha256:ABC", "image: 'sha256:ABC' is not"),
    ],
)
def test_what_is_wrong_is_named_with_its_value_and_the_way_out(name: str, value: str, told: str, step: Step) -> None:
    with pytest.raises(PipelineError) as raised:
        dispatch({**ASKED, name: value})
    (message,) = raised.value.messages
    assert message.startswith(told)
    assert raised.value.exit_code == 2
    assert step.summary == ""


def test_all_that_is_wrong_is_named_at_once(step: Step) -> None:
    wrong = dict.fromkeys(ASKED, "nonsense") | {"IMAGE": "x", "PROFILE": "x", "STEPS": "x", "ACTOR": "me"}
    for environment, first in (("staging", "confirmation"), ("nonsense", "environment")):
        with pytest.raises(PipelineError) as raised:
            dispatch(wrong | {"ENVIRONMENT": environment})
        assert [message.partition(":")[0] for message in raised.value.messages] == [
            *(first, "ref", "actor", "profile", "steps", "image")
        ]
    assert step.summary == ""


@pytest.mark.parametrize("listed", ["octo-cat", " other , @OCTO-CAT ", ",octo-cat,"])
def test_a_promoter_is_known_however_the_login_is_written(listed: str, step: Step) -> None:
    dispatch({**ASKED, "PROMOTERS": listed})
    assert "Octo-Cat" in step.summary


@pytest.mark.parametrize("missing", ASKED)
def test_a_step_that_does_not_hand_something_over_is_told_so(missing: str) -> None:
    with pytest.raises(PipelineError, match=f"{missing} is not in the environment"):
        dispatch({name: value for name, value in ASKED.items() if name != missing})


@pytest.mark.parametrize(
    ("steps", "rise"),
    [
        *(("100", True), ("10,50,100", True), (" 1 , 100", True)),
        *(("", False), ("0,100", False), ("10,10,100", False), ("10,50", False), ("10,,100", False)),
        *(("10,101", False), ("-1,100", False), ("10 %,100", False), ("1e1,100", False), ("10,100,", False)),
    ],
)
def test_steps_rise_to_a_hundred(steps: str, *, rise: bool) -> None:
    assert rise_to_all(steps) is rise


def test_settings_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"release.toml cannot be read"):
        profiles(tmp_path / "release.toml")

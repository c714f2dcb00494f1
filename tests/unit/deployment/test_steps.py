"""`--steps`: the steps of one release, in place of those of release.toml and under the same rules."""

import pytest

from deployment.outcomes import BadInputError
from deployment.releasing import with_steps
from tests.unit.deployment.scene import SETTINGS

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("steps", "expected"), [("100", (100,)), ("5,25,100", (5, 25, 100)), (" 1 , 99 , 100 ", (1, 99, 100))]
)
def test_they_take_the_place_of_the_files(steps: str, expected: tuple[int, ...]) -> None:
    changed = with_steps(SETTINGS, steps)
    assert changed.shift.steps_percent == expected
    assert changed.model_copy(update={"shift": SETTINGS.shift}) == SETTINGS
    assert changed.shift.model_copy(update={"steps_percent": SETTINGS.shift.steps_percent}) == SETTINGS.shift


@pytest.mark.parametrize("steps", ["", " "])
def test_empty_is_as_if_they_were_not_given(steps: str) -> None:
    assert with_steps(SETTINGS, steps) is SETTINGS


@pytest.mark.parametrize("steps", ["10,50", "50,10,100", "10,10,100", "0,100", "10,101", "100,100"])
def test_what_the_file_may_not_say_they_may_not_either(steps: str) -> None:
    with pytest.raises(BadInputError, match=rf"--steps: '{steps}': .*give rising percentages, the last one 100"):
        with_steps(SETTINGS, steps)


@pytest.mark.parametrize("steps", ["10;100", "ten,100", "10,,100", "10.5,100", "10 %,100"])
def test_what_are_no_percentages_is_shown_with_an_example(steps: str) -> None:
    with pytest.raises(BadInputError, match=rf"--steps: '{steps}' is not percentages .* such as 10,50,100"):
        with_steps(SETTINGS, steps)

"""Deploy, smoke, load, gate and shift, each in a process of its own over one endpoint and one folder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from deployment import single_steps
from deployment.outcomes import BadInputError, Outcome
from deployment.phases import Phase
from deployment.release import Release, Result
from deployment.rollout import Rollout
from tests.lib.load_samples import Answers, smoke_checks
from tests.lib.release_fakes import FakePlatform, FakeScoring
from tests.unit.deployment.scene import (
    BLUE_LIVE,
    GREEN_LIVE,
    IMAGE,
    OTHER_IMAGE,
    Measured,
    a_deployment,
    a_release,
    a_rollout,
    an_endpoint,
    record_on,
    rows_file,
)

pytestmark = pytest.mark.unit

Step = Callable[[Rollout], Result | None]


def deploy(rollout: Rollout) -> Result | None:
    return rollout.run(rollout.deploy)


STEPS: dict[str, Step] = {
    "deploy": deploy,
    "smoke": single_steps.smoke,
    "load": single_steps.load,
    "gate": single_steps.gate,
    "shift": single_steps.shift,
}


def go(platform: FakePlatform, folder: Path, *steps: str, release: Release | None = None) -> Result | None:
    """Go the steps, each in a process of its own, and return what the last one came to."""
    result = None
    for step in steps:
        result = STEPS[step](a_rollout(platform, folder, release=release))
    return result


def test_the_steps_one_by_one_come_to_what_they_come_to_together(tmp_path: Path) -> None:
    platform = FakePlatform(an_endpoint())
    for step in ("deploy", "smoke", "load"):
        assert go(platform, tmp_path, step) is None
        assert record_on(platform).in_flight
    judged = go(platform, tmp_path, "gate")
    assert judged is not None
    assert (judged.outcome, judged.verdict is not None) == (Outcome.PASSED, True)
    assert record_on(platform).phase is Phase.PASSED
    assert platform.writes == []
    shifted = go(platform, tmp_path, "shift")
    assert shifted is not None
    assert (shifted.outcome, shifted.traffic) == (Outcome.PROMOTED, GREEN_LIVE)
    assert len(platform.deploys) == 1
    assert record_on(platform).phase is Phase.PROMOTED


def test_a_first_release_can_go_in_single_steps_too(tmp_path: Path) -> None:
    platform = FakePlatform(None)
    result = go(platform, tmp_path, *STEPS)
    assert result is not None
    assert result.outcome is Outcome.PROMOTED
    assert platform.writes == [BLUE_LIVE]


@pytest.mark.parametrize(
    ("gone", "step", "to_run_first"),
    [
        ((), "smoke", "deploy"),
        ((), "load", "deploy"),
        ((), "gate", "deploy"),
        (("deploy",), "load", "smoke"),
        (("deploy",), "gate", "smoke"),
        (("deploy", "smoke"), "gate", "load"),
        (("deploy",), "shift", "gate"),
        (("deploy", "smoke"), "shift", "gate"),
        (("deploy", "smoke", "load"), "shift", "gate"),
    ],
)
def test_a_step_is_refused_while_the_one_before_is_missing(
    gone: tuple[str, ...], step: str, to_run_first: str, tmp_path: Path
) -> None:
    platform = FakePlatform(an_endpoint())
    go(platform, tmp_path, *gone)
    with pytest.raises(BadInputError, match=f"run `{to_run_first}` first"):
        go(platform, tmp_path, step)
    assert platform.there().traffic == BLUE_LIVE
    assert record_on(platform).in_flight  # what is missing can still be run


def test_a_step_that_was_refused_can_be_gone_once_the_missing_one_has(tmp_path: Path) -> None:
    platform = FakePlatform(an_endpoint())
    go(platform, tmp_path, "deploy", "smoke")
    with pytest.raises(BadInputError):
        go(platform, tmp_path, "gate")
    result = go(platform, tmp_path, "load", "gate", "shift")
    assert result is not None
    assert result.outcome is Outcome.PROMOTED


def test_a_smoke_test_of_another_image_does_not_count(tmp_path: Path) -> None:
    platform = FakePlatform(an_endpoint())
    go(platform, tmp_path, "deploy")
    a_rollout(platform, tmp_path).evidence.keep_smoke(OTHER_IMAGE, smoke_checks())
    with pytest.raises(BadInputError, match="has no result of this image; run `smoke` first"):
        go(platform, tmp_path, "load")


def test_what_was_measured_of_an_earlier_deployment_is_forgotten_when_another_is_made(tmp_path: Path) -> None:
    platform = FakePlatform(an_endpoint())
    rollout = a_rollout(platform, tmp_path)
    rollout.evidence.keep_smoke(IMAGE, smoke_checks())
    rollout.evidence.rows_path.write_bytes(rows_file("blue", "green", Answers()))
    go(platform, tmp_path, "deploy")
    assert not rollout.evidence.smoke_path.exists()
    assert not rollout.evidence.rows_path.exists()


def test_a_smoke_test_that_failed_elsewhere_ends_the_release(tmp_path: Path) -> None:
    platform = FakePlatform(an_endpoint())
    go(platform, tmp_path, "deploy")
    a_rollout(platform, tmp_path).evidence.keep_smoke(IMAGE, smoke_checks(wrong=1))
    result = go(platform, tmp_path, "load")
    assert result is not None
    assert result.outcome is Outcome.REFUSED_BY_SMOKE
    assert record_on(platform).phase is Phase.REFUSED


@pytest.mark.parametrize("content", ["", "{", "[]", '{"image": 1}', '{"image": "x", "checks": [{}]}'])
def test_a_smoke_test_that_cannot_be_read_is_named(content: str, tmp_path: Path) -> None:
    platform = FakePlatform(an_endpoint())
    go(platform, tmp_path, "deploy")
    (tmp_path / "smoke.json").write_text(content)
    with pytest.raises(BadInputError, match=r"smoke\.json cannot be read .*; run `smoke` again"):
        go(platform, tmp_path, "load")


@pytest.mark.parametrize(
    "candidate",
    [
        a_deployment("green", image=OTHER_IMAGE),
        a_deployment("green", release_id="r-1"),
        a_deployment("green", state="Failed"),
        a_deployment("green", state="Creating"),
    ],
    ids=["of another image", "of another release", "failed", "not ready yet"],
)
def test_a_candidate_that_is_not_this_releases_or_not_ready_is_not_smoked(candidate: object, tmp_path: Path) -> None:
    platform = FakePlatform(an_endpoint())
    go(platform, tmp_path, "deploy")
    platform.endpoint = an_endpoint(
        BLUE_LIVE,
        platform.there().deployments["blue"],
        candidate,  # type: ignore[arg-type]
        tags=platform.there().tags,
    )
    with pytest.raises(
        BadInputError, match=r"green is (Succeeded|Failed|Creating) of this release; run `deploy` first"
    ):
        go(platform, tmp_path, "smoke")


def test_a_gate_that_refuses_ends_the_release_and_a_shift_after_it_begins_nothing(tmp_path: Path) -> None:
    platform = FakePlatform(an_endpoint())
    go(platform, tmp_path, "deploy", "smoke")
    single_steps.load(a_rollout(platform, tmp_path, measure=Measured(Answers(median_ms=80))))
    result = go(platform, tmp_path, "gate")
    assert result is not None
    assert result.outcome is Outcome.REFUSED_BY_GATE
    with pytest.raises(BadInputError, match="run `gate` first"):
        go(platform, tmp_path, "shift")
    assert platform.writes == []


def test_a_shift_that_breaks_goes_back_and_a_shift_after_it_begins_nothing(tmp_path: Path) -> None:
    platform = FakePlatform(an_endpoint())
    go(platform, tmp_path, "deploy", "smoke", "load", "gate")
    failing = a_rollout(platform, tmp_path, client=lambda there: FakeScoring(there, wrong=("green",)))
    assert single_steps.shift(failing).outcome is Outcome.ROLLED_BACK
    with pytest.raises(BadInputError, match="run `gate` first"):
        go(platform, tmp_path, "shift")
    assert platform.there().traffic == BLUE_LIVE


@pytest.mark.parametrize("step", ["deploy", "smoke", "load", "gate", "shift"])
def test_no_step_of_another_release_touches_one_that_is_under_way(step: str, tmp_path: Path) -> None:
    platform = FakePlatform(an_endpoint())
    go(platform, tmp_path / "r-2", "deploy", "smoke", "load", "gate")
    left = platform.there()
    with pytest.raises(BadInputError, match="release r-2 is under way"):
        go(platform, tmp_path / "r-3", step, release=a_release("r-3"))
    assert platform.there() is left


def test_a_gate_repeated_says_the_same(tmp_path: Path) -> None:
    platform = FakePlatform(an_endpoint())
    first = go(platform, tmp_path, "deploy", "smoke", "load", "gate")
    second = go(platform, tmp_path, "gate")
    assert first is not None
    assert second is not None
    assert (second.outcome, second.sentence) == (first.outcome, first.sentence)

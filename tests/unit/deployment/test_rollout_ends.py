"""Releases that are cut off, overtaken or started again: what each leaves on the endpoint."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deployment.outcomes import BadInputError, Outcome, PlatformError
from deployment.phases import Phase
from deployment.record import read_record
from tests.lib.release_fakes import FakePlatform, FakeScoring, make_record
from tests.unit.deployment.scene import (
    BLUE_LIVE,
    GREEN_LIVE,
    IMAGE,
    SETTINGS,
    AroundEachCall,
    Measured,
    a_deployment,
    a_release,
    a_rollout,
    an_endpoint,
    record_on,
    with_record,
)

pytestmark = pytest.mark.unit


ERRORS = [
    PlatformError("endpoint: 500 (InternalServerError)"),
    AttributeError("in the SDK"),
    SystemExit(143),
    KeyboardInterrupt(),
]


@pytest.mark.parametrize("error", ERRORS, ids=repr)
@pytest.mark.parametrize("step", ["deploy", "measure"])
def test_whatever_ends_a_release_before_the_shift_lets_go_of_the_endpoint(
    step: str, error: BaseException, tmp_path: Path
) -> None:
    def end(*_: Any, **__: Any) -> Any:
        raise error

    platform = FakePlatform(an_endpoint())
    if step == "deploy":
        platform.before_deploy = end
    result = a_rollout(platform, tmp_path, measure=end if step == "measure" else None).promote()
    expected = Outcome.PLATFORM_ERROR if isinstance(error, Exception) else Outcome.STOPPED
    assert result.outcome is expected
    assert platform.there().traffic == BLUE_LIVE
    record = record_on(platform)
    assert (record.phase, record.past[0].outcome) == (Phase.REFUSED, expected)


def test_what_was_refused_before_the_endpoint_was_held_is_raised(tmp_path: Path) -> None:
    platform = FakePlatform(an_endpoint())

    def refuse(_: int) -> None:
        raise PlatformError("endpoint: 403 (AuthorizationFailed)")

    with pytest.raises(PlatformError, match="AuthorizationFailed"):
        a_rollout(AroundEachCall(platform, before=refuse), tmp_path).promote()
    assert read_record(platform.there().tags) is None


def test_a_release_that_lost_the_endpoint_says_so_and_leaves_it_to_the_other(tmp_path: Path) -> None:
    platform = FakePlatform(an_endpoint())

    def lose(*arguments: Any, **named: Any) -> Any:
        theirs = replace(record_on(platform), release_id="r-3", holder="somebody else #2")
        platform.endpoint = replace(platform.there(), tags=theirs.to_tags())
        return Measured()(*arguments, **named)

    result = a_rollout(platform, tmp_path, measure=lose).promote()
    assert result.outcome is Outcome.FROZEN
    assert "it is held by somebody else #2 where this release left it to" in result.sentence
    assert (record_on(platform).release_id, record_on(platform).holder) == ("r-3", "somebody else #2")
    assert platform.writes == []


def test_an_endpoint_that_is_held_is_not_touched(tmp_path: Path) -> None:
    held = with_record(an_endpoint(), make_record(Phase.OBSERVED))
    platform = FakePlatform(held)
    with pytest.raises(BadInputError, match="release r-2 is under way"):
        a_rollout(platform, tmp_path, release=a_release("r-3")).promote()
    assert platform.there() is held
    assert platform.deploys == []


def test_an_endpoint_that_somebody_else_created_at_the_same_moment_is_theirs(tmp_path: Path) -> None:
    class Beaten(FakePlatform):
        def create_endpoint(self, tags: Any) -> None:
            super().create_endpoint({**tags, "release_id": "r-3", "release_holder": "somebody else #2"})

    platform = Beaten(None)
    result = a_rollout(platform, tmp_path).promote()
    assert result.outcome is Outcome.FROZEN
    assert "somebody else #2 created it at the same moment" in result.sentence
    assert platform.deploys == []


def test_a_promotion_that_cannot_be_written_down_is_still_one_and_says_what_is_left(tmp_path: Path) -> None:
    platform = FakePlatform(an_endpoint())
    whole = AroundEachCall(platform)
    a_rollout(whole, tmp_path / "whole").promote()

    def refuse(number: int) -> None:
        if number >= whole.calls - 1:  # the last but one lets go of the endpoint, then its traffic is looked at
            raise PlatformError("endpoint: 500")

    platform = FakePlatform(an_endpoint())
    result = a_rollout(AroundEachCall(platform, before=refuse), tmp_path / "cut").promote()
    assert result.outcome is Outcome.PROMOTED
    assert platform.there().traffic == GREEN_LIVE
    assert "tags still say that the release is under way, `resume` ends it" in result.journal[-1].event
    assert a_rollout(platform, tmp_path / "cut").promote().outcome is Outcome.PROMOTED
    assert (record_on(platform).phase, record_on(platform).kept) == (Phase.PROMOTED, "blue")


def test_a_promoted_release_that_is_started_again_stays_promoted(tmp_path: Path) -> None:
    platform = FakePlatform(an_endpoint())
    a_rollout(platform, tmp_path).promote()
    left = platform.there()
    assert a_rollout(platform, tmp_path).promote().outcome is Outcome.PROMOTED
    assert platform.there() is left


def test_a_candidate_that_is_gone_is_made_smoked_and_measured_again(tmp_path: Path) -> None:
    platform = FakePlatform(an_endpoint())
    first = a_rollout(platform, tmp_path)
    first.run(first.deploy, first.smoke, first.load, first.gate)
    assert record_on(platform).phase is Phase.PASSED
    platform.delete_deployment("green")
    measure = Measured()
    assert a_rollout(platform, tmp_path, measure=measure).promote().outcome is Outcome.PROMOTED
    assert (len(platform.deploys), len(measure.plans)) == (2, 1)


def test_a_release_that_has_passed_is_not_measured_again(tmp_path: Path) -> None:
    platform = FakePlatform(an_endpoint())
    first = a_rollout(platform, tmp_path)
    first.run(first.deploy, first.smoke, first.load, first.gate)
    measure = Measured()
    result = a_rollout(platform, tmp_path, measure=measure).promote()
    assert result.outcome is Outcome.PROMOTED
    assert result.verdict is not None
    assert measure.plans == []
    assert len(platform.deploys) == 1


def test_the_client_is_closed_however_a_release_ends(tmp_path: Path) -> None:
    clients: list[FakeScoring] = []

    def connect(there: FakePlatform) -> FakeScoring:
        clients.append(FakeScoring(there, wrong=("green",)))
        return clients[-1]

    a_rollout(FakePlatform(an_endpoint()), tmp_path, client=connect).promote()
    assert [client.closed for client in clients] == [True]


def test_mirrored_traffic_is_watched_before_the_first_step_and_ends_with_it(tmp_path: Path) -> None:
    shift = SETTINGS.shift.model_copy(update={"mirror_percent": 20, "mirror_s": 0.01})
    platform = FakePlatform(an_endpoint())
    result = a_rollout(platform, tmp_path, settings=SETTINGS.model_copy(update={"shift": shift})).promote()
    assert result.outcome is Outcome.PROMOTED
    assert [(routing.traffic, routing.mirror) for routing in platform.routings[:2]] == [
        (BLUE_LIVE, {"green": 20}),
        ({"blue": 90, "green": 10}, {}),
    ]


def test_a_leftover_of_this_very_release_is_taken_over_and_smoked_again(tmp_path: Path) -> None:
    platform = FakePlatform(an_endpoint(BLUE_LIVE, a_deployment("blue", release_id="r-1"), a_deployment("green")))
    rollout = a_rollout(platform, tmp_path)
    assert rollout.promote().outcome is Outcome.PROMOTED
    assert platform.deploys == []
    assert rollout.evidence.read_smoke(IMAGE)

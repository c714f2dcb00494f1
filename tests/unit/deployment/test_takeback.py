"""Traffic given back without a gate, over the head of whatever holds the endpoint."""

from dataclasses import replace
from pathlib import Path

import pytest

from deployment.outcomes import BadInputError, ConflictError, Outcome, PlatformError, TransientError
from deployment.phases import ENDED, Phase
from deployment.platform import Routing
from deployment.record import read_record
from deployment.takeback import TakeBack
from tests.lib.release_fakes import GOLDEN, FakePlatform, FakeScoring, colour, make_hold, make_journal, make_record
from tests.unit.deployment.scene import BLUE_LIVE, GREEN_LIVE, SETTINGS, AroundEachCall, record_on
from tests.unit.deployment.takeback_scene import SPLIT, Arrange, under_way

pytestmark = pytest.mark.unit


def test_an_abort_gives_the_traffic_back_and_lets_go(arrange: Arrange) -> None:
    scene = arrange(under_way(), SPLIT)
    taken = scene.take_back().abort()
    assert (taken.outcome, taken.routing) == (Outcome.ROLLED_BACK, Routing(BLUE_LIVE))
    assert scene.platform.writes == [BLUE_LIVE]
    record = record_on(scene.platform)
    assert (record.phase, record.past[0].outcome) == (Phase.ROLLED_BACK, "rolled back")
    assert record.holder.startswith("https://ci.test/9 #")
    assert scene.client.closed


def test_an_abort_of_a_release_without_traffic_is_no_way_back(arrange: Arrange) -> None:
    scene = arrange(under_way(Phase.PASSED, BLUE_LIVE), BLUE_LIVE)
    scene.take_back().abort()
    assert scene.platform.writes == []
    record = record_on(scene.platform)
    assert (record.phase, record.past[0].outcome) == (Phase.REFUSED, "stopped")


def test_an_abort_of_a_first_release_takes_all_traffic_away(arrange: Arrange) -> None:
    scene = arrange(make_record(Phase.SHIFTING, live="", routing=Routing(GREEN_LIVE)), GREEN_LIVE)
    taken = scene.take_back().abort()
    assert taken.outcome is Outcome.ROLLED_BACK
    assert scene.platform.there().traffic == {}


def test_an_abort_ends_mirroring_too(arrange: Arrange) -> None:
    mirrored = Routing(BLUE_LIVE, {"green": 20})
    scene = arrange(make_record(Phase.SHIFTING, routing=mirrored), BLUE_LIVE)
    scene.take_back().abort()
    assert scene.platform.there().routing == Routing(BLUE_LIVE)


@pytest.mark.parametrize("phase", sorted(ENDED))
def test_an_abort_without_a_release_under_way_is_refused(phase: Phase, arrange: Arrange) -> None:
    scene = arrange(under_way(phase, BLUE_LIVE), BLUE_LIVE)
    left = scene.platform.there()
    with pytest.raises(
        BadInputError, match=f"no release is under way on endpoint fake; release r-2 has ended as {phase}"
    ):
        scene.take_back().abort()
    assert scene.platform.there() is left


def test_an_abort_where_there_was_never_a_release_is_refused(arrange: Arrange) -> None:
    with pytest.raises(BadInputError, match="no release is under way on endpoint fake; there has been none"):
        arrange(None, BLUE_LIVE).take_back().abort()


def test_the_process_that_was_aborted_cannot_write_any_more(arrange: Arrange) -> None:
    scene = arrange(under_way(), SPLIT)
    hold = make_hold(scene.platform, scene.platform.there(), record_on(scene.platform))
    scene.take_back().abort()
    with pytest.raises(
        ConflictError, match=r"it is held by https://ci.test/9 #\w+ where this release left it to ci #1"
    ):
        hold.write(Phase.SHIFTING, Routing({"blue": 50, "green": 50}))
    assert scene.platform.there().traffic == BLUE_LIVE


@pytest.mark.parametrize("command", ["abort", "rollback"])
def test_nothing_is_written_towards_a_deployment_that_does_not_answer(command: str, arrange: Arrange) -> None:
    scene = arrange(under_way(), SPLIT, failing=("blue",))
    left = scene.platform.there()
    take_back = scene.take_back()
    taken = take_back.abort() if command == "abort" else take_back.roll_back("blue")
    assert taken.outcome is Outcome.FROZEN
    assert "blue answers status 424 where 200 is needed" in taken.sentence
    assert scene.platform.there() is left


def test_a_way_back_that_the_answers_do_not_show_is_not_called_one(arrange: Arrange) -> None:
    class Stuck(FakeScoring):
        def routed(self) -> str:
            return "green"

    scene = arrange(under_way(), SPLIT, client=Stuck)
    taken = scene.take_back().abort()
    assert taken.outcome is Outcome.FROZEN
    assert "was set, but the answers do not show it: 40 of 40 probes" in taken.sentence
    assert record_on(scene.platform).in_flight


def test_golden_requests_of_a_model_with_other_features_do_not_stand_in_the_way_back(arrange: Arrange) -> None:
    scene = arrange(under_way(), SPLIT, other_form=("blue",))
    assert scene.take_back().roll_back("blue").outcome is Outcome.ROLLED_BACK
    assert scene.platform.there().traffic == BLUE_LIVE
    assert scene.client.pings == 41


def test_without_golden_requests_the_root_route_is_asked(arrange: Arrange) -> None:
    scene = arrange(under_way(), SPLIT)
    assert scene.take_back(golden=False).abort().outcome is Outcome.ROLLED_BACK
    assert scene.client.pings == 41  # one sign of life, and forty probes
    with_golden = arrange(under_way(), SPLIT)
    with_golden.take_back().abort()
    assert with_golden.client.pings == 0


def test_a_platform_that_refuses_for_now_is_asked_again(arrange: Arrange) -> None:
    scene = arrange(under_way(), SPLIT)
    refusals = [TransientError("endpoint: 429"), TransientError("endpoint: 409")]

    def refuse(_: Routing) -> None:
        if refusals:
            raise refusals.pop()

    scene.platform.before_write = refuse
    assert scene.take_back().abort().outcome is Outcome.ROLLED_BACK
    assert scene.platform.there().traffic == BLUE_LIVE


def test_a_command_repeated_after_it_could_not_let_go_ends_the_release(arrange: Arrange) -> None:
    scene = arrange(under_way(), SPLIT)

    def refuse_the_last(routing: Routing) -> None:
        if scene.platform.there().routing == routing:
            raise PlatformError("endpoint: 500")

    scene.platform.before_write = refuse_the_last
    command = scene.take_back()
    assert command.abort().outcome is Outcome.ROLLED_BACK
    assert any("tags still say that a release is under way" in entry.event for entry in command.journal.entries)
    scene.platform.before_write = lambda _: None
    assert scene.take_back().abort().routing == Routing(BLUE_LIVE)
    assert not record_on(scene.platform).in_flight


def test_a_release_that_goes_on_while_it_is_aborted_does_not_stand_in_the_way(arrange: Arrange) -> None:
    scene = arrange(under_way(), SPLIT)
    theirs = {"blue": 30, "green": 70}

    def interfere(_: Routing) -> None:
        scene.platform.endpoint = replace(scene.platform.there(), traffic=theirs)

    scene.platform.before_write = interfere
    assert scene.take_back().abort().outcome is Outcome.ROLLED_BACK
    assert scene.platform.there().traffic == theirs


def test_an_endpoint_that_does_not_exist_has_nothing_to_give_back(tmp_path: Path) -> None:
    journal = make_journal(tmp_path, Phase.OBSERVED, {})
    with pytest.raises(PlatformError, match="endpoint: it does not exist"):
        TakeBack(FakePlatform(None), SETTINGS, GOLDEN, journal).abort()


def test_what_a_killed_process_asked_for_is_awaited_before_traffic_is_given_back(arrange: Arrange) -> None:
    scene = arrange(under_way(), SPLIT)
    scene.platform.endpoint = replace(scene.platform.there(), provisioning_state="Updating")

    def settle(number: int) -> None:
        if number == 2:
            scene.platform.endpoint = replace(scene.platform.there(), provisioning_state="Succeeded")

    around = AroundEachCall(scene.platform, after=settle)
    assert scene.take_back(around=around).abort().outcome is Outcome.ROLLED_BACK
    assert read_record(scene.platform.there().tags) is not None


def test_after_the_soak_who_was_scaled_down_is_still_who_served_before(arrange: Arrange) -> None:
    scene = arrange(under_way(Phase.DONE, GREEN_LIVE), GREEN_LIVE, blue=replace(colour("blue"), instance_count=1))
    taken = scene.take_back().roll_back(None)
    assert taken.routing == Routing(BLUE_LIVE)


def test_a_rollback_that_is_repeated_without_a_name_changes_nothing(arrange: Arrange) -> None:
    scene = arrange(under_way(Phase.ROLLED_BACK, BLUE_LIVE), BLUE_LIVE)
    left = scene.platform.there()
    taken = scene.take_back().roll_back(None)
    assert (taken.outcome, taken.sentence) == (
        Outcome.ROLLED_BACK,
        "blue 100 % already: 40 of 40 probes reached blue at 100 % (40 to 40 fit)",
    )
    assert scene.platform.there() is left


def test_without_a_key_the_traffic_goes_back_all_the_same_and_that_nobody_looked_is_told(
    arrange: Arrange, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = arrange(under_way(), SPLIT)

    def refuse() -> str:
        raise PlatformError("endpoint: 403 (Forbidden)")

    monkeypatch.setattr(scene.platform, "endpoint_key", refuse)
    taken = scene.take_back().abort()
    assert taken.sentence == "blue 100 %: set; nobody could look who answers"
    assert scene.platform.there().traffic == BLUE_LIVE


def test_an_abort_before_traffic_needs_nobody_to_answer(arrange: Arrange) -> None:
    scene = arrange(under_way(Phase.OBSERVED, BLUE_LIVE), BLUE_LIVE)
    scene.client.failing = ("blue", "green")
    assert scene.take_back().abort().outcome is Outcome.STOPPED
    assert not record_on(scene.platform).in_flight

"""The command rollback: one deployment gets all traffic, whoever holds the endpoint."""

from dataclasses import replace

import pytest

from deployment import rollback
from deployment.outcomes import BadInputError, Outcome, PlatformError
from deployment.phases import Phase
from deployment.platform import Routing
from tests.lib.release_fakes import colour
from tests.unit.deployment.scene import BLUE_LIVE, GREEN_LIVE, record_on
from tests.unit.deployment.takeback_scene import SPLIT, Arrange, promoted, under_way

pytestmark = pytest.mark.unit


def test_a_rollback_without_a_name_goes_to_who_is_kept_warm(arrange: Arrange) -> None:
    scene = arrange(promoted(), GREEN_LIVE)
    taken = scene.take_back().roll_back(None)
    assert taken.outcome is Outcome.ROLLED_BACK
    assert scene.platform.writes == [BLUE_LIVE]
    record = record_on(scene.platform)
    assert (record.phase, record.kept) == (Phase.ROLLED_BACK, "")
    assert [(entry.release_id, entry.outcome) for entry in record.past] == [("r-2", "rolled back")]


def test_a_rollback_in_the_middle_of_a_release_goes_to_who_served_before(arrange: Arrange) -> None:
    scene = arrange(under_way(), SPLIT)
    scene.take_back().roll_back(None)
    assert scene.platform.there().traffic == BLUE_LIVE
    assert not record_on(scene.platform).in_flight


@pytest.mark.parametrize("to", ["blue", "green"])
def test_a_rollback_goes_to_whoever_is_named(to: str, arrange: Arrange) -> None:
    scene = arrange(under_way(), SPLIT)
    taken = scene.take_back().roll_back(to)
    assert taken.routing == scene.platform.there().routing == Routing({to: 100})


def test_a_rollback_where_nobody_is_known_to_go_to_names_who_there_is(arrange: Arrange) -> None:
    scene = arrange(None, GREEN_LIVE)
    with pytest.raises(BadInputError, match=r"nobody is kept warm on endpoint fake, .*: --to NAME, one of blue, green"):
        scene.take_back().roll_back(None)


def test_a_rollback_to_a_deployment_that_is_not_there_names_who_there_is(arrange: Arrange) -> None:
    scene = arrange(under_way(), SPLIT)
    with pytest.raises(BadInputError, match="has no deployment 'red'; it has: blue, green"):
        scene.take_back().roll_back("red")
    assert scene.platform.writes == []


def test_a_rollback_works_on_an_endpoint_that_no_release_has_held(arrange: Arrange) -> None:
    scene = arrange(None, SPLIT)
    taken = scene.take_back().roll_back("green")
    assert (taken.outcome, scene.platform.there().traffic) == (Outcome.ROLLED_BACK, GREEN_LIVE)
    assert not record_on(scene.platform).in_flight


def test_damaged_tags_do_not_stand_in_the_way_back(arrange: Arrange) -> None:
    scene = arrange(under_way(), SPLIT)
    scene.platform.endpoint = replace(
        scene.platform.there(), tags={**scene.platform.there().tags, "release_phase": "?", "owner": "somebody"}
    )
    with pytest.raises(BadInputError, match="cannot be read"):
        scene.take_back().abort()
    command = scene.take_back()
    assert command.roll_back("blue").outcome is Outcome.ROLLED_BACK
    assert scene.platform.there().traffic == BLUE_LIVE
    assert not record_on(scene.platform).in_flight
    assert scene.platform.there().tags["owner"] == "somebody"
    assert "they are written anew" in command.journal.entries[0].event


def test_a_target_that_was_scaled_down_is_scaled_up_before_it_gets_traffic(arrange: Arrange) -> None:
    scene = arrange(promoted(), GREEN_LIVE)
    serving = replace(colour("green"), instance_count=3)
    scene.platform.endpoint = replace(scene.platform.there(), deployments={"blue": colour("blue"), "green": serving})
    counts: list[int] = []

    def look(routing: Routing) -> None:
        if routing.traffic.get("blue"):
            counts.append(scene.platform.there().deployments["blue"].instance_count)

    scene.platform.before_write = look
    scene.take_back().roll_back("blue")
    assert counts[0] == 3


def test_a_target_that_has_more_instances_keeps_them(arrange: Arrange) -> None:
    scene = arrange(promoted(), GREEN_LIVE, blue=replace(colour("blue"), instance_count=5))
    scene.take_back().roll_back("blue")
    assert scene.platform.there().deployments["blue"].instance_count == 5


@pytest.mark.parametrize("state", ["Failed", "Creating", "Canceled", "Deleting"])
def test_nothing_is_written_towards_a_deployment_that_is_not_ready(state: str, arrange: Arrange) -> None:
    scene = arrange(promoted(), GREEN_LIVE, blue=colour("blue", state))
    left = scene.platform.there()
    taken = scene.take_back().roll_back("blue")
    assert taken.outcome is Outcome.FROZEN
    assert f"blue is {state} where Succeeded is needed" in taken.sentence
    assert taken.routing == Routing(GREEN_LIVE)
    assert scene.platform.there() is left


@pytest.mark.parametrize("state", ["Scaling", "Updating"])
def test_a_deployment_that_is_being_scaled_gets_the_traffic_where_it_answers(state: str, arrange: Arrange) -> None:
    scene = arrange(under_way(), SPLIT, blue=colour("blue", state))
    assert scene.take_back().roll_back("blue").outcome is Outcome.ROLLED_BACK
    assert scene.platform.there().traffic == BLUE_LIVE
    assert not record_on(scene.platform).in_flight


@pytest.mark.parametrize("state", ["Scaling", "Updating"])
def test_one_that_is_being_scaled_and_does_not_answer_gets_nothing(
    state: str, arrange: Arrange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollback, "HEALTHY_WITHIN_S", 0.0)
    scene = arrange(under_way(), SPLIT, blue=colour("blue", state))
    scene.client.failing = ("blue",)
    taken = scene.take_back().roll_back("blue")
    assert taken.outcome is Outcome.FROZEN
    assert "blue answers status 424 where 200 is needed" in taken.sentence
    assert scene.platform.writes == []


@pytest.mark.parametrize("state", ["Scaling", "Updating"])
def test_one_that_is_being_scaled_and_cannot_be_asked_gets_nothing(
    state: str, arrange: Arrange, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = arrange(under_way(), SPLIT, blue=colour("blue", state))

    def refuse() -> str:
        raise PlatformError("endpoint: 403 (Forbidden)")

    monkeypatch.setattr(scene.platform, "endpoint_key", refuse)
    taken = scene.take_back().roll_back("blue")
    assert taken.outcome is Outcome.FROZEN
    assert f"blue is {state} where Succeeded is needed" in taken.sentence

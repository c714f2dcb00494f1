"""`abort --release-id`: the net below a workflow's jobs, which finds nothing to do most of the time."""

from dataclasses import replace

import pytest

from deployment.outcomes import Outcome
from deployment.phases import ENDED, Phase
from deployment.platform import Routing
from tests.lib.release_fakes import FakePlatform
from tests.unit.deployment.scene import BLUE_LIVE, record_on
from tests.unit.deployment.takeback_scene import SPLIT, Arrange, under_way

pytestmark = pytest.mark.unit


def test_the_named_release_is_ended(arrange: Arrange) -> None:
    scene = arrange(under_way(), SPLIT)
    taken = scene.take_back().abort_only("r-2")
    assert (taken.outcome, taken.routing) == (Outcome.ROLLED_BACK, Routing(BLUE_LIVE))
    assert record_on(scene.platform).phase is Phase.ROLLED_BACK


def test_the_named_release_without_traffic_is_ended_too(arrange: Arrange) -> None:
    scene = arrange(under_way(Phase.PASSED, BLUE_LIVE), BLUE_LIVE)
    assert scene.take_back().abort_only("r-2").outcome is Outcome.STOPPED
    assert record_on(scene.platform).phase is Phase.REFUSED


def test_another_release_under_way_is_left_alone(arrange: Arrange) -> None:
    scene = arrange(replace(under_way(), release_id="r-3"), SPLIT)
    left = scene.platform.there()
    taken = scene.take_back().abort_only("r-2")
    assert (taken.outcome, taken.routing) == (None, Routing(SPLIT))
    assert taken.sentence == ("release r-2 is not under way on endpoint fake, but r-3 is (shifting, held by ci #1)")
    assert scene.platform.there() is left


@pytest.mark.parametrize("phase", sorted(ENDED))
def test_a_release_that_has_ended_stays_as_it_ended(phase: Phase, arrange: Arrange) -> None:
    scene = arrange(under_way(phase, BLUE_LIVE), BLUE_LIVE)
    left = scene.platform.there()
    taken = scene.take_back().abort_only("r-2")
    assert taken.outcome is None
    assert taken.sentence.endswith(f"release r-2 has ended as {phase}")
    assert scene.platform.there() is left


def test_where_there_was_never_a_release_or_no_endpoint_nothing_is_done(arrange: Arrange) -> None:
    never = arrange(None, BLUE_LIVE).take_back().abort_only("r-2")
    assert (never.outcome, "there has been none" in never.sentence) == (None, True)
    scene = arrange(None, BLUE_LIVE)
    nowhere = replace(scene.take_back(), platform=FakePlatform(None)).abort_only("r-2")
    assert (nowhere.outcome, nowhere.sentence) == (None, "the endpoint does not exist: nothing is under way")

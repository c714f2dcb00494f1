"""Who has traffic, and who may: what a release must not do whatever happens to it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deployment import bake, single_steps
from deployment.bake import watch
from deployment.hold import is_split
from deployment.outcomes import BadInputError, Outcome, PlatformError
from deployment.phases import Phase
from deployment.platform import Routing, Traffic
from deployment.scoring import Answer
from tests.lib.release_fakes import GOLDEN, FakePlatform, FakeScoring
from tests.unit.deployment.scene import (
    BLUE_LIVE,
    OTHER_IMAGE,
    SETTINGS,
    Measured,
    a_deployment,
    a_rollout,
    an_endpoint,
    record_on,
    with_record,
)
from tests.unit.deployment.test_bake import Clock, TimedScoring

pytestmark = pytest.mark.unit

TENTH: Traffic = {"blue": 90, "green": 10}
HALF: Traffic = {"blue": 50, "green": 50}


def passed(folder: Path) -> FakePlatform:
    """Return the platform on which release r-2 has just passed the gate."""
    platform = FakePlatform(an_endpoint())
    rollout = a_rollout(platform, folder)
    assert rollout.run(rollout.deploy, rollout.smoke, rollout.load, rollout.gate) is None
    return platform


def killed_at_a_tenth(folder: Path) -> FakePlatform:
    """Return the platform on which release r-2 was killed at its first step."""
    platform = passed(folder)
    shifting = replace(record_on(platform), phase=Phase.SHIFTING, routing=Routing(TENTH))
    platform.endpoint = with_record(platform.there(), shifting)
    return platform


def test_freezing_does_not_set_a_split_that_the_platform_had_refused(tmp_path: Path) -> None:
    clients: list[FakeScoring] = []

    def connect(there: FakePlatform) -> FakeScoring:
        clients.append(FakeScoring(there))
        return clients[-1]

    def refuse(routing: Routing) -> None:
        if routing.traffic == HALF and not clients[0].failing:
            clients[0].failing = ("blue",)  # so that there is no safe way back
            raise PlatformError("endpoint: 500 (InternalServerError)")

    platform = FakePlatform(an_endpoint(), before_write=refuse)
    result = a_rollout(platform, tmp_path, client=connect).promote()
    assert result.outcome is Outcome.FROZEN
    assert platform.there().traffic == TENTH


class KeyRefusing(FakePlatform):
    """A platform that does not give its key the first time."""

    error: BaseException | None = None

    def endpoint_key(self) -> str:
        error, self.error = self.error, None
        if error is not None:
            raise error
        return super().endpoint_key()


@pytest.mark.parametrize("error", [PlatformError("endpoint: 403"), SystemExit(143)], ids=repr)
def test_a_resumed_shift_that_cannot_begin_does_not_say_that_live_has_all_traffic(
    error: BaseException, tmp_path: Path
) -> None:
    platform = KeyRefusing(killed_at_a_tenth(tmp_path).endpoint)
    platform.error = error
    result = a_rollout(platform, tmp_path).promote()
    assert result.outcome in {Outcome.ROLLED_BACK, Outcome.FROZEN}
    assert not is_split(platform.there().routing) or result.outcome is Outcome.FROZEN


# What never works again is given up soon.
IMPATIENT = SETTINGS.model_copy(
    update={"platform": SETTINGS.platform.model_copy(update={"patience_s": 0.5, "rollback_patience_s": 0.5})}
)


class BreaksUnderTraffic(FakeScoring):
    """A client of a candidate that answers right until it has traffic."""

    def score(self, body: Any, *, deployment: str | None = None) -> Answer:
        self.failing = ("green",) if self.platform.there().traffic.get("green") else ()
        return super().score(body, deployment=deployment)


@pytest.mark.parametrize("times", [1, 100])
def test_an_unexpected_error_on_the_way_back_freezes_or_is_got_over(times: int, tmp_path: Path) -> None:
    left = [AttributeError("in the SDK") for _ in range(times)]

    def refuse(routing: Routing) -> None:
        if routing.traffic == BLUE_LIVE and is_split(platform.there().routing) and left:
            raise left.pop()

    platform = FakePlatform(an_endpoint(), before_write=refuse)
    result = a_rollout(platform, tmp_path, client=BreaksUnderTraffic, settings=IMPATIENT).promote()
    assert result.outcome in {Outcome.ROLLED_BACK, Outcome.FROZEN}
    assert result.outcome is Outcome.FROZEN or not record_on(platform).in_flight


def test_a_candidate_made_anew_after_the_gate_is_measured_even_if_its_process_is_killed(tmp_path: Path) -> None:
    platform = passed(tmp_path)
    platform.delete_deployment("green")
    resumed = a_rollout(platform, tmp_path)
    resumed.run(resumed.deploy)  # makes it anew, and is killed
    measure = Measured()
    result = a_rollout(platform, tmp_path, measure=measure).promote()
    assert result.outcome is Outcome.PROMOTED
    assert len(measure.plans) == 1


def test_the_step_shift_sees_that_the_candidate_is_still_what_has_passed(tmp_path: Path) -> None:
    platform = passed(tmp_path)
    other = a_deployment("green", image=OTHER_IMAGE, release_id="r-9")
    platform.endpoint = replace(platform.there(), deployments={**platform.there().deployments, "green": other})
    with pytest.raises(BadInputError, match="run `deploy` first"):
        single_steps.shift(a_rollout(platform, tmp_path))
    assert platform.there().traffic == BLUE_LIVE


def test_a_failing_live_that_answers_a_client_is_no_breach_of_the_candidate() -> None:
    platform = FakePlatform(an_endpoint(TENTH, a_deployment("blue"), a_deployment("green")))
    watched = watch(
        FakeScoring(platform, failing=("blue",)),
        GOLDEN,
        live="blue",
        candidate="green",
        duration_s=0.01,
        settings=SETTINGS.shift,
        policy=SETTINGS.gate,
    )
    assert watched.fits


def test_a_step_is_not_watched_for_longer_than_it_is_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(bake, "monotonic", clock)
    monkeypatch.setattr(bake, "Event", lambda: clock)
    started_s = clock()
    client = TimedScoring(clock, {"blue": 300.0, "green": 300.0})  # three requests a look, three looks a second
    settings = SETTINGS.shift.model_copy(update={"bake_rate_pairs_per_s": 3.0})
    watch(client, GOLDEN, live="blue", candidate="green", duration_s=60, settings=settings, policy=SETTINGS.gate)
    assert clock() - started_s < 62


def test_the_result_of_a_release_that_was_interfered_with_has_the_traffic_that_there_is(tmp_path: Path) -> None:
    theirs = {"blue": 70, "green": 30}

    def interfere(routing: Routing) -> None:
        if routing.traffic == HALF:
            platform.endpoint = replace(platform.there(), traffic=theirs)

    platform = FakePlatform(an_endpoint(), before_write=interfere)
    result = a_rollout(platform, tmp_path).promote()
    assert result.outcome is Outcome.FROZEN
    assert result.traffic == theirs


def test_the_result_of_a_release_that_could_not_go_on_or_back_has_the_traffic_that_there_is(tmp_path: Path) -> None:
    refusing: list[Routing] = []

    def refuse(routing: Routing) -> None:
        if routing.traffic == HALF:
            refusing.append(routing)
        if refusing:
            raise PlatformError("endpoint: 500 (InternalServerError)")

    platform = FakePlatform(an_endpoint(), before_write=refuse)
    result = a_rollout(platform, tmp_path).promote()
    assert result.outcome is Outcome.FROZEN
    assert result.traffic == platform.there().traffic == TENTH

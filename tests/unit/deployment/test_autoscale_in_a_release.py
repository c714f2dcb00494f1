"""While a release goes on autoscale takes nothing from live, and the candidate is not measured at an advantage."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deployment import cli_release
from deployment.autoscale import follow, keep_size, make_plan
from deployment.outcomes import Outcome, PlatformError
from deployment.platform import Deployment
from deployment.release import Result
from deployment.releasing import Paths
from deployment.rollout import Rollout
from load.measure import Measurement
from tests.lib.github_step import a_step
from tests.lib.release_fakes import FakePlatform, colour
from tests.unit.deployment.autoscale_scene import ON, FakeScaling
from tests.unit.deployment.scene import SETTINGS, Measured, a_release, a_rollout, an_endpoint

pytestmark = pytest.mark.unit

SCALED = SETTINGS.model_copy(update={"autoscale": ON})


def sized(count: int) -> FakePlatform:
    """Return an endpoint whose live has so many instances; a candidate that is deployed there gets one."""
    endpoint = an_endpoint()
    blue = replace(endpoint.deployments["blue"], instance_count=count)
    return FakePlatform(replace(endpoint, deployments={"blue": blue}))


def test_the_candidate_is_made_as_large_as_autoscale_has_made_live(tmp_path: Path) -> None:
    endpoint = an_endpoint()
    grown = {**endpoint.deployments, "blue": replace(endpoint.deployments["blue"], instance_count=4)}
    for settings, least in ((SETTINGS, 0), (SETTINGS.model_copy(update={"autoscale": ON}), 4)):
        platform = FakePlatform(replace(endpoint, deployments=grown))
        assert a_rollout(platform, tmp_path / str(least), settings=settings).promote().outcome is Outcome.PROMOTED
        assert [request.least_instances for request in platform.deploys] == [least]


@pytest.mark.parametrize(("count", "most"), [(4, "5"), (9, "9")])
def test_live_keeps_its_instances_until_the_setting_follows_the_traffic_again(count: int, most: str) -> None:
    scaling, platform = FakeScaling(), sized(count)
    said = keep_size("diabetes", platform.there().deployments["blue"], ON, scaling)
    assert said == f"autoscale: blue has no fewer than {count} instances until the release has ended"
    (profile,) = scaling.found["autoscale-diabetes-blue"]["properties"]["profiles"]
    assert profile["capacity"] == {"minimum": str(count), "maximum": most, "default": str(count)}

    def look() -> Any:
        return make_plan("diabetes", platform.there(), ON, scaling), scaling

    follow(look, ON, print, print)
    (profile,) = scaling.found["autoscale-diabetes-blue"]["properties"]["profiles"]
    assert profile["capacity"] == {"minimum": "2", "maximum": "5", "default": "2"}


def test_a_release_begins_with_that_before_the_candidate_is_made(tmp_path: Path) -> None:
    platform = sized(4)
    kept: list[tuple[str, int, int]] = []

    def keep(live: Deployment) -> str:
        kept.append((live.name, live.instance_count, len(platform.deploys)))
        return "kept"

    rollout = a_rollout(platform, tmp_path, settings=SCALED)
    rollout.keep_size = keep
    assert rollout.run(rollout.deploy) is None
    assert kept == [("blue", 4, 0)]
    assert "kept" in [entry.event for entry in rollout.journal.entries]


@pytest.mark.parametrize("error", [PlatformError("no permission"), KeyError("name")], ids=["refused", "broken"])
def test_where_that_fails_the_release_goes_on_and_tells(error: Exception, tmp_path: Path) -> None:
    def fail(_: Deployment) -> str:
        raise error

    rollout = a_rollout(sized(1), tmp_path, settings=SCALED)
    rollout.keep_size = fail
    assert rollout.promote().outcome is Outcome.PROMOTED
    told = f"warning: autoscale may take instances from blue meanwhile: {error}"
    assert told in [entry.event for entry in rollout.journal.entries]


def test_where_it_is_off_or_nobody_serves_nothing_is_asked(tmp_path: Path) -> None:
    def fail(_: Deployment) -> str:
        raise AssertionError

    for name, platform, settings in (("off", sized(1), SETTINGS), ("first", FakePlatform(None), SCALED)):
        rollout = a_rollout(platform, tmp_path / name, settings=settings)
        rollout.keep_size = fail
        assert rollout.promote().outcome is Outcome.PROMOTED
        assert not [entry for entry in rollout.journal.entries if "autoscale" in entry.event]


def changing(change: Callable[[], None]) -> Callable[..., Measurement]:
    """Return a load test in the middle of which something changes."""
    measured = Measured()

    def measure(plan: Any, **more: Any) -> Measurement:
        observe, seen = more.pop("observe"), 0

        def look() -> str:
            nonlocal seen
            seen += 1
            if seen > 1:
                change()
            return str(observe())

        return measured(plan, observe=look, **more)

    return measure


@pytest.mark.parametrize(
    ("name", "count", "outcome"),
    [("blue", 1, Outcome.INVALID), ("green", 3, Outcome.INVALID), ("blue", 3, Outcome.PROMOTED)],
    ids=["live shrinks", "the candidate grows", "live grows"],
)
def test_what_becomes_an_advantage_of_the_candidate_while_load_is_measured_is_invalid(
    name: str, count: int, outcome: Outcome, tmp_path: Path
) -> None:
    platform = sized(2)
    rollout = a_rollout(platform, tmp_path, settings=SCALED, measure=changing(lambda: platform.scale(name, count)))
    assert rollout.run(rollout.deploy) is None
    platform.scale("green", 2)
    result = a_rollout(platform, tmp_path, settings=SCALED, measure=rollout.measure).promote()
    assert result.outcome is outcome, result.sentence
    if outcome is Outcome.INVALID:
        theirs = platform.there().deployments
        told = f"green has {theirs['green'].instance_count} instances where blue has {theirs['blue'].instance_count}"
        assert told in result.sentence


def test_an_advantage_from_the_start_is_not_measured_at_all(tmp_path: Path) -> None:
    for settings, outcome, measurements in ((SCALED, Outcome.INVALID, 0), (SETTINGS, Outcome.PROMOTED, 1)):
        platform, measured, folder = sized(1), Measured(), tmp_path / outcome
        begun = a_rollout(platform, folder, settings=settings)
        begun.run(begun.deploy)
        platform.scale("green", 2)
        result = a_rollout(platform, folder, settings=settings, measure=measured).promote()
        assert (result.outcome, len(measured.plans)) == (outcome, measurements)
        assert ("green has 2 instances where blue has 1" in result.sentence) is (outcome is Outcome.INVALID)
        assert platform.there().traffic == ({"blue": 100} if outcome is Outcome.INVALID else {"green": 100})


@pytest.mark.parametrize("outcome", list(Outcome))
def test_at_every_end_of_a_release_the_setting_follows_the_traffic(
    outcome: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_step(tmp_path, monkeypatch)
    followed: list[bool] = []
    monkeypatch.setattr(cli_release, "settings_of", lambda _: SCALED)
    monkeypatch.setattr(cli_release, "connect", lambda *_: sized(1))
    monkeypatch.setattr(cli_release, "keep_size_of", lambda _, settings, live: f"{live.name} {settings is SCALED}")
    monkeypatch.setattr(cli_release, "follow_traffic", lambda *_: followed.append(True))

    def end(rollout: Rollout) -> Result:
        assert rollout.keep_size is not None
        assert rollout.keep_size(colour("blue")) == "blue True"
        return Result(outcome, "so", "", "fake", "blue", "green", {}, (), None, (), None)

    with pytest.raises(SystemExit) as ended:
        cli_release.go(Paths(reports_dir=tmp_path), lambda *_: a_release(), end)
    assert ended.value.code == outcome.exit_code
    assert bool(followed) is (outcome not in {Outcome.PASSED, Outcome.FROZEN})

"""A release that is killed at any moment: whoever comes after it finds nothing that cannot be finished or undone."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from deployment import takeback
from deployment.hold import is_split
from deployment.outcomes import BadInputError, Outcome
from deployment.phases import UNDER_TRAFFIC, Phase
from deployment.platform import Endpoint, Traffic
from deployment.record import read_record
from deployment.scoring import Answer
from deployment.takeback import TakeBack
from tests.lib.release_fakes import GOLDEN, FakePlatform, FakeScoring, make_journal
from tests.unit.deployment.scene import (
    BLUE_LIVE,
    GREEN_LIVE,
    SETTINGS,
    AroundEachCall,
    Connect,
    a_release,
    a_rollout,
    an_endpoint,
    record_on,
    silent,
    with_record,
)

pytestmark = pytest.mark.unit

MIRRORED = SETTINGS.model_copy(
    update={"shift": SETTINGS.shift.model_copy(update={"mirror_percent": 20, "mirror_s": 0.01})}
)


@dataclass(frozen=True)
class Moment:
    """All that a killed process leaves: the endpoint and the files of its folder."""

    endpoint: Endpoint | None
    files: Mapping[str, bytes]

    def lay_out(self, folder: Path) -> FakePlatform:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.files.items():
            (folder / name).write_bytes(content)
        return FakePlatform(self.endpoint)


def moments_of(platform: FakePlatform, folder: Path, *, client: Connect = FakeScoring) -> Iterator[Moment]:
    """Run a release and return what it would have left, had it been killed before or after any call it makes."""
    seen: list[Moment] = []

    def look(_: int) -> None:
        names = ("smoke.json", "rows.csv.gz")
        files = {name: (folder / name).read_bytes() for name in names if (folder / name).exists()}
        now = Moment(platform.endpoint, files)
        if now not in seen:
            seen.append(now)

    watched = AroundEachCall(platform, before=look, after=look)
    a_rollout(watched, folder, client=client, settings=MIRRORED).promote()
    yield from seen


class BreaksAtHalf(FakeScoring):
    """A client of a candidate that answers right until it has half of the traffic, and never again."""

    def score(self, body: object, *, deployment: str | None = None) -> Answer:
        self.wrong = ("green",) if self.platform.there().traffic.get("green", 0) >= 50 else ()
        return super().score(body, deployment=deployment)


@cache
def moments(kind: str) -> tuple[Moment, ...]:
    endpoint = None if kind == "first" else an_endpoint()
    client = BreaksAtHalf if kind == "rolled back" else FakeScoring
    with TemporaryDirectory() as folder:
        return tuple(moments_of(FakePlatform(endpoint), Path(folder), client=client))


def assert_let_go(platform: FakePlatform, traffic: Traffic) -> None:
    assert platform.there().traffic == traffic
    assert not is_split(platform.there().routing)
    record = record_on(platform)
    assert not record.in_flight
    assert record.routing == platform.there().routing


def test_the_moments_are_those_that_matter() -> None:
    phases = [read_record(moment.endpoint.tags) for moment in moments("second") if moment.endpoint]
    assert {record.phase for record in phases if record} == {
        Phase.OBSERVED,
        Phase.PASSED,
        Phase.SHIFTING,
        Phase.PROMOTED,
    }
    assert any(moment.endpoint and moment.endpoint.mirror_traffic for moment in moments("second"))
    assert any(
        record and record.phase is Phase.ROLLING_BACK
        for record in (read_record(moment.endpoint.tags) for moment in moments("rolled back") if moment.endpoint)
    )


@pytest.mark.parametrize("files_too", [True, False], ids=["same machine", "another machine"])
@pytest.mark.parametrize(("kind", "winner"), [("second", GREEN_LIVE), ("first", BLUE_LIVE)])
def test_a_release_killed_at_any_moment_is_promoted_when_it_is_started_again(
    kind: str, winner: Traffic, *, files_too: bool, tmp_path: Path
) -> None:
    for place, moment in enumerate(moments(kind)):
        folder = tmp_path / str(place)
        platform = (moment if files_too else replace(moment, files={})).lay_out(folder)
        result = a_rollout(platform, folder, settings=MIRRORED).promote()
        assert result.outcome is Outcome.PROMOTED, place
        assert result.traffic == winner
        assert_let_go(platform, winner)
        assert record_on(platform).phase is Phase.PROMOTED


def test_a_release_killed_twice_is_promoted_when_it_is_started_a_third_time(tmp_path: Path) -> None:
    again: list[Moment] = []
    for place, moment in enumerate(moments("second")):
        folder = tmp_path / f"second-{place}"
        again.extend(moments_of(moment.lay_out(folder), folder))
    different = {outline(moment): moment for moment in again}
    for place, moment in enumerate(different.values()):
        folder = tmp_path / f"third-{place}"
        platform = moment.lay_out(folder)
        assert a_rollout(platform, folder, settings=MIRRORED).promote().outcome is Outcome.PROMOTED
        assert_let_go(platform, GREEN_LIVE)


def outline(moment: Moment) -> tuple[object, ...]:
    """Return what distinguishes moments but for their times and names."""
    endpoint = moment.endpoint
    assert endpoint is not None
    record = read_record(endpoint.tags)
    return (str(endpoint.routing), " ".join(sorted(endpoint.deployments)), record and record.phase, *moment.files)


def test_a_release_with_a_bad_candidate_killed_at_any_moment_is_undone_when_it_is_started_again(
    tmp_path: Path,
) -> None:
    for place, moment in enumerate(moments("rolled back")):
        folder = tmp_path / str(place)
        platform = moment.lay_out(folder)
        result = a_rollout(platform, folder, client=BreaksAtHalf, settings=MIRRORED).promote()
        assert result.outcome is Outcome.ROLLED_BACK, place
        assert result.traffic == BLUE_LIVE
        assert_let_go(platform, BLUE_LIVE)


@pytest.mark.parametrize(("kind", "before"), [("second", BLUE_LIVE), ("rolled back", BLUE_LIVE), ("first", {})])
def test_a_release_killed_at_any_moment_can_be_aborted(
    kind: str, before: Traffic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for moment in moments(kind):
        platform = moment.lay_out(tmp_path)
        if platform.endpoint is None or not is_under_way(platform):
            continue
        monkeypatch.setattr(takeback, "ScoringClient", connecting(platform))
        journal = make_journal(tmp_path, Phase.OBSERVED, {})
        TakeBack(platform, SETTINGS, GOLDEN, journal).abort()
        assert_let_go(platform, before)


def connecting(platform: FakePlatform) -> Callable[..., FakeScoring]:
    return lambda *_, **__: FakeScoring(platform)


def is_under_way(platform: FakePlatform) -> bool:
    record = read_record(platform.there().tags)
    return record is not None and record.in_flight


@pytest.mark.parametrize("kind", ["first", "second", "rolled back"])
def test_no_other_release_gets_in_while_the_lease_of_a_killed_one_holds(kind: str, tmp_path: Path) -> None:
    for moment in moments(kind):
        platform = moment.lay_out(tmp_path)
        if platform.endpoint is None or not is_under_way(platform):
            continue
        with pytest.raises(BadInputError, match="release r-2 is under way"):
            a_rollout(platform, tmp_path / "other", release=a_release("r-3")).promote()
        assert platform.endpoint is moment.endpoint


def test_another_release_after_the_lease_either_begins_from_whole_traffic_or_is_refused(tmp_path: Path) -> None:
    for place, moment in enumerate(moments("second")):
        platform = moment.lay_out(tmp_path)
        if platform.endpoint is None or not is_under_way(platform):
            continue
        platform.endpoint = with_record(platform.endpoint, silent(record_on(platform)))
        split = is_split(platform.there().routing) or record_on(platform).phase in UNDER_TRAFFIC
        other = a_rollout(platform, tmp_path / f"other-{place}", release=a_release("r-3"))
        if split:
            with pytest.raises(BadInputError, match=r"release r-2 broke off as (shifting|rolling_back)"):
                other.promote()
        else:
            assert other.promote().outcome is Outcome.PROMOTED
            assert record_on(platform).release_id == "r-3"
            assert not is_split(platform.there().routing)

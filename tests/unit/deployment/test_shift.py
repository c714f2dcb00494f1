"""Traffic in steps, and every way back."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from deployment import rollback, shift
from deployment.outcomes import Breach, Outcome, PlatformError, TransientError
from deployment.phases import Phase
from deployment.platform import Deployment, Endpoint, Routing, Traffic
from deployment.settings import PlatformSettings, ReleaseSettings, ShiftSettings
from deployment.shift import Shift
from load.report_data import JournalEntry
from load.settings import GatePolicy, LoadSettings
from tests.lib.release_fakes import (
    GOLDEN,
    FakePlatform,
    FakeScoring,
    RecordingWatcher,
    colour,
    make_hold,
    make_journal,
    make_record,
)

pytestmark = pytest.mark.unit

STEPS = ShiftSettings(steps_percent=(10, 50, 100), probes_per_step=200, routing_timeout_s=0.1, bake_s=0.01, drill=False)
SETTINGS = ReleaseSettings(
    shift=STEPS,
    load=LoadSettings(),
    gate=GatePolicy(),
    platform=PlatformSettings(patience_s=1, rollback_patience_s=5),
)
BLUE_LIVE: Traffic = {"blue": 100}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollback, "HEALTHY_WITHIN_S", 0.0)
    monkeypatch.setattr(shift, "SEEN_WITHIN_S", 0.0)


def endpoint(traffic: Traffic, blue: Deployment | None = None) -> Endpoint:
    deployments = {"blue": blue or colour("blue"), "green": colour("green")}
    return Endpoint("fake", "http://127.0.0.1:9/score", traffic, {}, deployments)


def make_shift(
    folder: Path,
    platform: FakePlatform,
    *,
    client: Callable[[FakePlatform], FakeScoring] = FakeScoring,
    live: str | None = "blue",
    settings: ReleaseSettings = SETTINGS,
    drill: bool = False,
) -> Shift:
    there = platform.there()
    return Shift(
        platform=platform,
        client=client(platform),
        hold=make_hold(platform, there, make_record(Phase.PASSED, live=live or "", routing=there.routing)),
        journal=make_journal(folder, Phase.PASSED, there.traffic),
        settings=settings,
        golden=GOLDEN,
        live=live,
        candidate="green",
        drill=drill,
    )


def test_each_step_is_set_verified_and_watched_until_the_candidate_has_all_traffic(tmp_path: Path) -> None:
    platform = FakePlatform(endpoint(BLUE_LIVE))
    shift = make_shift(tmp_path, platform)
    shift.run()
    assert platform.writes == [{"blue": 90, "green": 10}, {"blue": 50, "green": 50}, {"green": 100}]
    assert shift.journal.phase is Phase.PROMOTED
    assert [entry.verified for entry in shift.journal.entries].count(True) == 3
    lines = [json.loads(line) for line in shift.journal.path.read_text().splitlines()]
    assert [line["event"] for line in lines] == [entry.event for entry in shift.journal.entries]


def test_a_first_release_gets_all_traffic_in_one_step(tmp_path: Path) -> None:
    platform = FakePlatform(endpoint({}))
    make_shift(tmp_path, platform, live=None).run()
    assert platform.writes == [{"green": 100}]


def test_a_candidate_that_fails_under_traffic_loses_it_at_the_first_step(tmp_path: Path) -> None:
    platform = FakePlatform(endpoint(BLUE_LIVE))
    shift = make_shift(tmp_path, platform, client=lambda there: FakeScoring(there, failing=("green",)))
    with pytest.raises(Breach, match=r"Breach at 10 % traffic: \d+ of 200 probes failed, the first with") as breach:
        shift.run()
    assert breach.value.outcome is Outcome.ROLLED_BACK
    assert platform.writes == [{"blue": 90, "green": 10}, BLUE_LIVE]
    assert shift.journal.phase is Phase.ROLLED_BACK


def test_a_candidate_that_answers_wrongly_under_traffic_loses_it(tmp_path: Path) -> None:
    platform = FakePlatform(endpoint(BLUE_LIVE))
    shift = make_shift(tmp_path, platform, client=lambda there: FakeScoring(there, wrong=("green",)))
    with pytest.raises(Breach, match="Breach at 10 % traffic: green answered golden-00 with 2 instead of 1"):
        shift.run()
    assert platform.there().traffic == BLUE_LIVE


def test_a_split_that_is_set_but_not_routed_is_taken_back(tmp_path: Path) -> None:
    class Deaf(FakeScoring):
        def routed(self) -> str:
            return "blue"

    platform = FakePlatform(endpoint(BLUE_LIVE))
    with pytest.raises(Breach, match="200 of 200 probes reached blue at 90 %"):
        make_shift(tmp_path, platform, client=Deaf).run()
    assert platform.there().traffic == BLUE_LIVE


def refuse_once(percent: int, error: BaseException) -> Callable[[Routing], None]:
    left = [error]

    def refuse(routing: Routing) -> None:
        if left and routing.traffic.get("green") == percent:
            raise left.pop()

    return refuse


@pytest.mark.parametrize(
    "error",
    [PlatformError("endpoint: 500"), KeyboardInterrupt(), SystemExit(143), AttributeError("in the SDK")],
    ids=repr,
)
def test_an_error_or_a_signal_in_the_middle_takes_everything_back(tmp_path: Path, error: BaseException) -> None:
    platform = FakePlatform(endpoint(BLUE_LIVE), before_write=refuse_once(50, error))
    shift = make_shift(tmp_path, platform)
    with pytest.raises(Breach) as breach:
        shift.run()
    assert breach.value.outcome is Outcome.ROLLED_BACK
    assert platform.there().traffic == BLUE_LIVE


def test_the_way_back_is_tried_again_when_the_platform_refuses(tmp_path: Path) -> None:
    refusals = iter([TransientError("409"), TransientError("429"), TransientError("503")])

    def refuse_thrice(routing: Routing) -> None:
        if routing.traffic == BLUE_LIVE and (refusal := next(refusals, None)):
            raise refusal

    platform = FakePlatform(endpoint(BLUE_LIVE), before_write=refuse_thrice)
    with pytest.raises(Breach) as breach:
        make_shift(tmp_path, platform, client=lambda there: FakeScoring(there, failing=("green",))).run()
    assert breach.value.outcome is Outcome.ROLLED_BACK
    assert platform.there().traffic == BLUE_LIVE


def test_a_way_back_that_the_answers_do_not_show_is_not_called_one(tmp_path: Path) -> None:
    class Stuck(FakeScoring):
        def routed(self) -> str:
            return "green"

    platform = FakePlatform(endpoint(BLUE_LIVE))
    with pytest.raises(Breach, match="set back, but the answers do not show it: 40 of 40 probes") as breach:
        make_shift(tmp_path, platform, client=Stuck).run()
    assert breach.value.outcome is Outcome.FROZEN


def test_there_is_no_way_back_to_a_live_deployment_that_is_sick(tmp_path: Path) -> None:
    platform = FakePlatform(endpoint(BLUE_LIVE))
    shift = make_shift(tmp_path, platform, client=lambda there: FakeScoring(there, failing=("blue",)))
    with pytest.raises(Breach, match="no safe way back: blue answers status 424 where 200 is needed") as breach:
        shift.run()
    assert breach.value.outcome is Outcome.FROZEN
    assert platform.writes == [{"blue": 90, "green": 10}]


def test_there_is_no_way_back_to_a_live_deployment_that_failed(tmp_path: Path) -> None:
    platform = FakePlatform(endpoint(BLUE_LIVE, blue=colour("blue", "Failed")))
    shift = make_shift(tmp_path, platform, client=lambda there: FakeScoring(there, wrong=("green",)))
    with pytest.raises(Breach, match="blue is Failed where Succeeded is needed") as breach:
        shift.run()
    assert breach.value.outcome is Outcome.FROZEN


def test_traffic_that_somebody_else_has_changed_is_left_as_they_set_it(tmp_path: Path) -> None:
    platform = FakePlatform(endpoint(BLUE_LIVE))
    theirs = {"blue": 70, "green": 30}

    def interfere(routing: Routing) -> None:
        if routing.traffic.get("green") == 50:
            platform.endpoint = replace(platform.there(), traffic=theirs)

    platform.before_write = interfere
    with pytest.raises(
        Breach, match="traffic is blue 70 %, green 30 % where this release left blue 90 %, green 10 %"
    ) as breach:
        make_shift(tmp_path, platform).run()
    assert breach.value.outcome is Outcome.FROZEN
    assert platform.there().traffic == theirs


def test_a_first_release_that_breaks_leaves_the_endpoint_without_traffic(tmp_path: Path) -> None:
    platform = FakePlatform(endpoint({}))
    shift = make_shift(tmp_path, platform, client=lambda there: FakeScoring(there, failing=("green",)), live=None)
    with pytest.raises(Breach) as breach:
        shift.run()
    assert breach.value.outcome is Outcome.ROLLED_BACK
    assert platform.there().traffic == {}


def test_a_journal_that_cannot_be_written_does_not_stand_in_the_way_back(tmp_path: Path) -> None:
    platform = FakePlatform(endpoint(BLUE_LIVE))
    shift = make_shift(tmp_path, platform, client=lambda there: FakeScoring(there, failing=("green",)))
    shift.journal.path = tmp_path / "file" / "journal.jsonl"
    (tmp_path / "file").write_text("in the way of a folder")
    with pytest.raises(Breach):
        shift.run()
    assert platform.there().traffic == BLUE_LIVE


class BrokenTerminal(RecordingWatcher):
    """A watcher whose terminal was closed."""

    def started(self, what: str) -> None:
        raise BrokenPipeError(what)

    def recorded(self, entry: JournalEntry) -> None:
        raise BrokenPipeError(entry.event)


def test_a_terminal_that_was_closed_does_not_stand_in_the_way_back(tmp_path: Path) -> None:
    platform = FakePlatform(endpoint(BLUE_LIVE))
    shift = make_shift(tmp_path, platform, client=lambda there: FakeScoring(there, failing=("green",)))
    shift.journal.watcher = BrokenTerminal()
    with pytest.raises(Breach) as breach:
        shift.run()
    assert breach.value.outcome is Outcome.ROLLED_BACK
    assert platform.there().traffic == BLUE_LIVE

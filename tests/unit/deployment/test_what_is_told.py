"""What is remembered of a release and told of it: in tags, in files, in results."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deployment import single_steps
from deployment.outcomes import BadInputError, Outcome, PlatformError
from deployment.phases import Phase
from deployment.platform import Routing
from deployment.record import Past, Record, read_record, utc_now
from deployment.release import Release
from deployment.standing import endpoint_standing, status_table
from deployment.takeback import TakeBack
from load.measure import LoadError
from tests.lib.load_samples import Answers
from tests.lib.release_fakes import GOLDEN, FakePlatform, FakeScoring, make_journal, make_record
from tests.unit.deployment.scene import (
    BLUE_LIVE,
    GREEN_LIVE,
    IMAGE,
    SETTINGS,
    a_deployment,
    a_release,
    a_rollout,
    an_endpoint,
    record_on,
    rows_file,
    with_record,
)

pytestmark = pytest.mark.unit


def both(record: Record) -> FakePlatform:
    endpoint = an_endpoint(record.routing.traffic, a_deployment("blue", release_id="r-1"), a_deployment("green"))
    return FakePlatform(with_record(endpoint, record))


def promoted() -> Record:
    record = replace(make_record(Phase.SHIFTING, routing=Routing(GREEN_LIVE)), image=IMAGE)
    return record.ended(Phase.PROMOTED, Outcome.PROMOTED, utc_now(), keep_warm_s=3600)


@pytest.fixture
def take_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def make(platform: FakePlatform) -> TakeBack:
        monkeypatch.setattr("deployment.takeback.ScoringClient", lambda *_, **__: FakeScoring(platform))
        return TakeBack(platform, SETTINGS, GOLDEN, make_journal(tmp_path, Phase.OBSERVED, {}))

    return make


def test_the_history_keeps_the_image_of_a_release_however_often_it_is_written_again() -> None:
    entry = Past("r-1", Outcome.PROMOTED, utc_now(), "green", "1", IMAGE, "0123456789abcdef")
    read = Past.from_tag(entry.to_tag())
    assert Past.from_tag(read.to_tag()) == read


@pytest.mark.parametrize("release", [a_release("fix|42"), a_release(model_version="1|2")], ids=["id", "model version"])
def test_a_name_with_the_separator_of_the_tags_leaves_them_readable_or_is_refused(
    release: Release, tmp_path: Path
) -> None:
    platform = FakePlatform(an_endpoint())
    try:
        a_rollout(platform, tmp_path, release=release).promote()
    except BadInputError:
        assert platform.there().tags == {}
    else:
        assert record_on(platform).past


@pytest.mark.parametrize("release", [a_release("r" * 200), a_release(model_version="1" * 200)], ids=["id", "version"])
def test_a_name_too_long_for_the_history_is_refused_before_anything_is_touched(
    release: Release, tmp_path: Path
) -> None:
    platform = FakePlatform(an_endpoint())
    try:
        a_rollout(platform, tmp_path, release=release).promote()
    except BadInputError:
        assert platform.there().traffic == BLUE_LIVE
    assert platform.there().tags == {} or not record_on(platform).in_flight


@pytest.mark.parametrize("name", ["release_leased_until", "release_kept_until", "release_phase_at"])
def test_a_time_without_a_zone_is_a_damaged_tag(name: str) -> None:
    tags = {**promoted().to_tags(), name: "2026-11-23T03:42:10"}
    with pytest.raises(BadInputError, match="cannot be read"):
        read_record(tags)


def test_status_names_a_damaged_time_too() -> None:
    endpoint = both(promoted()).there()
    damaged = replace(endpoint, tags={**endpoint.tags, "release_phase_at": "2026-11-23T03:42:10"})
    with pytest.raises(BadInputError, match="cannot be read"):
        list(status_table(damaged))
    with pytest.raises(BadInputError, match="cannot be read"):
        endpoint_standing(damaged)


def test_a_phase_that_was_removed_does_not_open_the_lock() -> None:
    tags = make_record(Phase.PASSED).to_tags()
    del tags["release_phase"]
    with pytest.raises(BadInputError, match="cannot be read"):
        read_record(tags)


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"], ids=["nothing", "a header"])
def test_a_load_test_that_was_killed_before_its_first_row_still_ends_in_a_result(
    content: bytes, tmp_path: Path
) -> None:
    def killed(_plan: Any, *, rows_path: Path, **_: Any) -> Any:
        rows_path.parent.mkdir(parents=True, exist_ok=True)
        rows_path.write_bytes(content)
        raise LoadError("load: Locust ended with code -9")

    result = a_rollout(FakePlatform(an_endpoint()), tmp_path, measure=killed).promote()
    assert result.outcome is Outcome.INVALID


@pytest.mark.parametrize("name", ["rows.csv.gz", "smoke.json"])
def test_a_file_that_was_damaged_meanwhile_does_not_hide_a_promotion(name: str, tmp_path: Path) -> None:
    platform = FakePlatform(an_endpoint())
    first = a_rollout(platform, tmp_path)
    first.run(first.deploy, first.smoke, first.load, first.gate)
    (tmp_path / name).write_bytes(b"")
    assert a_rollout(platform, tmp_path).promote().outcome is Outcome.PROMOTED


def test_an_unexpected_error_in_the_last_write_is_told_or_got_over(tmp_path: Path) -> None:
    left = [AttributeError("in the SDK")]

    def refuse(_: Routing) -> None:
        if platform.there().traffic == GREEN_LIVE and left:
            raise left.pop()

    platform = FakePlatform(an_endpoint(), before_write=refuse)
    result = a_rollout(platform, tmp_path).promote()
    assert result.outcome is Outcome.PROMOTED
    assert not record_on(platform).in_flight or "`resume` ends it" in result.journal[-1].event


def test_an_abort_that_is_repeated_does_not_deny_that_there_was_traffic(take_back: Any) -> None:
    platform = both(make_record(Phase.SHIFTING, routing=Routing({"blue": 90, "green": 10})))

    def refuse_the_last(routing: Routing) -> None:
        if platform.there().routing == routing:
            raise PlatformError("endpoint: 500 (InternalServerError)")

    platform.before_write = refuse_the_last
    take_back(platform).abort()
    platform.before_write = lambda _: None
    take_back(platform).abort()
    assert record_on(platform).past[0].outcome == "rolled back"


def test_a_rollback_that_is_repeated_stays_one_in_the_history(take_back: Any) -> None:
    platform = both(promoted())
    for _ in range(2):
        take_back(platform).roll_back("blue")
    assert record_on(platform).past[0].outcome == "rolled back"


def test_a_rollback_to_who_serves_already_does_not_undo_a_promotion_in_the_history(take_back: Any) -> None:
    platform = both(promoted())
    take_back(platform).roll_back("green")
    record = record_on(platform)
    assert platform.there().traffic == GREEN_LIVE
    assert record.past[0].outcome == "promoted"
    assert record.kept == "blue"


def test_what_was_rolled_back_to_a_named_deployment_stays_there_when_it_is_resumed(
    take_back: Any, tmp_path: Path
) -> None:
    platform = both(promoted())
    take_back(platform).roll_back("blue")

    def refuse_the_last(routing: Routing) -> None:
        if platform.there().routing == routing:
            raise PlatformError("killed")

    platform.before_write = refuse_the_last
    take_back(platform).roll_back("green")  # killed before it let go
    platform.before_write = lambda _: None
    assert platform.there().traffic == GREEN_LIVE
    a_rollout(platform, tmp_path).promote()
    assert platform.there().traffic == GREEN_LIVE


@pytest.mark.parametrize(("live", "candidate"), [("green", "blue"), (None, "green")], ids=["the other way", "alone"])
def test_rows_of_another_comparison_do_not_count(live: str | None, candidate: str, tmp_path: Path) -> None:
    platform = FakePlatform(an_endpoint())
    rollout = a_rollout(platform, tmp_path)
    rollout.run(rollout.deploy, rollout.smoke)
    rollout.evidence.rows_path.write_bytes(rows_file(live, candidate, Answers()))
    with pytest.raises(BadInputError, match="run `load` first"):
        single_steps.gate(a_rollout(platform, tmp_path))


def broken_off(*_: Any, **__: Any) -> Any:
    raise LoadError("load: Locust ended with code 1")


def test_a_refusal_says_who_keeps_the_traffic_and_of_a_first_release_that_nobody_has_any(tmp_path: Path) -> None:
    later = a_rollout(FakePlatform(an_endpoint()), tmp_path / "later", measure=broken_off).promote()
    first = a_rollout(FakePlatform(None), tmp_path / "first", measure=broken_off).promote()
    assert later.next_action == "Live keeps all traffic. Mend it, then release again."
    assert first.next_action == "Nobody has traffic, as before. Mend it, then release again."


def test_a_drill_that_nobody_could_look_at_is_not_called_verified(tmp_path: Path) -> None:
    for endpoint, seen in ((an_endpoint(), True), (None, None)):
        result = a_rollout(FakePlatform(endpoint), tmp_path / str(seen)).promote()
        (drill,) = [entry for entry in result.journal if entry.event.startswith("drill:")]
        assert drill.verified is seen

"""The one memory of a release: what it writes into the endpoint's tags, and what of it can be read again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployment.fencing import without_record
from deployment.outcomes import BadInputError, Outcome
from deployment.phases import Phase
from deployment.platform import HOLDER_TAG, Routing
from deployment.record import (
    MAX_VALUE_CHARACTERS,
    MOST_PAST,
    Past,
    Record,
    new_holder,
    read_record,
    routing_from_tag,
    routing_to_tag,
    utc_now,
)
from tests.lib.release_fakes import make_record

pytestmark = pytest.mark.unit

AT = datetime(2026, 11, 23, 3, 42, 10, 250000, tzinfo=UTC)
MOST_TAGS = 50
NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,30}", fullmatch=True)
WORDS = st.text(st.characters(categories=["L", "N"], include_characters="-._/: "), min_size=1, max_size=40).map(
    lambda word: word.strip() or "x"
)
TIMES = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001 - hypothesis wants it naive
    lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000)
)
ROUTINGS = st.builds(
    Routing,
    st.dictionaries(NAMES, st.integers(1, 100), max_size=3),
    st.dictionaries(NAMES, st.integers(1, 50), max_size=1),
)
RECORDS = st.builds(
    Record,
    release_id=WORDS,
    phase=st.sampled_from(Phase),
    at=TIMES,
    holder=WORDS,
    leased_until=TIMES,
    live=st.one_of(st.just(""), NAMES),
    candidate=NAMES,
    image=st.one_of(st.just(""), st.just("registry.test/model@sha256:" + "a" * 64)),
    model_version=st.one_of(st.just(""), WORDS),
    git_sha=st.one_of(st.just(""), st.just("0123456789abcdef" * 2)),
    routing=ROUTINGS,
    run_url=st.one_of(st.just(""), WORDS),
    kept=st.one_of(st.just(""), NAMES),
    kept_until=st.one_of(st.none(), TIMES),
)


def past(number: int) -> Past:
    image = "registry.test/model@sha256:" + f"{number:064}"
    return Past(f"r-{number}", Outcome.PROMOTED, AT, "green", str(number), image, "0123456789abcdef")


def ended_often(times: int) -> Record:
    record = make_record(Phase.SHIFTING)
    for number in range(times):
        record = replace(record, release_id=f"r-{number}").ended(
            Phase.PROMOTED, Outcome.PROMOTED, AT + timedelta(days=number), keep_warm_s=3600
        )
    return record


@settings(deadline=None, max_examples=60)
@given(RECORDS)
def test_what_is_written_into_the_tags_is_read_from_them(record: Record) -> None:
    assert read_record(record.to_tags()) == record


@settings(deadline=None, max_examples=60)
@given(ROUTINGS)
def test_a_routing_is_read_as_it_was_written(routing: Routing) -> None:
    assert routing_from_tag(routing_to_tag(routing)) == routing


def test_tags_of_others_are_neither_read_nor_written_over() -> None:
    theirs = {"cost-centre": "4711", "owner": "somebody"}
    record = make_record(Phase.SHIFTING)
    assert read_record({**theirs, **record.to_tags()}) == record
    assert without_record({**theirs, **record.to_tags()}) == theirs


@pytest.mark.parametrize("tags", [{}, {"cost-centre": "4711"}], ids=["none", "others"])
def test_an_endpoint_that_no_release_has_held_has_no_record(tags: dict[str, str]) -> None:
    assert read_record(tags) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("release_phase", "shiftin"),
        ("release_phase_at", "yesterday"),
        ("release_leased_until", ""),
        ("release_kept_until", "soon"),
        ("release_routing", "blue=many"),
        ("release_routing", "blue"),
        ("release_past_0", "r-1|promoted"),
        ("release_past_0", "r-1|promoted|yesterday|green|1|aaaa|bbbb"),
    ],
)
def test_a_damaged_tag_is_named_with_what_to_do(name: str, value: str) -> None:
    tags = ended_often(1).to_tags() | {name: value}
    with pytest.raises(BadInputError, match=r"endpoint tags: those that begin with release_ cannot be read") as error:
        read_record(tags)
    assert "rollback --to NAME" in str(error.value)


@pytest.mark.parametrize("name", ["release_id", "release_phase_at", "release_candidate", HOLDER_TAG])
def test_a_tag_that_is_missing_is_named(name: str) -> None:
    tags = make_record(Phase.SHIFTING).to_tags()
    del tags[name]
    with pytest.raises(BadInputError, match=f"KeyError.*{name.removeprefix('release_')}"):
        read_record(tags)


def test_a_full_record_fits_into_what_the_platform_allows() -> None:
    record = replace(
        ended_often(30),
        routing=Routing({"blue": 50, "green": 50}, {"green": 10}),
        run_url="https://ci.test/" + "r" * 200,
        holder=new_holder("https://ci.test/" + "r" * 2000),
    )
    tags = record.to_tags()
    assert len(tags) <= MOST_TAGS // 2  # the other half is for whoever owns the endpoint
    assert all(1 <= len(value) <= MAX_VALUE_CHARACTERS for value in tags.values())
    assert all(name.startswith("release_") for name in tags)


def test_a_value_that_the_platform_would_refuse_is_refused_with_its_name() -> None:
    record = replace(make_record(Phase.OBSERVED), image="i" * 257)
    with pytest.raises(BadInputError, match=r"tag release_image: 'i+' has 257 characters where 256 are allowed"):
        record.to_tags()


def test_the_history_keeps_the_last_ten_with_the_newest_first() -> None:
    record = ended_often(12)
    assert [entry.release_id for entry in record.past] == [f"r-{number}" for number in range(11, 1, -1)]
    assert len(record.past) == MOST_PAST
    assert record.past[0] == Past(
        "r-11", "promoted", AT + timedelta(days=11), "green", "2", record.image, record.git_sha
    )


def test_a_release_has_one_line_in_the_history_however_often_it_ended() -> None:
    record = ended_often(3)
    again = replace(record, release_id="r-1").ended(Phase.ROLLED_BACK, Outcome.ROLLED_BACK, AT)
    assert [(entry.release_id, entry.outcome) for entry in again.past] == [
        ("r-1", "rolled back"),
        ("r-2", "promoted"),
        ("r-0", "promoted"),
    ]


def test_an_entry_is_read_with_what_can_be_found_again_by_it() -> None:
    read = Past.from_tag(past(3).to_tag())
    assert read == replace(past(3), image="0" * 12, commit="0123456789ab")


def test_live_is_kept_warm_from_a_promotion_until_the_time_is_over() -> None:
    record = make_record(Phase.SHIFTING).ended(Phase.PROMOTED, Outcome.PROMOTED, AT, keep_warm_s=60)
    assert (record.kept, record.kept_until) == ("blue", AT + timedelta(seconds=60))
    assert record.keeps_warm(AT + timedelta(seconds=59))
    assert not record.keeps_warm(AT + timedelta(seconds=60))


def test_a_first_release_keeps_nobody_warm() -> None:
    record = make_record(Phase.SHIFTING, live="").ended(Phase.PROMOTED, Outcome.PROMOTED, AT, keep_warm_s=60)
    assert (record.kept, record.kept_until) == ("", None)


def test_no_two_processes_have_the_same_name() -> None:
    names = {new_holder("https://ci.test/run/1") for _ in range(100)}
    assert len(names) == 100
    assert all(name.startswith("https://ci.test/run/1 #") for name in names)


def test_the_time_is_as_exact_as_a_tag_holds_it() -> None:
    now = utc_now()
    assert now == replace_microseconds(now)
    assert now.tzinfo is UTC


def replace_microseconds(at: datetime) -> datetime:
    return datetime.fromisoformat(at.isoformat(timespec="milliseconds"))

"""A step while it is watched: what ends it, and what does not."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from deployment import bake
from deployment.bake import Watched, watch
from deployment.golden import GoldenRequest, GoldenRequests
from deployment.scoring import Answer
from deployment.settings import ShiftSettings
from load.settings import GatePolicy
from tests.lib.release_fakes import FakePlatform, FakeScoring
from tests.unit.deployment.scene import a_deployment, an_endpoint

pytestmark = pytest.mark.unit

RATE = 10.0
POLICY = GatePolicy(max_p50_ratio=1.15, ignore_below_ms=10, bootstrap_resamples=200)
SETTINGS = ShiftSettings(
    steps_percent=(10, 100), probes_per_step=132, routing_timeout_s=1, bake_s=60, bake_rate_pairs_per_s=RATE
)
GOLDEN = GoldenRequests(
    absolute_tolerance=0,
    relative_tolerance=0,
    requests=tuple(GoldenRequest(id=f"golden-{n}", body={"data": [[n]]}, predictions=(1.0,)) for n in range(3)),
)
QUICK: Mapping[str, float] = {"blue": 20.0, "green": 20.0}
Answering = Callable[[int, str, str | None], Answer | None]


class Clock:
    """A clock that goes on only by waiting and by answering."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s

    def wait(self, seconds: float) -> None:
        assert seconds >= 0
        self.now_s += seconds


class TimedScoring(FakeScoring):
    """A client whose answers take their time on the clock, and may be others than usual."""

    def __init__(self, clock: Clock, taking_ms: Mapping[str, float], instead: Answering | None = None) -> None:
        platform = FakePlatform(an_endpoint({"blue": 50, "green": 50}, a_deployment("blue"), a_deployment("green")))
        super().__init__(platform)
        self.clock, self.taking_ms, self.instead = clock, taking_ms, instead
        self.asked: list[tuple[str | None, Any]] = []

    def score(self, body: Any, *, deployment: str | None = None) -> Answer:
        self.asked.append((deployment, body))
        usual = super().score(body, deployment=deployment)
        self.clock.wait(self.taking_ms[usual.deployment] / 1000)
        other = self.instead(len(self.asked), usual.deployment, deployment) if self.instead else None
        return other or usual


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(bake, "monotonic", clock)
    monkeypatch.setattr(bake, "Event", lambda: clock)
    return clock


def look(client: FakeScoring, pairs: int, *, live: str | None = "blue", policy: GatePolicy = POLICY) -> Watched:
    return watch(
        client, GOLDEN, live=live, candidate="green", duration_s=pairs / RATE, settings=SETTINGS, policy=policy
    )


def test_a_candidate_that_is_as_good_stays(clock: Clock) -> None:
    watched = look(TimedScoring(clock, QUICK), 120)
    assert watched == Watched(fits=True, reason="watched for 12 s, 120 looks: no breach")


def test_it_asks_at_its_rate_for_its_time(clock: Clock) -> None:
    started_s = clock()
    look(TimedScoring(clock, QUICK), 50)
    assert clock() - started_s == pytest.approx(4.9 + 0.06)


def test_each_look_asks_both_the_same_by_turns_and_then_as_a_client_would(clock: Clock) -> None:
    client = TimedScoring(clock, QUICK)
    look(client, 4)
    assert [name for name, _ in client.asked] == [
        *("blue", "green", None),
        *("green", "blue", None),
        *("blue", "green", None),
        *("green", "blue", None),
    ]
    bodies = [body["data"][0][0] for _, body in client.asked]
    assert bodies == [0, 0, 0, 1, 1, 1, 2, 2, 2, 0, 0, 0]


def test_a_first_release_is_watched_alone(clock: Clock) -> None:
    client = TimedScoring(clock, QUICK)
    assert look(client, 3, live=None).fits
    assert [name for name, _ in client.asked] == ["green", None] * 3


def test_no_time_means_no_look(clock: Clock) -> None:
    client = TimedScoring(clock, QUICK)
    assert look(client, 0) == Watched(fits=True, reason="watched for 0 s, 0 looks: no breach")
    assert client.asked == []


def from_call(number: int, answer: Callable[[str], Answer], *, of: str, named: bool = True) -> Answering:
    def instead(call: int, who: str, asked: str | None) -> Answer | None:
        return answer(who) if call >= number and who == of and (asked is not None) == named else None

    return instead


def test_one_wrong_answer_of_the_candidate_is_a_breach(clock: Clock) -> None:
    wrong = from_call(20, lambda who: Answer(200, who, [2.0], ""), of="green")
    watched = look(TimedScoring(clock, QUICK, wrong), 50)
    assert watched == Watched(fits=False, reason="green answered golden-0 with 2 instead of 1 in row 0")


@pytest.mark.parametrize("status", [424, 500, 0])
def test_one_failure_of_the_candidate_is_a_breach(status: int, clock: Clock) -> None:
    failing = from_call(20, lambda who: Answer(status, who, "cause", ""), of="green")
    watched = look(TimedScoring(clock, QUICK, failing), 50)
    assert not watched.fits
    assert f"green answered golden-0 with status {status} (cause) instead of 200" in watched.reason


@pytest.mark.parametrize(("who", "told"), [("blue", "blue"), ("", "nobody known")])
def test_an_answer_of_somebody_else_is_a_breach(who: str, told: str, clock: Clock) -> None:
    other = from_call(1, lambda _: Answer(200, who, [1.0], ""), of="green")
    watched = look(TimedScoring(clock, QUICK, other), 50)
    assert watched == Watched(fits=False, reason=f"a request to green was answered by {told}")


def test_a_client_that_is_refused_is_a_breach(clock: Clock) -> None:
    refused = from_call(1, lambda who: Answer(503, who, "", ""), of="green", named=False)
    watched = look(TimedScoring(clock, QUICK, refused), 120)
    assert watched == Watched(fits=False, reason="the endpoint answered a client with status 503")


def test_failures_of_live_alone_are_told_and_are_no_breach(clock: Clock) -> None:
    failing = from_call(1, lambda who: Answer(424, who, "", ""), of="blue")
    watched = look(TimedScoring(clock, QUICK, failing), 120)
    assert watched == Watched(fits=True, reason="watched for 12 s, 120 looks, 120 failures of live: no breach")


@pytest.mark.parametrize(("pairs", "fits"), [(99, True), (100, False)])
def test_a_slower_median_is_a_breach_from_a_hundred_pairs_on(pairs: int, *, fits: bool, clock: Clock) -> None:
    watched = look(TimedScoring(clock, {"blue": 20.0, "green": 40.0}), pairs)
    assert watched.fits is fits
    if not fits:
        told = "green is slower than blue: p50 40.0 ms vs 20.0 ms in 100 pairs, at most 30.0 ms are allowed"
        assert watched.reason == told


@pytest.mark.parametrize(
    ("live_ms", "candidate_ms", "fits"),
    [(20, 29.9, True), (20, 30.1, False), (200, 229, True), (200, 231, False), (40, 20, True)],
)
def test_a_median_may_be_slower_by_what_the_gate_allows(
    live_ms: float, candidate_ms: float, *, fits: bool, clock: Clock
) -> None:
    assert look(TimedScoring(clock, {"blue": live_ms, "green": candidate_ms}), 900).fits is fits


def test_a_few_slow_answers_are_not_a_slower_median(clock: Clock) -> None:
    client = TimedScoring(clock, QUICK)

    def stall(call: int, who: str, _: str | None) -> Answer | None:
        if who == "green" and call % 7 == 0:
            clock.wait(0.5)
        return None

    client.instead = stall
    assert look(client, 120).fits


def test_pairs_in_which_live_failed_are_not_compared(clock: Clock) -> None:
    def every_second(call: int, who: str, asked: str | None) -> Answer | None:
        return Answer(424, who, "", "") if asked == "blue" and call % 2 else None

    watched = look(TimedScoring(clock, {"blue": 1.0, "green": 40.0}, every_second), 150)
    assert watched.fits  # 75 pairs are too few
    assert "failures of live" in watched.reason

"""Whole releases in memory: each way they can go, and what each leaves on the endpoint."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deployment.outcomes import Outcome, ProvisioningError
from deployment.phases import Phase
from deployment.platform import IMAGE_TAG, MODEL_VERSION_TAG, RELEASE_ID_TAG, Container
from deployment.scoring import Answer
from load.measure import LoadError, LoadPlan, Measurement
from tests.lib.load_samples import Answers
from tests.lib.release_fakes import FakePlatform, FakeScoring, make_record
from tests.unit.deployment.scene import (
    BLUE_LIVE,
    GREEN_LIVE,
    IMAGE,
    OTHER_IMAGE,
    SETTINGS,
    Measured,
    a_release,
    a_rollout,
    an_endpoint,
    record_on,
    with_record,
)

pytestmark = pytest.mark.unit


def test_a_first_release_is_measured_alone_and_gets_all_traffic_in_one_step(tmp_path: Path) -> None:
    platform, measure = FakePlatform(None), Measured()
    result = a_rollout(platform, tmp_path, measure=measure).promote()
    assert result.outcome is Outcome.PROMOTED
    assert "blue is the first release, with nothing to compare it with" in result.sentence
    assert "blue keeps its SLO: p95" in result.sentence
    assert (result.live, result.candidate, result.traffic) == (None, "blue", BLUE_LIVE)
    assert [(plan.live, plan.candidate) for plan in measure.plans] == [(None, "blue")]
    assert platform.writes == [BLUE_LIVE]
    assert (record_on(platform).phase, record_on(platform).kept) == (Phase.PROMOTED, "")


def test_a_first_release_is_held_to_the_absolute_limits(tmp_path: Path) -> None:
    platform = FakePlatform(None)
    result = a_rollout(platform, tmp_path, measure=Measured(Answers(median_ms=300))).promote()
    assert result.outcome is Outcome.REFUSED_BY_GATE
    assert platform.there().traffic == {}
    assert record_on(platform).phase is Phase.REFUSED


def test_a_second_release_takes_over_step_by_step_and_keeps_the_first_warm(tmp_path: Path) -> None:
    platform, measure = FakePlatform(an_endpoint()), Measured()
    result = a_rollout(platform, tmp_path, measure=measure).promote()
    assert result.outcome is Outcome.PROMOTED
    assert [(plan.live, plan.candidate) for plan in measure.plans] == [("blue", "green")]
    assert platform.writes == [{"blue": 90, "green": 10}, {"blue": 50, "green": 50}, GREEN_LIVE]
    record = record_on(platform)
    assert (record.phase, record.kept, record.routing.traffic) == (Phase.PROMOTED, "blue", GREEN_LIVE)
    assert [(entry.release_id, entry.outcome) for entry in record.past] == [("r-2", "promoted")]
    assert "blue stays warm at 0 % until" in result.next_action
    tags = platform.there().deployments["green"].tags
    assert (tags[IMAGE_TAG], tags[RELEASE_ID_TAG], tags[MODEL_VERSION_TAG]) == (IMAGE, "r-2", "2")


def test_traffic_that_somebody_changes_while_the_load_runs_makes_the_measurement_worthless(tmp_path: Path) -> None:
    platform = FakePlatform(an_endpoint())

    def measure(plan: LoadPlan, *, observe: Callable[[], str], **rest: Any) -> Measurement:
        looked = [observe(), "blue 50 %, red 50 %"]
        return Measured()(plan, observe=lambda: looked.pop(0), **rest)

    result = a_rollout(platform, tmp_path, measure=measure).promote()
    assert result.outcome is Outcome.INVALID
    assert "traffic was blue 100 %, then blue 50 %, red 50 %; nothing may change it" in result.sentence
    assert platform.there().traffic == BLUE_LIVE


def test_the_report_names_the_size_of_both_deployments_and_the_model_that_is_live(tmp_path: Path) -> None:
    result = a_rollout(FakePlatform(an_endpoint()), tmp_path).promote()
    assert result.facts["size"] == "blue Standard_DS3_v2 x 1, green Standard_DS3_v2 x 1"
    assert result.facts["live model"] == "unknown"


def test_three_releases_alternate_between_two_names(tmp_path: Path) -> None:
    platform = FakePlatform(None)
    impatient = SETTINGS.model_copy(update={"soak": SETTINGS.soak.model_copy(update={"duration_s": 0})})
    for name in ("r-1", "r-2", "r-3"):
        rollout = a_rollout(platform, tmp_path / name, release=a_release(name), settings=impatient)
        assert rollout.promote().outcome is Outcome.PROMOTED
    assert [request.name for request in platform.deploys] == ["blue", "green", "blue"]
    assert [entry.release_id for entry in record_on(platform).past] == ["r-3", "r-2", "r-1"]


def test_the_report_tells_of_earlier_releases_and_not_of_itself(tmp_path: Path) -> None:
    earlier = replace(make_record(Phase.SHIFTING), release_id="r-1").ended(
        Phase.ROLLED_BACK, Outcome.ROLLED_BACK, make_record(Phase.OBSERVED).at
    )
    result = a_rollout(FakePlatform(with_record(an_endpoint(), earlier)), tmp_path).promote()
    assert [(entry.release_id, entry.outcome) for entry in result.history] == [("r-1", "rolled back")]


def failing_deploy(platform: FakePlatform) -> None:
    def refuse() -> None:
        raise ProvisioningError("deployment green: ResourceNotReady (BadRequest)")

    platform.before_deploy = refuse


def broken_off(*_: Any, **__: Any) -> Any:
    raise LoadError("load: Locust ended with code 1; its last lines:\nout of memory")


def answering_wrongly(there: FakePlatform) -> FakeScoring:
    return FakeScoring(there, wrong=("green",))


def taking_other_features(there: FakePlatform) -> FakeScoring:
    return FakeScoring(there, other_form=("blue",))


class BreaksUnderTraffic(FakeScoring):
    """A client of a candidate that answers right until it has traffic."""

    def score(self, body: Any, *, deployment: str | None = None) -> Answer:
        self.failing = ("green",) if self.platform.there().traffic.get("green") else ()
        return super().score(body, deployment=deployment)


REFUSALS: dict[str, tuple[Callable[[FakePlatform], None] | None, dict[str, Any], Outcome, str]] = {
    "deploy": (failing_deploy, {}, Outcome.NOT_PROVISIONED, "green did not become ready"),
    "smoke": (None, {"client": answering_wrongly}, Outcome.REFUSED_BY_SMOKE, "answered 1 of 1 golden requests wrongly"),
    "smoke of live": (
        None,
        {"client": taking_other_features},
        Outcome.INVALID,
        "blue takes other features than green: it refuses golden-00, which green answers (wrong_shape at data[0])",
    ),
    "load": (None, {"measure": broken_off}, Outcome.INVALID, "The load test broke off: load: Locust ended"),
    "gate slow": (None, {"measure": Measured(Answers(median_ms=80))}, Outcome.REFUSED_BY_GATE, "green is too slow"),
    "gate failing": (
        None,
        {"measure": Measured(Answers(error_ratio=0.1))},
        Outcome.REFUSED_BY_GATE,
        "green fails too often",
    ),
    "gate somebody else": (None, {"measure": Measured(Answers(answered_by="blue"))}, Outcome.INVALID, ""),
}


@pytest.mark.parametrize("why", REFUSALS)
def test_each_phase_that_refuses_leaves_its_word_and_the_traffic_as_it_was(why: str, tmp_path: Path) -> None:
    arrange, arguments, outcome, sentence = REFUSALS[why]
    platform = FakePlatform(an_endpoint())
    if arrange is not None:
        arrange(platform)
    result = a_rollout(platform, tmp_path, **arguments).promote()
    assert result.outcome is outcome
    assert sentence in result.sentence
    assert result.traffic == platform.there().traffic == BLUE_LIVE
    assert platform.writes == []
    record = record_on(platform)
    assert (record.phase, record.past[0].outcome) == (Phase.REFUSED, outcome)
    assert result.journal[-1].phase is Phase.REFUSED


@pytest.mark.parametrize("why", REFUSALS)
def test_another_release_may_follow_whatever_refused_the_one_before(why: str, tmp_path: Path) -> None:
    arrange, arguments, _, _ = REFUSALS[why]
    platform = FakePlatform(an_endpoint())
    if arrange is not None:
        arrange(platform)
    a_rollout(platform, tmp_path / "r-2", **arguments).promote()
    platform.before_deploy = lambda: None
    following = a_rollout(platform, tmp_path / "r-3", release=a_release("r-3", OTHER_IMAGE))
    assert following.promote().outcome is Outcome.PROMOTED
    assert platform.there().deployments["green"].tags[IMAGE_TAG] == OTHER_IMAGE


def test_a_candidate_that_breaks_under_traffic_is_rolled_back_and_lets_go(tmp_path: Path) -> None:
    platform = FakePlatform(an_endpoint())
    result = a_rollout(platform, tmp_path, client=BreaksUnderTraffic).promote()
    assert result.outcome is Outcome.ROLLED_BACK
    assert result.traffic == platform.there().traffic == BLUE_LIVE
    record = record_on(platform)
    assert (record.phase, record.past[0].outcome, record.kept) == (Phase.ROLLED_BACK, "rolled back", "")


def test_a_way_back_that_is_not_open_keeps_the_traffic_from_the_candidate(tmp_path: Path) -> None:
    platform = FakePlatform(an_endpoint())
    result = a_rollout(platform, tmp_path, client=lambda there: FakeScoring(there, failing=("blue",))).promote()
    assert result.outcome is Outcome.PLATFORM_ERROR
    assert "The way back is not open, so the candidate gets no traffic: blue answers status 424" in result.sentence
    assert platform.writes == []
    assert record_on(platform).phase is Phase.REFUSED


def test_a_container_that_did_not_start_is_told_of_with_its_logs(tmp_path: Path) -> None:
    platform = FakePlatform(an_endpoint())
    failing_deploy(platform)
    result = a_rollout(platform, tmp_path).promote()
    assert [log.container for log in result.logs] == list(Container)
    for container in Container:
        assert f"green's {container}" in (tmp_path / f"green-{container}.log").read_text()
